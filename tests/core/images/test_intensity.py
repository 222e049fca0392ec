"""One scale for every camera."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from labelfree_core.errors import ImageError
from labelfree_core.images.intensity import check_voxels, mean_std, percentiles, standardise
from labelfree_core.images.shading import flatten
from labelfree_core.images.stack import ImageStack, Origin

DTYPES = st.sampled_from([np.uint8, np.int8, np.uint16, np.int16, np.int32, np.float32])


WHOLE = st.integers(0, 120)
REAL = st.floats(-9, 9, width=32)


@given(voxels=DTYPES.flatmap(lambda d: hnp.arrays(d, (3, 5, 7), elements=REAL if d is np.float32 else WHOLE)))
def test_counting_gives_the_mean_std_and_percentiles_of_numpy(voxels):
    mean, std = mean_std(voxels)
    assert mean == pytest.approx(voxels.mean(dtype=np.float64), abs=1e-6)
    assert std == pytest.approx(voxels.std(dtype=np.float64), abs=1e-6)
    q = (0, 0.02, 25, 50, 99.8, 100)
    np.testing.assert_allclose(percentiles(voxels, q), np.percentile(voxels.astype(np.float64), q), atol=1e-5)


def test_negative_and_extreme_whole_numbers_are_counted_right():
    voxels = np.array([-32768, -1, 0, 32767], np.int16)
    assert mean_std(voxels)[0] == voxels.mean()
    assert percentiles(voxels, (0, 100)) == (-32768, 32767)


@given(gain=st.floats(0.5, 20), offset=st.floats(-100, 100))
def test_camera_gain_and_offset_do_not_matter(gain, offset):
    voxels = np.random.default_rng(0).integers(100, 4000, (3, 9, 8)).astype(np.float64)
    before = voxels.copy()
    np.testing.assert_allclose(standardise(gain * voxels + offset), standardise(voxels), atol=1e-4)
    np.testing.assert_array_equal(voxels, before)


def test_a_flat_image_is_advice():
    with pytest.raises(ImageError, match="shutter was closed"):
        standardise(np.full((2, 4, 4), 100, np.uint16))


def test_flatten_takes_shading_out_and_leaves_detail():
    y, x = np.mgrid[:200, :240]
    shade = 1000 * (1 - 0.5 * ((y - 100) ** 2 + (x - 120) ** 2) / 20_000)
    grain = 1 + 0.05 * np.random.default_rng(0).normal(size=shade.shape)
    flat = flatten(shade * grain, sigma_px=25)
    assert flat.dtype == np.float32
    middle = flat[20:-20, 20:-20]
    assert abs(middle[:40].mean() - middle[60:100].mean()) < 0.01
    assert np.corrcoef(middle.ravel(), grain[20:-20, 20:-20].ravel())[0, 1] > 0.97


@pytest.mark.parametrize("sigma_px", [5, 17, 40, 130])
def test_flatten_works_at_any_width_and_shape(sigma_px):
    flat = flatten(np.random.default_rng(0).poisson(1000, (2, 45, 67)).astype(np.uint16), sigma_px=sigma_px)
    assert flat.shape == (2, 45, 67)
    assert abs(flat.mean() - 1) < 0.02


@pytest.mark.parametrize("sigma_px", [0, -3, float("nan")])
def test_a_blur_of_no_width_is_refused(sigma_px):
    with pytest.raises(ImageError, match="width above 0"):
        flatten(np.ones((8, 8)), sigma_px=sigma_px)


@pytest.mark.parametrize(
    ("voxels", "words"),
    [
        (np.full((16, 16), np.nan, np.float32), "256 voxels without a number"),
        (np.where(np.eye(16) > 0, np.inf, 1.0), "16 voxels without a number"),
        (np.full((3, 16, 16), 7, np.uint8), "Every voxel of field.tif is 7"),
        (np.arange(1).reshape(1, 1), "1 x 1 pixels"),
    ],
)
def test_images_without_an_image_are_refused_in_a_sentence(voxels, words):
    with pytest.raises(ImageError, match=words):
        check_voxels(ImageStack(voxels, origin=Origin(name="field.tif")))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
@pytest.mark.parametrize("q", [(0.02, 99.8), (0, 100), (0.5, 1, 50, 99), (2.5, 97.5)])
def test_percentiles_of_large_images_are_exact_too(dtype: type, q: tuple[float, ...]) -> None:
    random = np.random.default_rng(0)
    for voxels in (random.normal(0, 1000, 400_001), np.r_[np.zeros(300_000), random.random(900)]):
        stored = voxels.astype(dtype).reshape(1, -1)
        np.testing.assert_allclose(percentiles(stored, q), np.percentile(stored.astype(float), q), rtol=1e-12)


def test_a_voxel_without_a_number_still_spoils_the_percentiles() -> None:
    voxels = np.ones(400_000, np.float32)
    voxels[12_345] = np.nan  # not where a sample would look
    assert np.isnan(percentiles(voxels, (0.02, 99.8))).all()


def test_pairs_of_8_bit_voxels_are_counted_like_single_ones() -> None:
    voxels = np.random.default_rng(0).integers(0, 256, 10_000, dtype=np.uint8)
    for part in (voxels, voxels[1:]):
        mean, spread = mean_std(part)
        assert (mean, spread) == pytest.approx((part.mean(), part.std()))
        np.testing.assert_allclose(standardise(part), (part - part.mean()) / part.std(), rtol=1e-5, atol=1e-6)
