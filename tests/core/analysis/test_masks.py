"""Histograms of whole grey values: no comb that is not in the image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelfree_core.analysis.masks import whole_bins
from labelfree_core.images.intensity import standardise

BINS = 160


def camera(top: int, size: int = 60_000) -> np.ndarray:
    """Make an image with all grey values up to *top*, each about equally often."""
    return np.random.default_rng(3).permutation(np.arange(size) % (top + 1)).reshape(3, 100, -1)


@pytest.mark.parametrize("top", [100, 161, 255, 399, 1000])
def test_an_even_histogram_of_whole_numbers_stays_even_when_it_is_standardised(top: int):
    image = standardise(camera(top).astype(np.float32))
    between = float(image.min()), float(image.max())
    counts, _ = np.histogram(image, whole_bins(image, between, BINS))
    inner = counts[:-1]  # the last bin may reach beyond the brightest value
    assert inner.max() - inner.min() <= 0.02 * inner.max() + 60
    naive, _ = np.histogram(image, BINS, between)
    assert naive.max() - naive.min() > 3 * (inner.max() - inner.min())


@given(
    low=st.integers(0, 3000),
    span=st.integers(1, 4000),
    gain=st.floats(0.001, 50),
    offset=st.floats(-100, 100),
)
def test_the_bins_cover_what_is_asked_for_in_no_more_than_so_many(low, span, gain, offset):
    image = gain * (low + np.random.default_rng(0).integers(0, span + 1, (20, 50))) + offset
    between = float(image.min()), float(image.max())
    edges = whole_bins(image, between, BINS)
    assert 2 <= len(edges) <= BINS + 1
    assert edges[0] <= between[0] + 1e-6 * gain
    assert edges[-1] >= between[1] - 1e-6 * gain
    assert np.allclose(np.diff(edges), edges[1] - edges[0])


def test_numbers_that_lie_anywhere_get_even_bins():
    image = np.random.default_rng(0).normal(size=(30, 40))
    np.testing.assert_allclose(whole_bins(image, (-3.0, 3.0), BINS), np.linspace(-3, 3, BINS + 1))


def test_a_flat_image_has_bins_too():
    assert np.all(np.diff(whole_bins(np.full((4, 5), 7.0), (7.0, 7.0), BINS)) > 0)
