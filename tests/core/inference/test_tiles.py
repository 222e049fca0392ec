"""Tiles cover the image exactly once, however it is cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelfree_core.errors import PredictionError
from labelfree_core.inference.tiles import plan, smallest

axes = st.tuples(
    st.integers(1, 40), st.sampled_from([1, 2, 4, 8, 16]), st.integers(0, 40), st.integers(0, 200)
)


def one_axis(case: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    blocks, divisor, halo, extra = case
    return blocks * divisor, smallest(halo, divisor) + extra, halo, divisor


@given(case=axes)
def test_weights_sum_to_one_at_every_voxel(case: tuple[int, int, int, int]) -> None:
    size, tile, halo, divisor = one_axis(case)
    total = np.zeros(size, np.float32)
    for piece in plan((size,), tile=(tile,), halo=(halo,), divisor=(divisor,)):
        piece.add(total, np.ones(piece.shape, np.float32))
    np.testing.assert_allclose(total, 1, atol=1e-6)


@given(case=axes)
def test_every_kept_voxel_has_its_halo_and_every_tile_the_same_size(case: tuple[int, int, int, int]) -> None:
    size, tile, halo, divisor = one_axis(case)
    tiles = plan((size,), tile=(tile,), halo=(halo,), divisor=(divisor,))
    for piece in tiles:
        (span,) = piece.spans
        assert span.start % divisor == 0
        assert span.stop % divisor == 0
        assert 0 <= span.start <= span.first < span.last <= span.stop <= size
        assert span.stop - span.start <= max(tile, size if tile >= size else 0)
        assert span.start == 0 or span.first - span.start >= halo
        assert span.stop == size or span.stop - span.last >= halo
    assert len({piece.shape for piece in tiles}) == 1


@given(seed=st.integers(0, 9), tile=st.integers(60, 80))
def test_blending_tiles_of_an_image_gives_the_image(seed: int, tile: int) -> None:
    image = np.random.default_rng(seed).normal(size=(3, 86, 90)).astype(np.float32)
    total = np.zeros_like(image)
    for piece in plan(image.shape, tile=(3, tile, tile), halo=(0, 4, 5), divisor=(1, 2, 2)):
        piece.add(total, image[piece.read])
    np.testing.assert_allclose(total, image, atol=1e-5)


def test_a_tile_smaller_than_its_halo_is_refused_with_the_size_that_works() -> None:
    with pytest.raises(PredictionError, match=r"needs 32 voxels of context.*112 or more"):
        plan((400,), tile=(64,), halo=(32,), divisor=(16,))
