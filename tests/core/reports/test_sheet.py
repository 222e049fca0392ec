"""Sheets are for people; a machine can check size, place, and that nothing is blurred."""

import io

import numpy as np
import pytest
from PIL import Image

from labelfree_core.images.stack import ImageStack, Origin
from labelfree_core.inference.prediction import Prediction
from labelfree_core.reports.figures import coloured, overlay, png, scale_bar_um, with_scale_bar, zoomed
from labelfree_core.reports.sheet import Tile, contact_sheet, result_sheet

SIZE_UM = (0.29, 0.2, 0.2)


def opened(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as found:
        return found.convert("RGB")


def prediction(shape: tuple[int, ...] = (4, 60, 90)) -> Prediction:
    voxels = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    return Prediction(
        voxels, SIZE_UM[-len(shape) :], "input", "DNA", "dna-test", "cd" * 32, Origin("cells.tif")
    )


def stack(seed: int, shape: tuple[int, ...] = (4, 60, 90)) -> ImageStack:
    voxels = np.random.default_rng(seed).integers(0, 4000, shape).astype(np.uint16)
    return ImageStack(voxels, SIZE_UM[-len(shape) :], Origin("cells.tif", "ab" * 32, 3, "Bright_100"))


@pytest.mark.parametrize("shape", [(4, 60, 90), (60, 90), (3, 200, 40)])
def test_a_result_with_stain_has_four_panels_and_without_two(shape: tuple[int, ...]) -> None:
    full = opened(result_sheet(stack(2, shape), prediction(shape), observed=stack(3, shape)))
    half = opened(result_sheet(stack(2, shape), prediction(shape)))
    assert full.width == half.width == 1592
    assert full.height > half.height


def test_a_simulated_image_is_longer_by_its_warning() -> None:
    seen = stack(2)
    simulated = ImageStack(seen.voxels, SIZE_UM, Origin("cells.tif", simulated=True))
    plain = ImageStack(seen.voxels, SIZE_UM, Origin("cells.tif"))
    heights = [opened(result_sheet(image, prediction())).height for image in (simulated, plain)]
    assert heights[0] > heights[1]


def test_eight_images_make_two_rows_of_four_in_reading_order() -> None:
    tiles = [Tile(np.full((50, 80), 20 + 25 * n, np.uint8), f"image {n}") for n in range(8)]
    page = np.asarray(opened(contact_sheet(tiles, cell_px=(80, 50))))
    step_x, step_y = 80 + 12, 50 + 26 + 12
    middles = [page[12 + 25 + r * step_y, 12 + 40 + c * step_x, 0] for r in range(2) for c in range(4)]
    assert middles == [20 + 25 * n for n in range(8)]


def test_an_empty_contact_sheet_is_a_page_not_a_crash() -> None:
    assert opened(contact_sheet([])).width > 0


def test_pictures_are_enlarged_without_new_grey_levels() -> None:
    picture = np.array([[0, 255], [255, 0]], np.uint8)
    assert np.unique(zoomed(picture, 101, 75)).tolist() == [0, 255]
    assert zoomed(np.zeros((300, 900), np.uint8), 90, 90).shape == (30, 90)


def test_a_scale_bar_is_as_long_as_it_says() -> None:
    length = scale_bar_um(500, 0.1)
    assert length == 10
    drawn = with_scale_bar(np.zeros((100, 500), np.uint8), 0.1)
    bottom_row = drawn[88, :, 0] == 255
    assert bottom_row.sum() == pytest.approx(length / 0.1, abs=1)


def test_no_voxel_size_no_scale_bar() -> None:
    assert not with_scale_bar(np.zeros((100, 500), np.uint8), None).any()


def test_overlay_colours_differ_for_missed_and_extra() -> None:
    shown = overlay(np.array([[1, 1, 0, 0]], bool), np.array([[1, 0, 1, 0]], bool))
    assert len({tuple(colour) for colour in shown[0].tolist()}) == 4


def test_zero_difference_is_neutral() -> None:
    middle = coloured(np.zeros((1, 1)), (-2.0, 2.0), "crameri:vik")[0, 0]
    assert np.ptp(middle.astype(int)) < 20
    assert middle.min() > 200


def test_png_keeps_every_pixel() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (7, 9, 3)).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(opened(png(picture))), picture)
