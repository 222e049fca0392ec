"""What was found in a file, and what a person makes of it: remembered choices, an estimated pixel size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from labelfree_core.images.stack import ImageStack
from labelfree_core.images.writing import encode_channels
from pages.components import cached
from pages.components.session import Opened
from tests.pages.conftest import words

Open = Callable[..., AppTest]
SHAPE = (6, 200, 260)
NUCLEUS_PX = 40.0


def nuclei() -> np.ndarray:
    """Round nuclei of 40 pixels: 0.3 um a pixel, if they are 12 um across."""
    _, y, x = np.indices(SHAPE)
    stain = np.full(SHAPE, 200, np.uint16)
    for centre in ((40, 40), (40, 130), (45, 215), (140, 50), (150, 140), (150, 220)):
        stain[np.hypot(y - centre[0], x - centre[1]) < NUCLEUS_PX / 2] = 4000
    return stain + np.random.default_rng(0).integers(0, 40, SHAPE, dtype=np.uint16)


def upload(
    app: AppTest, name: str, channels: dict[str, np.ndarray], size: tuple[float, ...] | None
) -> Opened:
    data = encode_channels(channels, size)
    app.file_uploader[0].set_value((name, data, "image/tiff")).run()
    assert not app.exception
    return app.session_state["work"].image


def light(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(9000, 200, SHAPE).astype(np.uint16)


@pytest.mark.parametrize("size", [None, (1.0, 1.0, 1.0)])
def test_a_missing_or_improbable_size_is_estimated_from_nuclei_and_taken_on_a_click_only(
    open_app: Open, size: tuple[float, ...] | None
) -> None:
    app = open_app()
    image = upload(app, "a.ome.tif", {"Bright_100": light(), "DAPI": nuclei()}, size)
    assert image.voxel_size_um == size
    text = words(app)
    assert "Estimated from nucleus size: 0.29 µm a pixel" in text
    assert "taken to be 12 µm across; cells differ, so this is a guess" in text
    app = next(button for button in app.button if button.label == "Use 0.29 µm").click().run()
    assert not app.exception
    text = words(app)
    assert "Pixel size: an estimate" in text
    shown = [box.value for box in app.number_input if "µm" in box.label]
    assert shown[1:] == [0.29, 0.29]
    if size is None:  # nuclei say nothing about the distance of planes
        assert app.session_state["work"].image.voxel_size_um is None
        assert "Predicting needs the distance between planes" in text
        app = next(box for box in app.number_input if box.label == "Z (µm)").set_value(0.5).run()
        assert app.session_state["work"].image.voxel_size_um == (0.5, 0.29, 0.29)
        assert "Pixel size: an estimate" in words(app)
    else:
        assert app.session_state["work"].image.voxel_size_um == (1.0, 0.29, 0.29)
    app = next(box for box in app.number_input if box.label == "X (µm)").set_value(0.2).run()
    assert "Pixel size: an estimate" not in words(app)


def test_a_good_size_is_not_questioned(open_app: Open) -> None:
    app = open_app()
    upload(app, "a.ome.tif", {"Bright_100": light(), "DAPI": nuclei()}, (0.3, 0.3, 0.3))
    assert "Estimated from nucleus size" not in words(app)


def test_without_nuclei_there_is_no_estimate_and_it_says_so(open_app: Open) -> None:
    app = open_app()
    upload(app, "a.ome.tif", {"Bright_100": light(), "EGFP": nuclei()}, None)
    assert "this file has none" in words(app)
    upload(app, "b.ome.tif", {"Bright_100": light(), "DAPI": light(1)}, None)
    assert "No separate nuclei were found" in words(app)


def test_labels_of_nuclei_serve_as_well(open_app: Open) -> None:
    from labelfree_core.analysis.objects import label

    app = open_app()
    labels = label(nuclei() > 2000).astype(np.uint16)
    upload(app, "a.ome.tif", {"Bright_100": light(), "SEG_DNA": labels}, None)
    assert "Estimated from nucleus size: 0.29 µm a pixel" in words(app)


def test_corrected_channels_are_used_for_the_next_file_of_the_kind_and_said(open_app: Open) -> None:
    app = open_app()
    unnamed = {"": light(), " ": nuclei()}
    first = upload(app, "a.ome.tif", unnamed, (0.3, 0.3, 0.3))
    assert "as you said" not in words(app)
    app = next(box for box in app.selectbox if box.label.startswith("Channel 1")).set_value("lamin B1").run()
    second = upload(app, "b.ome.tif", {"": light(5), " ": nuclei()}, (0.3, 0.3, 0.3))
    assert second.digest != first.digest
    assert second.observed == {1: "lamin B1"}
    assert "as you said for the last file of this kind" in words(app)


def test_another_kind_of_file_is_proposed_anew(open_app: Open) -> None:
    app = open_app()
    upload(app, "a.ome.tif", {"Bright_100": light(), "DAPI": nuclei()}, (0.3, 0.3, 0.3))
    next(box for box in app.selectbox if box.label.startswith("1:")).set_value("lamin B1").run()
    other = upload(app, "b.ome.tif", {"BF": light(), "DAPI": nuclei()}, (0.3, 0.3, 0.3))
    assert other.observed == {1: "DNA"}
    assert "as you said" not in words(app)


def test_a_corrected_axis_is_used_for_the_next_file_of_the_kind(open_app: Open, tmp_path: object) -> None:
    import io

    import tifffile

    def series(seed: int, planes: int) -> bytes:
        target = io.BytesIO()
        rng = np.random.default_rng(seed)
        voxels = rng.normal(9000, 200, (planes, 64, 80)).astype(np.uint16)
        tifffile.imwrite(target, voxels, imagej=True, metadata={"axes": "TYX"})
        return target.getvalue()

    app = open_app()
    app.file_uploader[0].set_value(("a.tif", series(0, 5), "image/tiff")).run()
    first = app.session_state["work"].image
    box = next(box for box in app.selectbox if box.label == "The file holds")
    wanted = "T" if "Z" in first.axes else "Z"
    box.set_value(wanted).run()
    corrected = app.session_state["work"].image.axes
    assert wanted in corrected
    assert corrected != first.axes
    app.file_uploader[0].set_value(("b.tif", series(1, 7), "image/tiff")).run()
    assert app.session_state["work"].image.axes == corrected
    assert "as you said for the last file of this kind" in words(app)


def test_a_corrected_region_is_used_for_the_next_file_of_the_kind(open_app: Open) -> None:
    from labelfree_core.analysis.objects import label

    labels = label(nuclei() > 2000).astype(np.uint16)
    cells = np.where(np.indices(SHAPE)[2] < 150, 1, 0).astype(np.uint16)
    labels = np.where(cells, labels, 0).astype(np.uint16)
    app = open_app()
    for seed, name in enumerate(("a.ome.tif", "b.ome.tif")):
        channels = {"Bright_100": light(seed), "SEG_DNA": labels, "SEG_Memb": cells}
        upload(app, name, channels, (0.3, 0.3, 0.3))
        work = app.session_state["work"]
        if seed == 0:
            assert work.region_of(1) == 2
            work.choose_region(1, None)
        assert work.region_of(1) is None


def test_every_channel_says_why_it_is_taken_for_what_and_how_sure_that_is(open_app: Open) -> None:
    app = open_app()
    upload(app, "a.ome.tif", {"Bright_100": light(), "": nuclei()}, (0.3, 0.3, 0.3))
    text = words(app)
    assert "its name is 'Bright\\_100'" in text
    assert "Sure \\(95%\\)" in text
    assert "a dark background with few bright places, as fluorescence gives" in text
    app = next(box for box in app.selectbox if box.label.startswith("Channel 1")).set_value("lamin B1").run()
    assert ":material/history: As you said." in words(app)


def test_a_size_that_can_hardly_be_is_questioned_when_it_is_typed(open_app: Open) -> None:
    app = open_app()
    upload(app, "a.ome.tif", {"Bright_100": light()}, (0.3, 0.3, 0.3))
    assert "Is that right?" not in words(app)
    for axis in "YX":
        app = next(box for box in app.number_input if box.label == f"{axis} (µm)").set_value(108.0).run()
    assert "if the number is in nm, it is 0.108 µm" in words(app)


def test_a_typed_size_is_used_for_the_next_file_of_the_kind_that_gives_none(open_app: Open) -> None:
    app = open_app()
    upload(app, "a.ome.tif", {"Bright_100": light()}, None)
    for axis, size in zip("ZYX", (0.5, 0.65, 0.65), strict=True):
        app = next(box for box in app.number_input if box.label == f"{axis} (µm)").set_value(size).run()
    second = upload(app, "b.ome.tif", {"Bright_100": light(1)}, None)
    assert second.voxel_size_um == (0.5, 0.65, 0.65)
    assert "Voxel size: as you typed for the last file of this kind" in words(app)
    third = upload(app, "c.ome.tif", {"Bright_100": light(2)}, (0.3, 0.3, 0.3))
    assert third.voxel_size_um == (0.3, 0.3, 0.3)
    assert "as you typed" not in words(app)


def test_what_the_doctor_found_has_a_picture(open_app: Open) -> None:
    app = open_app()
    shown = np.minimum(light(), 9050)
    upload(app, "a.ome.tif", {"Bright_100": shown}, (0.3, 0.3, 0.3))
    captions = [image.caption for element in app.get("image") for image in element.proto.imgs]
    assert any("In orange\\: cut off, 4" in caption for caption in captions)


def test_an_estimate_is_a_guess_with_a_range() -> None:
    from labelfree_core.images.voxelsize import estimate

    found = estimate(ImageStack(nuclei()))
    assert found is not None
    assert found.low_um < 0.3 < found.high_um


def test_the_kind_of_light_is_assumed_aloud_and_said_once(open_app: Open) -> None:
    app = open_app()
    first = upload(app, "a.ome.tif", {"": light()}, (0.3, 0.3, 0.3))
    assert (first.modality, first.light_assumed) == ("bright-field", True)
    assert "Bright-field is assumed" in words(app)
    assert "(bright-field, assumed)" in words(app)
    app = (
        next(box for box in app.selectbox if box.label == "The image shows").set_value("phase contrast").run()
    )
    assert "Bright-field is assumed" not in words(app)
    assert "(phase contrast)" in words(app)
    app = app.switch_page("pages/predict.py").run()
    assert not app.exception
    assert "yours is phase contrast" in words(app)
    app = app.switch_page("pages/start.py").run()
    second = upload(app, "b.ome.tif", {"": light(1)}, (0.3, 0.3, 0.3))
    assert (second.modality, second.light_assumed) == ("phase contrast", False)
    assert "as you said for the last file of this kind" in words(app)


def test_what_is_missing_is_named_beside_the_button_and_on_predict(open_app: Open) -> None:
    app = open_app()
    upload(app, "a.ome.tif", {"Bright_100": light()}, None)
    missing = "the voxel size in micrometres"
    assert f"First say {missing}" in words(app)
    assert next(button for button in app.button if button.label == "Go on to Predict").disabled
    assert f"needs to know {missing}." in words(app.switch_page("pages/predict.py").run())


def test_another_kind_of_light_chooses_the_model_that_was_made_for_it(
    open_app: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    (entry,) = cached.models(None)
    card = replace(entry.card, id="dna-phase-test-3d", modality="phase contrast")
    other = replace(entry, card=card, folder=entry.folder.with_name(card.id))
    monkeypatch.setattr(cached, "models", lambda work: (entry, other))
    app = open_app()
    upload(app, "a.ome.tif", {"": light()}, (0.3, 0.3, 0.3))
    app = app.switch_page("pages/predict.py").run()
    assert app.session_state["work"].chosen == ["dna-test-3d"]
    app = app.switch_page("pages/start.py").run()
    app = (
        next(box for box in app.selectbox if box.label == "The image shows").set_value("phase contrast").run()
    )
    app = app.switch_page("pages/predict.py").run()
    assert not app.exception
    assert app.session_state["work"].chosen == ["dna-phase-test-3d"]
    app = app.checkbox(key="model-dna-test-3d").check().run()
    app = app.checkbox(key="model-dna-phase-test-3d").uncheck().run()
    app = app.switch_page("pages/start.py").run().switch_page("pages/predict.py").run()
    assert app.session_state["work"].chosen == ["dna-test-3d"]  # what the person chose for it stays
