"""
The tutorial's display rules against numbers obtained by another route.

The expected values are re-typed here from the rules in words (numpy sorting and histogram arithmetic
written out, no call into the package and none into scikit-image), on an image from a fixed seed.
"""

import numpy as np
import pytest

from labelfree_core.analysis.difference import differences
from labelfree_core.analysis.display import (
    GREEN,
    MAGENTA,
    limits,
    merge,
    picture,
    project,
    rescale,
    thumbnail,
)
from labelfree_core.analysis.masks import agreement, clip_to_mask, mask, otsu_threshold
from labelfree_core.errors import ImageError


def blobs(seed: int) -> np.ndarray:
    """A z-scored stack with two kinds of voxels."""
    rng = np.random.default_rng(seed)
    volume = rng.normal(0, 1, (6, 40, 50))
    volume[1:5, 8:24, 10:30] += 6
    return (volume - volume.mean()) / volume.std()


def percentile_by_sorting(values: np.ndarray, percent: float) -> float:
    """Linear interpolation between the two nearest ranks."""
    ordered = np.sort(values, axis=None)
    place = percent / 100 * (ordered.size - 1)
    below = int(np.floor(place))
    above = min(below + 1, ordered.size - 1)
    return float(ordered[below] + (place - below) * (ordered[above] - ordered[below]))


def otsu_by_hand(values: np.ndarray) -> float:
    """Largest variance between classes over 256 bins; the threshold is the centre of the last lower bin."""
    counts, edges = np.histogram(values, 256)
    centres = (edges[:-1] + edges[1:]) / 2
    best, threshold = -1.0, centres[0]
    for k in range(255):
        n0, n1 = counts[: k + 1].sum(), counts[k + 1 :].sum()
        if n0 == 0 or n1 == 0:
            continue
        m0 = (counts[: k + 1] * centres[: k + 1]).sum() / n0
        m1 = (counts[k + 1 :] * centres[k + 1 :]).sum() / n1
        between = float(n0) * float(n1) * (m0 - m1) ** 2
        if between > best * (1 + 1e-12):
            best, threshold = between, centres[k]
    return float(threshold)


@pytest.fixture
def observed() -> np.ndarray:
    return blobs(1)


@pytest.fixture
def predicted() -> np.ndarray:
    return 0.7 * blobs(1) + 0.3 * blobs(2)


def test_limits_are_the_0_02_and_99_8_percentiles_of_the_observed_stack(observed: np.ndarray) -> None:
    expected = percentile_by_sorting(observed, 0.02), percentile_by_sorting(observed, 99.8)
    assert limits(observed) == pytest.approx(expected, rel=1e-12)


def test_both_images_are_clipped_to_one_range_and_shown_by_maximum(
    observed: np.ndarray, predicted: np.ndarray
) -> None:
    lo, hi = limits(observed)
    expected = np.clip((predicted - lo) / (hi - lo), 0, 1).max(axis=0)
    np.testing.assert_allclose(project(rescale(predicted, (lo, hi))), expected, atol=1e-6)
    np.testing.assert_array_equal(picture(predicted, (lo, hi)), np.round(expected * 255))


def test_differences_share_the_percentiles_of_the_three_volumes_together(
    observed: np.ndarray, predicted: np.ndarray
) -> None:
    found = differences(observed, predicted)
    three = [observed - predicted, predicted - observed, abs(observed - predicted)]
    together = np.concatenate([volume.ravel() for volume in three])
    expected = percentile_by_sorting(together, 0.02), percentile_by_sorting(together, 99.8)
    assert found.limits == pytest.approx(expected, abs=1e-6)


def test_differences_are_shown_by_mean(observed: np.ndarray, predicted: np.ndarray) -> None:
    shown = differences(observed, predicted).projections()
    assert list(shown) == ["observed_minus_predicted", "predicted_minus_observed", "absolute"]
    np.testing.assert_allclose(shown["absolute"], abs(observed - predicted).sum(axis=0) / 6, atol=1e-6)
    np.testing.assert_allclose(
        shown["predicted_minus_observed"], (predicted - observed).mean(axis=0), atol=1e-6
    )


def test_otsu_is_three_dimensional_and_strict(observed: np.ndarray) -> None:
    threshold = otsu_threshold(observed)
    assert threshold == pytest.approx(otsu_by_hand(observed), abs=1e-9)
    np.testing.assert_array_equal(mask(observed), observed > threshold)
    assert not mask(np.array([1.0, 2.0]), 2.0).any()  # on the threshold is outside


def test_no_threshold_is_found_among_values_that_are_no_numbers() -> None:
    with pytest.raises(ImageError, match="not numbers"):
        otsu_threshold(np.array([1.0, np.nan, 2.0]))


def test_otsu_of_camera_counts_is_the_mask_of_the_z_scores(observed: np.ndarray) -> None:
    counts = np.round(observed * 500 + 5000).astype(np.uint16)
    z_scores = (counts - counts.mean(dtype=np.float64)) / counts.std(dtype=np.float64)
    np.testing.assert_array_equal(mask(counts), z_scores > otsu_by_hand(z_scores))


def test_each_image_has_its_own_threshold(observed: np.ndarray, predicted: np.ndarray) -> None:
    assert otsu_threshold(observed) != otsu_threshold(predicted)
    found = agreement(mask(observed), mask(predicted))
    a, b = observed > otsu_by_hand(observed), predicted > otsu_by_hand(predicted)
    assert found.dice == pytest.approx(2 * (a & b).sum() / (a.sum() + b.sum()))
    assert found.iou == pytest.approx((a & b).sum() / (a | b).sum())


def test_agreement_splits_the_union_in_three() -> None:
    found = agreement(np.array([1, 1, 0, 0], bool), np.array([1, 0, 1, 0], bool))
    assert [found.both.tolist(), found.missed.tolist(), found.extra.tolist()] == [
        [True, False, False, False],
        [False, True, False, False],
        [False, False, True, False],
    ]


def test_two_empty_masks_agree_on_nothing() -> None:
    nothing = np.zeros((2, 2), bool)
    assert np.isnan(agreement(nothing, nothing).dice)


def test_masks_of_different_shape_are_refused() -> None:
    with pytest.raises(ImageError, match="one grid"):
        agreement(np.zeros((2, 2), bool), np.zeros((2, 3), bool))


def test_clipping_sets_the_outside_to_the_minimum_and_finds_new_limits(
    observed: np.ndarray, predicted: np.ndarray
) -> None:
    inside = mask(predicted)
    clipped = clip_to_mask(observed, inside)
    expected = observed.copy()
    expected[~inside] = observed.min()
    np.testing.assert_array_equal(clipped.voxels, expected)
    assert clipped.limits == pytest.approx(
        (percentile_by_sorting(expected, 0.02), percentile_by_sorting(expected, 99.8))
    )
    assert clipped.limits != limits(observed)


def test_inputs_are_left_as_they_were(observed: np.ndarray, predicted: np.ndarray) -> None:
    before = observed.copy(), predicted.copy()
    differences(observed, predicted)
    clip_to_mask(observed, mask(predicted))
    picture(observed, limits(observed))
    thumbnail(observed)
    np.testing.assert_array_equal(observed, before[0])
    np.testing.assert_array_equal(predicted, before[1])


def test_a_flat_image_is_black_not_a_division_by_zero() -> None:
    flat = np.full((2, 3, 3), 7.0)
    assert not rescale(flat, limits(flat)).any()


def test_a_thumbnail_is_white_from_the_99th_percentile_of_its_projection() -> None:
    volume = np.random.default_rng(3).integers(0, 4000, (4, 30, 30)).astype(np.uint16)
    flat = volume.max(axis=0)
    top = percentile_by_sorting(flat, 99)
    expected = np.round(np.clip((flat - flat.min()) / (top - flat.min()), 0, 1) * 255)
    np.testing.assert_allclose(thumbnail(volume), expected, atol=1)


def test_a_single_plane_is_its_own_projection() -> None:
    plane = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(project(plane, "mean"), plane)


def test_side_views_flatten_the_other_axes() -> None:
    assert project(np.zeros((2, 3, 4)), axis=1).shape == (2, 4)
    assert project(np.zeros((2, 3, 4)), "mean", axis=2).shape == (2, 3)


def test_an_unknown_projection_is_a_bug() -> None:
    with pytest.raises(ValueError, match="'max' or 'mean'"):
        project(np.zeros((2, 2, 2)), "median")


def test_green_and_magenta_make_white_where_both_are() -> None:
    both = merge([(np.ones((1, 1)), GREEN), (np.ones((1, 1)), MAGENTA)])
    assert both.tolist() == [[[255, 255, 255]]]
