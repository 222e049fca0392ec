"""What the pages show at which brightness, where links lead, and what is said beside a score."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from labelfree_core.analysis.alignment import comparable
from labelfree_core.analysis.display import LEAST_Z_SPAN, limits, rescale
from labelfree_core.images.stack import ImageStack
from labelfree_core.images.writing import write_channels
from labelfree_core.inference.prediction import Prediction
from labelfree_core.models import card
from labelfree_core.models.card import ModelCard
from labelfree_core.models.entries import ModelEntry
from pages.components import comparing, masking, pointwise, session, showing, viewer
from pages.components.viewer_state import ViewState
from pages.components.words import intensity
from tests.pages.conftest import SIZE_UM, Worker, channels, prediction_for, press, words

Open = Callable[..., AppTest]
MODEL = "dna-test-3d"


def score_prediction(stack: ImageStack) -> Prediction:
    """Predict a score that runs from 0.1 to 0.6 only."""
    made = prediction_for(stack, MODEL, "DNA")
    low, high = made.voxels.min(), made.voxels.max()
    voxels = (0.1 + 0.5 * (made.voxels - low) / (high - low)).astype(np.float32)
    return replace(made, voxels=voxels, units="score of the segmentation: about 0 outside and 1 inside")


def test_a_score_is_black_at_0_and_white_at_1_whatever_it_reaches() -> None:
    light = ImageStack(channels()["Bright_100"], SIZE_UM)
    prediction = score_prediction(light)
    pair = comparable(ImageStack(channels()["H3342"], SIZE_UM), prediction.stack)
    observed, (black, white) = showing.windows(pair, prediction, shared=False)
    mean, spread = prediction.voxels.mean(dtype=np.float64), prediction.voxels.std(dtype=np.float64)
    assert observed == limits(pair.observed)
    assert black == pytest.approx((0 - mean) / spread, abs=1e-3)
    assert white == pytest.approx((1 - mean) / spread, abs=1e-3)
    assert showing.windows(pair, prediction, shared=True) == (observed, observed)


def test_compare_has_the_tutorials_one_scale_and_own_ones_a_click_away(predicted: Open) -> None:
    app = predicted("compare")
    assert "percentiles of the observed image" in words(app)
    choice = next(group for group in app.segmented_control if group.label == "Brightness")
    choice.set_value(False).run()
    assert not app.exception
    assert "Compare shapes, not brightness" in words(app)


def test_one_scale_chosen_in_the_viewer_is_the_pages_choice_too(
    predicted: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = predicted("compare")
    one = ViewState(details='{"linked": true}')
    news = [(one, replace(one, details='{"linked": false}'))]
    monkeypatch.setattr(comparing, "moved_in", lambda key: news.pop() if news else None)
    app.run()
    assert not app.exception
    assert next(group for group in app.segmented_control if group.label == "Brightness").value is False
    assert "Compare shapes, not brightness" in words(app)


def test_predictions_of_one_structure_are_told_apart_by_their_models(predicted: Open) -> None:
    app = predicted("predict")
    made = next(iter(app.session_state["work"].predictions.values()))
    others = [replace(made, model_id="b"), replace(made, model_id="c", structure="lamin B1")]
    first = f"{made.structure} ({made.model_id})"
    assert list(showing.called_apart([made, *others]).values()) == [
        first,
        f"{made.structure} (b)",
        "lamin B1",
    ]
    assert list(showing.called_apart([made]).values()) == [made.structure]


def test_a_result_that_the_settings_hide_is_not_lost_without_a_word(predicted: Open) -> None:
    app = predicted("predict")
    app.session_state["work"].grid = "model"
    app.run()
    assert not app.exception
    assert any("“My image's own voxels”" in box.value for box in app.info)


def test_an_empty_page_has_its_last_line_too(open_app: Open) -> None:
    assert "A prediction is a network's guess" in "".join(
        block.proto.body for block in open_app("compare").get("html")
    )


def test_the_open_image_is_measured_in_words(predicted: Open) -> None:
    said = words(predicted("predict"))
    assert re.search(r"\d+ planes, \d channels, \d+ × \d+ pixels \(y × x\)", said)
    assert "voxels of 0.29 × 0.29 × 0.29 µm (z × y × x)" in said


def test_a_score_is_compared_on_its_own_scale_by_default(predicted: Open) -> None:
    app = predicted("predict")
    work = app.session_state["work"]
    key, prediction = next(iter(work.predictions.items()))
    work.predictions[key] = score_prediction(prediction.stack)
    app.switch_page("pages/compare.py").run()
    assert not app.exception
    said = words(app)
    assert "where the model's score is 0 and 1" in said
    assert "(z-score)" in said


@pytest.mark.parametrize("units", ["z-score of the training stain", "score of the outline", "counts"])
@pytest.mark.parametrize("segmented", [False, True])
def test_the_text_names_the_windows_that_the_layers_have(
    units: str, segmented: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stain = channels()["H3342"]
    observed = ImageStack((stain > 1500).astype(np.uint8) if segmented else stain, SIZE_UM)
    prediction = replace(
        prediction_for(ImageStack(channels()["Bright_100"], SIZE_UM), MODEL, "DNA"), units=units
    )
    pair = comparable(observed, prediction.stack)
    monkeypatch.setattr(showing, "observed_channel", lambda work, made: 1)
    monkeypatch.setattr(showing.cached, "pair", lambda *about: pair)
    monkeypatch.setattr(showing.cached, "pair_key", lambda *about: ("a", "b"))
    monkeypatch.setattr(showing.cached, "result_id", lambda *about: "a")
    for shared in (True, False):
        shown = showing.pair_layers(session.Session(), prediction, name="DNA", shared=shared)
        said = comparing.scales(pair, prediction, shared=shared)
        for layer in shown:
            assert f"from {intensity(layer.limits[0])} to {intensity(layer.limits[1])}" in said
            assert layer.units == "z-score"
            assert "(z-score)" in said
        assert "-" not in said.replace("z-score", "")


def test_a_window_changed_in_the_viewer_is_the_one_that_is_named() -> None:
    light = ImageStack(channels()["Bright_100"], SIZE_UM)
    prediction = prediction_for(light, MODEL, "DNA")
    pair = comparable(ImageStack(channels()["H3342"], SIZE_UM), prediction.stack)
    moved = [("DNA, predicted", -0.25, 12.5)]
    said = comparing.scales(pair, prediction, shared=True, moved=moved)
    assert "predicted from −0.250 to 12.50 (z-score), as set in the viewer" in said


def test_an_almost_empty_prediction_is_not_stretched_to_full_contrast() -> None:
    light = ImageStack(channels()["Bright_100"], SIZE_UM)
    faint = prediction_for(light, MODEL, "DNA")
    spread = np.ptp(faint.voxels)
    faint = replace(faint, voxels=(-0.5 + 0.1 * faint.voxels / spread).astype(np.float32))
    pair = comparable(ImageStack(channels()["H3342"], SIZE_UM), faint.stack)
    low, high = showing.own_window(faint)
    assert high - low == pytest.approx(LEAST_Z_SPAN)
    assert rescale(faint.voxels, (low, high)).max() < 0.1
    _, mapped = showing.windows(pair, faint, shared=False)
    assert rescale(pair.predicted, mapped).max() == pytest.approx(
        rescale(faint.voxels, (low, high)).max(), abs=1e-3
    )


def test_a_full_prediction_keeps_its_own_percentiles() -> None:
    made = prediction_for(ImageStack(channels()["Bright_100"], SIZE_UM), MODEL, "DNA")
    made = replace(made, voxels=made.voxels * np.float32(10 / np.ptp(made.voxels)))
    assert showing.own_window(made) == limits(made.voxels)


@pytest.mark.parametrize("page", ["predict", "models"])
@pytest.mark.parametrize(("least", "said"), [(0.0, False), (1.0, True)])
def test_a_model_warns_in_amber_where_its_scores_on_real_images_are_low(
    open_app: Open, monkeypatch: pytest.MonkeyPatch, page: str, least: float, said: bool
) -> None:
    monkeypatch.setattr(card, "LEAST_USEFUL_R", least)
    app = open_app(page, sample="cells")
    assert not app.exception
    assert ("orange[:material/warning: Not useful on real images yet" in words(app)) is said


@pytest.mark.parametrize("page", ["compare", "masks"])
def test_a_link_that_names_a_model_predicts_what_the_page_needs(open_app: Open, page: str) -> None:
    app = open_app(page, sample="cells", model=MODEL, view="swipe", z="3")
    app.run()
    assert not app.exception
    assert app.metric


def test_a_link_to_an_unknown_model_shows_the_way_on(open_app: Open) -> None:
    app = open_app("compare", sample="cells", model="../no-such-model")
    assert not app.exception
    assert "Nothing is predicted yet" in words(app)


@pytest.mark.parametrize(("use", "said"), [("trained", True), ("part", True), ("not listed", False)])
def test_a_score_of_a_training_image_says_that_it_flatters(
    predicted: Open, monkeypatch: pytest.MonkeyPatch, use: str, said: bool
) -> None:
    monkeypatch.setattr(comparing, "training_use_of", lambda model, stack: use)
    app = predicted("compare")
    assert not app.exception
    assert any("the score flatters it" in warning.value for warning in app.warning) is said


def test_the_histogram_colours_what_the_mask_holds() -> None:
    edges = np.linspace(0.0, 4.0, 5)
    plot = masking.histogram((np.array([9, 5, 3, 1]), edges), (2.0, 1.0), "z-score")
    assert plot.bars[0].colours == (masking.BACKGROUND,) * 2 + (masking.OBJECT,) * 2
    assert [curve.label for curve in plot.curves] == ["threshold 2.00", "Otsu 1.00"]


def test_voxels_of_a_segmentation_are_plotted_inside_and_outside() -> None:
    light = ImageStack(channels()["Bright_100"], SIZE_UM)
    nuclei = ImageStack((channels()["H3342"] > 1500).astype(np.uint8), SIZE_UM)
    pair = comparable(nuclei, prediction_for(light, MODEL, "DNA").stack)
    plot, _ = pointwise.plot(("a", "b"), pair)
    outside, inside = plot.curves
    assert (outside.label, inside.label) == ("outside", "inside")
    assert inside.x[inside.y.argmax()] > outside.x[outside.y.argmax()]
    assert plot.heat is None


def test_a_segmentation_offers_no_threshold(open_app: Open, tmp_path: Path) -> None:
    made = channels()
    nuclei = (made["H3342"] > 1500).astype(np.uint16)
    path = tmp_path / "segmented.ome.tif"
    write_channels(path, {"Bright_100": made["Bright_100"], "SEG_DNA": nuclei}, SIZE_UM)
    app = open_app()
    app.file_uploader[0].set_value((path.name, path.read_bytes(), "image/tiff")).run()
    press(app.switch_page("pages/predict.py").run(), "Predict")
    app.switch_page("pages/masks.py").run()
    assert not app.exception
    assert len(app.slider) == 1
    assert "there is no threshold to choose" in words(app)


def test_the_list_proposes_the_model_that_was_made_for_its_images(open_app: Open, worker: Worker) -> None:
    from pages.components import batching

    work = open_app(sample="cells").session_state["work"]
    work.batch = [session.BatchItem("cells", work.image)]
    entries = [
        ModelEntry(
            ModelCard(name, name, "DNA", "bright-field", ndim, "fnet", voxel_size_um=SIZE_UM[:ndim]),
            Path(name),
        )
        for name, ndim in (("planes", 2), ("stacks", 3))
    ]
    assert [entry.card.id for entry in batching.best_first(work, entries)] == ["stacks", "planes"]


def test_a_threshold_moved_in_the_viewer_reaches_slider_scores_and_files(
    predicted: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = predicted("masks")
    assert not app.exception
    opened = float(app.slider[1].value)
    dice, low = app.metric[0].value, float(app.slider[0].value)
    asked = opened + 0.5
    before = ViewState().at_thresholds(observed=low, predicted=opened)
    news = [(before, before.at_thresholds(observed=low, predicted=asked))]
    monkeypatch.setattr(masking, "moved", lambda key: news.pop() if news else None)
    app.run()
    assert not app.exception
    assert app.slider[1].value == pytest.approx(asked)
    assert float(app.slider[0].value) == low
    assert app.metric[0].value != dice
    assert asked in app.session_state["work"].thresholds.values()
    app.run()  # no news: it stays, and the slider is free again
    assert app.slider[1].value == pytest.approx(asked)
    app.slider[1].set_value(opened).run()
    assert app.slider[1].value == pytest.approx(opened)
    news.append((before, before.at_thresholds(observed=low, predicted=None)))
    app.run()  # Otsu's threshold, asked for in the viewer
    assert not app.exception
    assert app.metric[0].value == dice
    assert app.session_state["work"].thresholds == {}


def test_only_a_newer_report_of_the_same_images_counts_as_a_move(monkeypatch: pytest.MonkeyPatch) -> None:
    known, report = ViewState(threshold=1.0), {"order": 2, "content": "here", "threshold": 1.0}
    memory = {"order": 2, "content": "here", "returned": known}
    state = {viewer._memory_key("a"): memory, "a": {"view": report}}
    monkeypatch.setattr(viewer.st, "session_state", state)
    assert viewer.moved("a") is None
    assert viewer.moved("another") is None
    report["threshold"] = 1.5
    assert viewer.moved("a") == (known, replace(known, threshold=1.5))
    for stale in ({"order": 1}, {"content": "there"}):
        state["a"] = {"view": report | stale}
        assert viewer.moved("a") is None


def test_a_model_card_opens_with_a_line_for_each_kind_of_images(open_app: Open) -> None:
    app = press(open_app("models"), "The whole card")
    assert not app.exception
    table = next(text.value for text in app.markdown if text.value.startswith("Images | "))
    assert "Pearson r" in table.splitlines()[0]
    assert re.search(r"unseen image.* \| .*\d\.\d\d", table.splitlines()[2])


def test_results_stand_in_the_order_of_the_cards(predicted: Open) -> None:
    app = predicted("predict")
    work = app.session_state["work"]
    key, made = next(iter(work.predictions.items()))
    work.predictions = {
        key._replace(model="deleted-since"): replace(made, model_id="deleted-since", structure="actin"),
        **work.predictions,
    }
    said = words(app.run())
    assert not app.exception
    assert said.index(f"**{made.structure}**") < said.index("**actin**")
