"""What the pages show at which brightness, where links lead, and what is said beside a score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from labelfree_core.analysis.alignment import comparable
from labelfree_core.analysis.display import limits
from labelfree_core.images.stack import ImageStack
from labelfree_core.images.writing import write_channels
from labelfree_core.inference.prediction import Prediction
from labelfree_core.models.card import ModelCard
from labelfree_core.models.entries import ModelEntry
from pages.components import comparing, masking, session, showing
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


def test_a_score_is_compared_on_its_own_scale_by_default(predicted: Open) -> None:
    app = predicted("predict")
    work = app.session_state["work"]
    key, prediction = next(iter(work.predictions.items()))
    work.predictions[key] = score_prediction(prediction.stack)
    app.switch_page("pages/compare.py").run()
    assert not app.exception
    assert "predicted from 0 to 1 of its score" in words(app)


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
    plot, _ = comparing.voxel_plot(pair)
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
