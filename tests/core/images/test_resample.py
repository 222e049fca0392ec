"""Resizing is that of the published code, whatever is computed faster."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from labelfree_core.errors import ImageError
from labelfree_core.images.resample import resize_published, resize_shape, resize_to


@pytest.mark.parametrize(
    ("shape", "factors"),
    [
        ((5, 62, 92), (1, 0.37241, 0.37241)),
        ((4, 33, 40), (1, 0.29655, 0.5931)),
        ((7, 20, 31), (1.7, 0.5, 2.3)),
        ((2, 17, 1), (3, 0.4, 1)),
        ((48, 64), (0.37241, 1.5)),
    ],
)
def test_resize_equals_scipy_zoom_of_third_order(shape, factors):
    voxels = np.random.default_rng(0).normal(size=shape)
    expected = ndimage.zoom(voxels, factors, order=3, mode="nearest")
    now = resize_published(voxels, factors)
    assert now.dtype == np.float32
    # Float32 sums of 23 weights; measured 1e-6.
    np.testing.assert_allclose(now, expected, atol=1e-5)


def test_camera_offset_costs_no_precision():
    voxels = 60_000 + np.random.default_rng(0).normal(size=(3, 40, 40))
    expected = ndimage.zoom(voxels, (1, 0.4, 0.4), order=3, mode="nearest")
    np.testing.assert_allclose(resize_published(voxels, (1, 0.4, 0.4)), expected, atol=0.01)


@given(
    height=st.integers(2, 40), width=st.integers(2, 40), down=st.floats(0.2, 3.0), across=st.floats(0.2, 3.0)
)
def test_any_shape_and_factor_gives_the_shape_and_values_of_scipy(height, width, down, across):
    plane = np.random.default_rng(height * 41 + width).uniform(0, 1, (height, width))
    before = plane.copy()
    now = resize_published(plane, (down, across))
    np.testing.assert_array_equal(plane, before)
    if min(round(height * down), round(width * across)) >= 1:
        expected = ndimage.zoom(plane, (down, across), order=3, mode="nearest")
        np.testing.assert_allclose(now, expected, atol=1e-5)


def test_a_constant_image_stays_constant():
    np.testing.assert_allclose(
        resize_published(np.full((4, 30, 30), 37, np.uint8), (1, 0.3, 2)), 37, rtol=1e-6
    )


@pytest.mark.parametrize("order", [1, 3])
def test_there_and_back_gives_the_exact_shape_and_nearly_the_image(order):
    y, x = np.mgrid[:61, :47]
    smooth = np.sin(y / 15) + np.cos(x / 12)
    back = resize_shape(resize_published(smooth, (0.5, 0.5)), (61, 47), order=order)
    assert back.shape == (61, 47)
    assert np.corrcoef(back.ravel(), smooth.ravel())[0, 1] > 0.999


def test_resize_to_goes_from_one_voxel_size_to_another():
    voxels, factors = resize_to(np.zeros((10, 62, 92), np.uint16), (0.29, 0.108, 0.108), (0.29, 0.29, 0.29))
    assert voxels.shape == (10, 23, 34)
    assert factors == pytest.approx((1, 0.37241, 0.37241), abs=1e-5)


@pytest.mark.parametrize("factors", [(1, 0), (1, -1), (1, float("nan")), (1,), (1, 2, 3)])
def test_impossible_factors_are_refused(factors):
    with pytest.raises(ImageError, match="one positive factor is needed"):
        resize_published(np.zeros((4, 4)), factors)


def test_impossible_sizes_and_shapes_are_refused():
    with pytest.raises(ImageError, match="one positive size in micrometres"):
        resize_to(np.zeros((4, 4)), (0.1, 0), (0.29, 0.29))
    with pytest.raises(ImageError, match="one length"):
        resize_shape(np.zeros((4, 4)), (4, 0))
