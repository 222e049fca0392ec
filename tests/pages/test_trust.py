"""The page Trust, as a visitor meets it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from labelfree_core.analysis.regions import Region
from labelfree_core.inference.prediction import Prediction
from pages.components import cached, trusting
from pages.components.viewer import Layer
from tests.pages import conftest
from tests.pages.conftest import Worker, press, words

Open = Callable[..., AppTest]
SECOND = "own-dna-3d"
ASK = f"Ask {SECOND} (one prediction)"
FAST = "Look at the middle (about one prediction)"


def test_it_opens_empty_and_says_what_to_do(open_app: Open) -> None:
    app = open_app("trust")
    assert not app.exception
    assert "Choose an image" in str(app.main) or "No image is open yet" in words(app)


def test_it_judges_an_image_before_anything_is_predicted(open_app: Open) -> None:
    app = open_app("trust", sample="cells")
    assert not app.exception
    text = words(app)
    assert "keeps no familiarity file" in text
    assert "Check before measuring" in text


def test_with_a_stain_it_shows_r_and_the_ceiling(predicted: Open) -> None:
    app = predicted("trust")
    assert not app.exception
    shown = {metric.label: metric.value for metric in app.metric}
    assert float(shown["Pearson r"]) > 0.5
    assert shown["Published r"] == "0.65"
    assert "This image is simulated" in words(app)
    assert "Are both bright in the same places" in words(app)


def test_the_verdict_is_one_plain_sentence_and_each_reason_has_its_colour(open_app: Open) -> None:
    text = words(open_app("trust", sample="cells"))
    assert "Look, but do not measure yet, because" in text
    assert ":orange[:material/warning:] Whether 'dna" in text
    assert "Compare with a stain first" in text


def test_one_press_lets_the_worker_look_where_it_is_unsure(predicted: Open, worker: Worker) -> None:
    app = press(predicted("trust"), FAST)
    assert not app.exception
    (ask,) = worker.asked.values()
    assert (ask.kind, ask.details) == ("spread", {"extent": "fast"})
    text = words(app)
    assert "not calibrated" in text
    assert "Mean of 4 views" in text
    assert FAST not in [button.label for button in app.button]


def test_views_under_way_show_how_far_they_are_and_can_be_stopped(predicted: Open, worker: Worker) -> None:
    app = predicted("trust")
    worker.looks_needed = 10**6
    app = press(app, FAST)
    assert not app.exception
    assert FAST not in [button.label for button in app.button]
    job = next(iter(worker.asked))
    app = press(app, "Cancel")
    assert worker.cancelled == {job}
    assert FAST in [button.label for button in app.button]
    assert "Mean of" not in words(app)


def test_views_that_fail_say_why_and_can_be_tried_again(predicted: Open, worker: Worker) -> None:
    app = predicted("trust")
    worker.failing["cells"] = "Memory ran out."
    app = press(app, FAST)
    assert "Memory ran out." in [error.value for error in app.error]
    assert FAST in [button.label for button in app.button]


def test_a_worst_place_is_shown_in_place_with_the_cross_hair_on_it(predicted: Open) -> None:
    app = press(predicted("trust"), FAST)
    app = next(button for button in app.button if button.key == "region-1").click().run()
    assert not app.exception
    view = app.session_state["trust-view-state"]
    assert view.cursor == view.center is not None
    assert 1 <= view.zoom <= 3
    assert isinstance(view.z, int)


def test_a_worst_place_says_where_it_is_along_each_axis(predicted: Open) -> None:
    text = words(predicted("trust"))
    assert re.search(r"At z [\d.]+ µm, y [\d.]+ µm, x [\d.]+ µm; \d+ µm wide", text)


def test_a_dash_says_how_to_learn_the_number_until_it_is_known(predicted: Open) -> None:
    app = predicted("trust")
    assert "– not known yet" in words(app)
    app = press(app, FAST)
    assert "– not known yet" not in words(app)


def test_an_image_that_was_trained_on_is_never_called_trustworthy(
    predicted: Open, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    st.cache_resource.clear()  # reports of the same sample, from other tests
    monkeypatch.setattr("labelfree_core.analysis.trust.training_use_of", lambda *_: "trained")
    text = words(predicted("trust"))
    assert "was used to train this model" in text
    assert "agreement proves nothing" in text


@pytest.fixture
def opposing(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> Worker:
    """Install a second model of the same structure, which predicts the opposite."""
    st.cache_resource.clear()  # results of the same sample, from other tests
    (first,) = cached.models(None)
    card = replace(first.card, id=SECOND, sha256="1" * 64)
    second = replace(first, card=card, folder=first.folder.with_name(SECOND))
    monkeypatch.setattr(cached, "models", lambda work: (first, second))
    usual = conftest.prediction_for

    def predict(stack: object, model: str, structure: str) -> Prediction:
        made = usual(stack, model, structure)
        return replace(made, voxels=-made.voxels, model_sha256="1" * 64) if model == SECOND else made

    monkeypatch.setattr(conftest, "prediction_for", predict)
    return worker


def test_without_a_second_model_one_line_says_what_would_give_an_opinion(predicted: Open) -> None:
    app = predicted("trust")
    assert words(app).count("would give a second opinion here") == 1
    assert "A second opinion" not in [part.value for part in app.subheader]


def test_a_second_model_is_asked_through_the_queue_and_its_disagreement_warns(
    opposing: Worker, predicted: Open
) -> None:
    app = predicted("trust")
    before = len(opposing.jobs)
    assert "disagree here" not in words(app)
    app = press(app, ASK)
    assert not app.exception
    assert [model for _, _, model in opposing.jobs.values()][before:] == [SECOND]
    text = words(app)
    assert f"This model and '{SECOND}'" in text
    assert "disagree here\\: r −1.00" in text
    assert "another model of the same structure predicts something else" in text
    assert "standardised over this image" in text
    assert {m.label: m.value for m in app.metric}["r of both models"] == "−1.00"
    assert ASK not in [button.label for button in app.button]


def test_a_prediction_of_the_second_model_that_is_there_is_taken_without_asking(
    opposing: Worker, predicted: Open
) -> None:
    app = press(predicted("trust"), ASK)
    asked = len(opposing.jobs)
    app = app.switch_page("pages/predict.py").run()
    app = app.switch_page("pages/trust.py").run()
    assert "r of both models" in [metric.label for metric in app.metric]
    assert len(opposing.jobs) == asked


def test_a_second_model_under_way_shows_how_far_it_is(opposing: Worker, predicted: Open) -> None:
    app = predicted("trust")
    opposing.looks_needed = 10**6
    app = press(app, ASK)
    assert not app.exception
    assert ASK not in [button.label for button in app.button]
    app = press(app, "Cancel").run()
    assert ASK in [button.label for button in app.button]


def test_a_second_model_that_fails_says_why_and_can_be_asked_again(opposing: Worker, predicted: Open) -> None:
    app = predicted("trust")
    opposing.failing["cells"] = "Memory ran out."
    app = press(app, ASK)
    assert any("Memory ran out." in error.value for error in app.error)
    assert ASK in [button.label for button in app.button]


def test_a_link_to_trust_opens_its_model_and_predicts(opposing: Worker, open_app: Open) -> None:
    app = open_app("trust", sample="cells", model=SECOND)
    app.run()
    assert not app.exception
    assert app.selectbox(key="trust-model").value == SECOND
    assert "Pearson r" in [metric.label for metric in app.metric]


@pytest.mark.parametrize("predicted", [False, True])
def test_nothing_is_called_trustworthy_before_it_is_predicted(predicted: bool) -> None:
    def page(predicted: bool) -> None:
        from labelfree_core.analysis.trustreport import TrustReport
        from labelfree_core.models.store import list_models
        from pages.components import trusting

        trusting.verdict(TrustReport(), list_models()[0], predicted=predicted)

    said = words(AppTest.from_function(page, kwargs={"predicted": predicted}).run())
    assert ("Looks trustworthy" in said) is predicted
    assert ("Nothing speaks against trying" in said) is not predicted


def test_of_what_a_model_invents_the_larger_is_shown() -> None:
    def page() -> None:
        from dataclasses import replace

        from labelfree_core.analysis.trustreport import TrustReport
        from labelfree_core.models.store import list_models
        from pages.components import trusting

        entry = list_models()[0]
        card = replace(
            entry.card, hallucination={"empty_field": 0.07, "phase_scrambled": 0.02, "images": 2.0}
        )
        trusting.numbers(TrustReport(), replace(entry, card=card))

    app = AppTest.from_function(page).run()
    assert next(metric.value for metric in app.metric if metric.label == "Invented signal") == "0.07"


@pytest.mark.parametrize(("wide_um", "zoom"), [(4.0, 3.0), (20.0, 1.6), (90.0, 1.0)])
def test_the_ring_about_a_place_fits_into_its_panel(wide_um: float, zoom: float) -> None:
    layer = Layer("light", np.zeros((4, 80, 90), np.float32), (1.0, 0.5, 0.5))
    region = Region((2.0, 20.0, 20.0), (2, 40, 40), wide_um, 1.0, "")
    assert trusting._place(region, layer, None).zoom == zoom
