"""The page "Train your own", with a real training of a few updates in its own process."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from streamlit.testing.v1 import AppTest

from labelfree_core.images.writing import write_channels
from labelfree_core.models.entries import list_models
from labelfree_core.settings import Settings
from labelfree_core.training.service import TrainingService
from pages.components import cached, training

from .conftest import SIZE_UM, channels, press, words

Open = Callable[..., AppTest]
Trainers = Callable[[], list[psutil.Process]]
PATIENCE_S = 120
LOOKS_S = 0.5


@pytest.fixture
def trainings(worker: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[TrainingService]:
    """A service of this test's own, whose new networks are tiny and whose minutes are short."""
    from labelfree_core.training import newcard

    running = TrainingService(Settings(threads=1))
    monkeypatch.setattr(training, "service", lambda: running)
    monkeypatch.setattr(newcard, "_SMALL", {3: {"widths": [4, 8], "fold": 4, "block": 4, "context": 2}})
    monkeypatch.setattr(training, "MINUTES", {2: 1, 3: 1})
    monkeypatch.setenv("LABELFREE_MODELS", str(tmp_path / "models"))
    yield running
    running.shutdown()


def with_the_open_image(open_app: Open) -> AppTest:
    app = open_app("train", sample="cells")
    return press(app, next(button.label for button in app.button if button.label.startswith("Add ")))


def second_pair(folder: Path) -> bytes:
    """Another field with both channels, as a file."""
    path = folder / "more.ome.tif"
    write_channels(path, channels(seed=1), SIZE_UM)
    return path.read_bytes()


def started(open_app: Open) -> AppTest:
    app = with_the_open_image(open_app)
    app.selectbox(key="train-start-True").set_value("nothing").run()
    return press(app, "Start training")


def until(app: AppTest, wanted: Callable[[AppTest], bool]) -> AppTest:
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        app.run()
        assert not app.exception
        if wanted(app):
            return app
        time.sleep(LOOKS_S)
    raise AssertionError(words(app))


def labels(app: AppTest) -> set[str]:
    return {button.label for button in app.button if not button.disabled}


def test_it_opens_empty_and_says_what_to_bring(open_app: Open, trainings: TrainingService) -> None:
    app = open_app("train")
    assert not app.exception
    text = words(app)
    assert "one field, seen twice" in text
    assert "About 5 minutes" in text
    assert "No images at hand? Try it" in text
    assert "Start training" not in labels(app)


def test_one_press_brings_sample_pairs_that_can_be_trained_on(
    open_app: Open, trainings: TrainingService
) -> None:
    app = press(open_app("train"), "Try it with these pairs")
    assert not app.exception
    assert "cells.ome.tif" in words(app)
    assert "unstained.ome.tif" not in words(app)
    assert app.selectbox(key="train-structure-DNA").value == "DNA"
    assert app.selectbox(key="train-start-True").value == "nothing"
    assert "Start training" in labels(app)


def test_a_start_that_has_to_wait_says_on_the_page_why(
    open_app: Open, trainings: TrainingService, tmp_path: Path
) -> None:
    app = with_the_open_image(open_app)
    app.get("file_uploader")[0].set_value([("more.ome.tif", second_pair(tmp_path), "image/tiff")])
    app.run()
    assert "Start training" in labels(app)
    for box in [box for box in app.checkbox if box.label.startswith("Keep for the score")]:
        box.set_value(True)
    app.run()
    assert "Start training" not in labels(app)
    assert "leave at least one to learn from" in words(app)


def test_one_pair_is_proposed_and_its_score_warned_of(open_app: Open, trainings: TrainingService) -> None:
    app = with_the_open_image(open_app)
    assert not app.exception
    assert "that score flatters the model" in words(app)
    assert app.selectbox(key="train-structure-DNA").value == "DNA"
    assert "Start training" in labels(app)
    app = press(app, "Remove")
    assert "Start training" not in labels(app)


def test_a_training_is_watched_stopped_kept_and_in_the_list(
    open_app: Open, trainings: TrainingService, tmp_path: Path, trainers: Trainers
) -> None:
    app = started(open_app)
    assert not app.exception
    app = until(app, lambda app: "Stop and keep" in labels(app))
    assert "Now" in words(app)
    assert "Start training" not in labels(app)
    app = until(press(app, "Stop and keep"), lambda app: "Keep it" in labels(app))
    assert "Your model is ready" in words(app)
    assert any(metric.label.startswith("Pearson r") for metric in app.metric)
    app = press(app, "Keep it")
    assert "Kept as my-dna" in words(app)
    assert "Keep it" not in labels(app)
    app = press(app, "Predict with it")
    assert app.title[0].value == "Predict fluorescence"
    app = app.switch_page("pages/train.py").run()
    (kept,) = list_models([tmp_path / "models"])
    assert not kept.problem
    assert "cells.ome.tif" in kept.card.training
    assert kept.card.scores[0].n == 1
    assert "flatters" in kept.card.limits[1]

    app = until(press(app, "Train 5 more minutes"), lambda app: "Cancel" in labels(app))
    app = press(app, "Cancel")
    assert "Your model is ready" not in words(app)
    assert not trainers()


def test_a_kept_model_is_chosen_and_finds_an_image_that_it_never_saw() -> None:
    def page() -> None:
        from types import SimpleNamespace

        import streamlit as st

        from pages.components.training_run import choose

        pairs = [SimpleNamespace(opened=name, held_out=name == "unseen") for name in ("seen", "unseen")]
        for image in (None, "mine"):
            work = SimpleNamespace(image=image, chosen=[])
            work.show = lambda opened, work=work: setattr(work, "image", opened)
            choose(work, SimpleNamespace(kept="my-dna", pairs=pairs))
            st.write(f"{work.image} {work.chosen[0]}")

    app = AppTest.from_function(page).run()
    assert [each.value for each in app.markdown] == ["unseen my-dna", "mine my-dna"]


@pytest.mark.parametrize(("now", "worse"), [(0.5, True), (0.79, False), (0.9, False)])
def test_a_model_that_does_worse_than_the_one_it_started_from_says_so(now: float, worse: bool) -> None:
    def page(now: float) -> None:
        from pages.components import training_run

        training_run.scores([("pearson_r", now, 1), ("dice", 0.5, 1), ("before", 0.8, 1)])

    app = AppTest.from_function(page, kwargs={"now": now}).run()
    assert not app.exception
    assert [metric.value for metric in app.metric] == [f"{now:.2f}", "0.50", "0.80"]
    assert bool(app.warning) is worse


def test_a_training_ends_with_the_session(
    open_app: Open, trainings: TrainingService, trainers: Trainers
) -> None:
    app = started(open_app)
    (child,) = trainers()
    del app  # as the server does some time after the tab was closed
    gc.collect()
    assert not child.is_running()


def test_a_file_that_is_no_pair_is_advice(open_app: Open, trainings: TrainingService) -> None:
    app = open_app("train", sample="unstained")
    assert not [button for button in app.button if button.label.startswith("Add ")]
    assert "holds no stain, so it is no pair" in words(app)
    app.get("file_uploader")[0].set_value([("notes.tif", b"no image", "image/tiff")])
    app.run()
    assert not app.exception
    assert app.error


def test_a_start_that_knows_the_field_of_the_score_says_so_below_the_button(
    open_app: Open, trainings: TrainingService, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_app("train", sample="cells")
    (entry,) = cached.models(None)
    card = replace(entry.card, images={app.session_state["work"].image.digest: "trained"})
    monkeypatch.setattr(cached, "models", lambda work: (replace(entry, card=card),))
    app = app.button(key="train-add-open").click().run()
    order = [getattr(part, "label", "") or getattr(part, "value", "") for part in app.main]
    (said,) = (text for text in order if "has learnt from" in str(text))
    assert "dna-test-3d has learnt from cells.ome.tif already" in str(said).replace("\\", "")
    assert order.index(said) > order.index("Start training")


def test_the_model_is_one_for_the_light_that_the_person_says(
    open_app: Open, trainings: TrainingService
) -> None:
    app = press(open_app("train"), "Try it with these pairs")
    box = next(box for box in app.selectbox if box.label.startswith("Kind of light"))
    assert box.value == "bright-field"
    app = box.set_value("phase contrast").run()
    assert not app.exception
    box = next(box for box in app.selectbox if box.label.startswith("Kind of light"))
    assert (box.label, box.value) == ("Kind of light", "phase contrast")
    pairs = app.session_state[training.KEY].pairs
    assert {pair.opened.modality for pair in pairs} == {"phase contrast"}
