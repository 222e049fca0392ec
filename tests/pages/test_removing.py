"""The models that a person added, on the page "Models": predict with one, remove it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from streamlit.testing.v1 import AppTest

from labelfree_core.models.build import build
from labelfree_core.models.card import ModelCard
from labelfree_core.models.store import ModelEntry, list_models, save_model
from pages.components import adding, cached, removing, training
from pages.components.session import Session
from tests.pages.conftest import Worker, press, words

Open = Callable[..., AppTest]
OWN = ModelCard(
    id="my-dna",
    title="DNA of my cells",
    structure="DNA",
    modality="bright-field",
    ndim=3,
    architecture="fnet",
    network={"mult_chan": 2, "depth": 1},
    voxel_size_um=(0.29, 0.29, 0.29),
)
DELETE = "Delete this model"


@pytest.fixture
def shared(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> Worker:
    """A server with a model that shipped and one that its owner keeps; visitors add their own."""
    (entry,) = cached.models(None)
    kept = replace(entry, card=replace(entry.card, id="of-the-owner"), folder=entry.folder.with_name("owner"))
    monkeypatch.setattr(adding, "own_computer", lambda: False)
    monkeypatch.setattr(
        cached,
        "models",
        lambda work: (*list_models([work.path / "models"]), replace(entry, shipped=True), kept),
    )
    return worker


def add(app: AppTest) -> ModelEntry:
    """Give a visitor a model of their own."""
    torch.manual_seed(0)
    folder = app.session_state["work"].path / "models" / OWN.id
    return save_model(folder, build(OWN).state_dict(), OWN)


def chosen(app: AppTest) -> AppTest:
    """Go to the Predict page with a visitor's own model, as its card offers; the test client stays behind."""
    return press(app, "Predict with it").switch_page("pages/predict.py").run()


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def test_only_what_a_visitor_added_can_be_removed(shared: Worker, open_app: Open) -> None:
    app = open_app("models")
    assert DELETE not in labels(app)
    add(app)
    app.run()
    assert not app.exception
    assert labels(app).count(DELETE) == 1
    assert "Delete **DNA of my cells** for good?" in words(app)


def test_who_kept_a_model_on_their_own_computer_can_remove_it(monkeypatch: pytest.MonkeyPatch) -> None:
    work, entry = Session(), ModelEntry(OWN, adding.Path("kept") / OWN.id)
    for alone in (True, False):
        monkeypatch.setattr(adding, "own_computer", lambda alone=alone: alone)
        assert removing.own(work, entry) is alone
        assert not removing.own(work, replace(entry, shipped=True))


def test_a_removed_model_is_gone_for_its_visitor_and_nobody_else_loses_one(
    shared: Worker, open_app: Open
) -> None:
    app, other = open_app("models"), open_app("models")
    mine, theirs = add(app), add(other)
    app = press(app.run(), DELETE)
    assert not app.exception
    assert not mine.folder.exists()
    assert DELETE not in labels(app)
    assert "DNA of my cells" not in words(app)
    assert theirs.folder.is_dir()
    assert DELETE in labels(other.run())


def test_predict_with_it_opens_the_predict_page_with_the_model_chosen(shared: Worker, open_app: Open) -> None:
    app = open_app("models", sample="cells")
    add(app)
    app = press(app.run(), "Predict with it")
    assert app.title[0].value == "Predict fluorescence"
    boxes = {box.key: box.value for box in app.checkbox if str(box.key).startswith("model-")}
    assert boxes == {"model-my-dna": True, "model-dna-test-3d": False, "model-of-the-owner": False}


def test_what_a_removed_model_predicted_stays_and_every_page_goes_on(shared: Worker, open_app: Open) -> None:
    app = open_app("models", sample="cells")
    add(app)
    app = press(chosen(app.run()), "Predict")
    assert OWN.id in app.session_state["work"].results()
    app = press(app.switch_page("pages/models.py").run(), DELETE)
    app = app.switch_page("pages/predict.py").run()
    assert "Its model was deleted since" in words(app)
    assert app.checkbox(key="model-dna-test-3d").value  # the first that fits, as for who chose none
    for page in ("compare", "trust", "masks", "untagged", "train"):
        app = app.switch_page(f"pages/{page}.py").run()
        assert not app.exception
        assert not app.error


def test_a_model_that_is_predicting_says_so_and_stays(shared: Worker, open_app: Open) -> None:
    app = open_app("models", sample="cells")
    entry = add(app)
    shared.looks_needed = 10**6
    app = press(chosen(app.run()), "Predict")
    app = app.switch_page("pages/models.py").run()
    assert "It is predicting." in words(app)
    assert next(button for button in app.button if button.label == DELETE).disabled
    work = app.session_state["work"]
    work.jobs.clear()
    assert "It is predicting." not in words(app.run())
    work.batch_model, work.batch_running = str(entry.folder), True
    assert "It is predicting." in words(app.run())


def test_a_model_that_a_training_started_from_stays_until_that_is_kept_or_discarded(
    shared: Worker, open_app: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_app("models")
    entry = add(app)
    mine = training.Draft(app.session_state["work"].owner, started=OWN.id, kept=OWN.id)
    app.session_state[training.KEY] = mine
    found = [object(), None]
    monkeypatch.setattr(training, "service", lambda: SimpleNamespace(state=lambda owner: found[0]))
    assert "A training started from it." in words(app.run())
    found.pop(0)
    app = press(app.run(), DELETE)
    assert not entry.folder.exists()
    assert mine.kept == ""  # so that the page "Train your own" offers to keep it again
