"""Observed and predicted on one grid and in one unit, by rules a person can follow."""

import numpy as np
import pytest
from scipy.ndimage import zoom

from labelfree_core.analysis.alignment import align_grids, comparable, match_affine
from labelfree_core.errors import ImageError
from labelfree_core.images.stack import ImageStack, Origin

FINE, COARSE = (0.29, 0.10833, 0.10833), (0.29, 0.29, 0.29)


def stack(
    shape: tuple[int, ...], size_um: tuple[float, ...] | None, units: str = "camera counts", seed: int = 0
) -> ImageStack:
    voxels = np.random.default_rng(seed).normal(500, 50, shape).astype(np.float32)
    return ImageStack(voxels, size_um, Origin("cells.tif"), units)


def test_equal_shapes_need_no_voxel_size() -> None:
    observed, predicted = stack((3, 20, 20), None), stack((3, 20, 20), None, seed=1)
    assert align_grids(observed, predicted) == (observed, predicted)


def test_the_observed_image_follows_the_tutorial_to_a_centre_crop_on_the_models_grid() -> None:
    observed, predicted = stack((17, 156, 231), FINE), stack((16, 48, 80), COARSE)
    before = observed.voxels.copy()
    aligned, _ = align_grids(observed, predicted)
    # the tutorial, step 4, by scipy itself: zoom, then crop from (n - crop) // 2
    resized = zoom(observed.voxels.astype(np.float64), (1, 58 / 156, 86 / 231), order=3, mode="nearest")
    assert resized.shape == (17, 58, 86)
    np.testing.assert_allclose(aligned.voxels, resized[0:16, 5:53, 3:83], rtol=1e-4)
    assert aligned.voxel_size_um == COARSE
    np.testing.assert_array_equal(observed.voxels, before)


def test_one_voxel_of_rounding_is_not_a_crop() -> None:
    observed, predicted = stack((3, 100, 100), (0.3, 0.1, 0.1)), stack((3, 34, 33), (0.3, 0.3, 0.3))
    assert align_grids(observed, predicted)[0].shape == (3, 34, 33)


def test_a_stack_of_one_plane_is_compared_with_a_plane() -> None:
    observed, predicted = align_grids(stack((1, 20, 20), FINE), stack((20, 20), FINE[1:]))
    assert observed.shape == predicted.shape == (20, 20)
    assert observed.voxel_size_um == FINE[1:]


@pytest.mark.parametrize(
    ("observed", "predicted", "match"),
    [
        (stack((3, 40, 40), None), stack((3, 20, 20), COARSE), "observed file has no full voxel size"),
        (stack((3, 40, 40), FINE), stack((3, 20, 20), None), "predicted file has no full voxel size"),
        (stack((3, 40, 40), FINE), stack((3, 40, 20), FINE), "not of the same field"),
        (stack((3, 20, 20), FINE), stack((3, 90, 90), FINE), "not of the same field"),
        (stack((3, 40, 40), FINE), stack((40, 40), FINE[1:]), "Choose one plane"),
    ],
)
def test_what_cannot_lie_on_one_grid_is_refused(
    observed: ImageStack, predicted: ImageStack, match: str
) -> None:
    with pytest.raises(ImageError, match=match):
        align_grids(observed, predicted)


def test_the_observed_image_is_z_scored_and_the_prediction_left_alone() -> None:
    predicted = stack((3, 20, 20), None, "z-score of the training stain", seed=1)
    pair = comparable(stack((3, 20, 20), None), predicted)
    assert pair.observed.mean() == pytest.approx(0, abs=1e-5)
    assert pair.observed.std() == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(pair.predicted, predicted.voxels)
    assert pair.notes == ()


def test_a_prediction_in_other_units_is_standardised_and_said_so() -> None:
    pair = comparable(stack((3, 20, 20), None), stack((3, 20, 20), None, seed=1))
    assert pair.predicted.std() == pytest.approx(1, abs=1e-5)
    assert "was standardised" in pair.notes[0]


def test_values_that_are_no_numbers_are_refused_by_role() -> None:
    broken = stack((3, 20, 20), None)
    broken.voxels[0, 0, 0] = np.inf
    with pytest.raises(ImageError, match=r"predicted image cells\.tif holds values that are not numbers"):
        comparable(stack((3, 20, 20), None), broken)


@pytest.mark.parametrize(("flat", "role"), [(0, "observed"), (1, "predicted")])
def test_flat_images_are_refused_by_role(flat: int, role: str) -> None:
    images = [stack((3, 20, 20), None), stack((3, 20, 20), None, seed=1)]
    images[flat] = images[flat].with_voxels(np.full((3, 20, 20), 9, np.uint16))
    with pytest.raises(ImageError, match=rf"Every voxel of the {role} image cells\.tif is 9"):
        comparable(*images)


def test_the_numbers_of_a_label_image_are_no_intensities() -> None:
    labels = np.zeros((3, 30, 30), np.uint16)
    labels[:, 2:10, 2:10], labels[:, 15:25, 15:25] = 1, 200
    pair = comparable(stack((3, 30, 30), None).with_voxels(labels), stack((3, 30, 30), None, seed=1))
    assert len(np.unique(pair.observed)) == 2
    assert "label image" in pair.notes[-1]


def test_the_affine_fit_is_the_least_squares_one() -> None:
    rng = np.random.default_rng(2)
    predicted = rng.normal(size=(4, 30, 30))
    observed = 120 * predicted + 900 + 30 * rng.normal(size=predicted.shape)
    found = match_affine(observed, predicted)
    gain, offset = np.polyfit(predicted.ravel(), observed.ravel(), 1)
    assert (found.gain, found.offset) == pytest.approx((gain, offset))
    np.testing.assert_allclose(found.voxels, gain * predicted + offset, rtol=1e-5)
    assert "for display only" in found.units


def test_a_flat_prediction_cannot_be_matched() -> None:
    with pytest.raises(ImageError, match="flat"):
        match_affine(np.arange(4.0), np.ones(4))
