"""Improbable sizes are questioned, unlike ones warned of, and hopeless ones refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from labelfree_core.errors import ImageError
from labelfree_core.images.stack import ImageStack
from labelfree_core.images.voxelsize import estimate, judge, plausible

MODEL = (0.29, 0.29, 0.29)


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ((0, 0.1, 0.1), "is no size"),
        ((float("nan"), 0.1), "is no size"),
        ((None, 0.1, 0.1), "is no size"),
        ((1.0, 1.0, 1.0), "exactly 1 um"),
        ((25400.0, 25400.0), "coarser than any microscope"),
        ((352.7777, 352.7777), "72 dots per inch"),
        ((0.00029, 0.000108, 0.000108), "in mm, it is 0.108 um"),
        ((108.0, 108.0), "in nm, it is 0.108 um"),
        ((0.1, 0.3), "not square"),
        ((20.0, 0.1, 0.1), "planes 20 um apart"),
        ((0.29, 0.108, 0.108), ""),
        ((0.65, 0.65), ""),
    ],
)
def test_an_improbable_size_is_questioned_by_its_likely_cause(size, words):
    doubt = plausible(size)
    assert (words in doubt) if words else doubt == ""


@pytest.mark.parametrize(
    ("size", "level", "words"),
    [
        ((0.29, 0.29, 0.29), "ok", "as this model was trained"),
        ((0.29, 0.162, 0.162), "ok", "is resampled"),
        ((0.29, 0.108, 0.108), "warning", "resampled 2.7 times"),
        ((0.29, 0.07, 0.07), "severe", "4.1 times off"),
        ((1.3, 0.29, 0.29), "severe", "4.5 times off"),
        ((0.162, 0.162), "ok", "Your pixels are 0.162 um, this model was trained at 0.29 um"),
        (None, "severe", "not known"),
        ((None, 0.1, 0.1), "severe", "not known"),
        ((0.0, 0.1, 0.1), "severe", "can't be right"),
        ((0.29, 0.2, 0.4), "warning", "not square"),
    ],
)
def test_a_size_is_judged_against_the_model(size, level, words):
    finding = judge(size, MODEL)
    assert finding.level == level
    assert words in finding.what
    assert finding.level == "ok" or (finding.effect and finding.advice)


@given(factor=st.floats(0.05, 20))
def test_beyond_twice_warns_and_beyond_four_times_refuses_either_way(factor):
    level = judge((0.29 * factor,) * 2, (0.29, 0.29)).level
    off = max(factor, 1 / factor)
    if off > 4.001:
        assert level == "severe"
    elif 2.001 < off < 3.999:
        assert level == "warning"
    elif off < 1.999:
        assert level == "ok"


def test_a_model_without_a_size_is_only_noted():
    assert judge((0.1, 0.1), None).level == "note"


def test_the_pixel_size_is_guessed_from_nuclei():
    random = np.random.default_rng(0)
    y, x = np.mgrid[:400, :400]
    nuclei = sum((np.hypot(y - cy, x - cx) < 20) for cy in range(50, 400, 100) for cx in range(50, 400, 100))
    plane = random.poisson(100 + 900 * ndimage.gaussian_filter(nuclei.astype(float), 2)).astype(np.uint16)
    guess = estimate(ImageStack(plane))
    # 12 um across 40 pixels.
    assert guess.pixel_um == pytest.approx(0.3, rel=0.1)
    assert guess.low_um < guess.pixel_um < guess.high_um
    assert "guess" in guess.reason


def test_no_nuclei_no_guess():
    assert estimate(ImageStack(np.random.default_rng(0).poisson(100, (128, 128)))) is None
    with pytest.raises(ImageError, match="diameter in micrometres"):
        estimate(ImageStack(np.zeros((8, 8))), nucleus_um=0)


@pytest.mark.parametrize("seed", range(5))
def test_there_are_no_nuclei_in_noise(seed):
    voxels = np.random.default_rng(seed).normal(9000, 200, (4, 256, 256)).astype(np.uint16)
    assert estimate(ImageStack(voxels)) is None
    assert estimate(ImageStack(voxels[0])) is None
