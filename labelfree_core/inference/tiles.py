"""
Overlapping tiles as data: what is read, what is kept, and how neighbours are blended.

Each tile keeps only voxels that lie at least a halo away from an edge where the image
goes on, and neighbours cross-fade over a ramp whose weights sum to exactly one. With a halo
as wide as the reach of the network, the blended result equals that of the whole image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
import numpy.typing as npt

from labelfree_core.errors import PredictionError

BLEND = 16  # voxels over which neighbours cross-fade; hides what a short halo leaves of an edge


@dataclass(frozen=True, slots=True)
class Span:
    """One tile along one axis: reads [start, stop), keeps [first, last), fades in and out."""

    start: int
    stop: int
    first: int
    last: int
    fade_in: int = 0
    fade_out: int = 0

    def weights(self) -> npt.NDArray[np.float32]:
        """Weight of each kept voxel, float32, shape (last - first,)."""
        weights = np.ones(self.last - self.first, np.float32)
        if self.fade_in:
            weights[: self.fade_in] = _rise(self.fade_in)
        if self.fade_out:
            # The complement of the neighbour's rise, so that the two sum to one exactly.
            weights[len(weights) - self.fade_out :] = 1 - _rise(self.fade_out)
        return weights


@dataclass(frozen=True, slots=True)
class Tile:
    """A box of the image: one :class:`Span` for each axis."""

    spans: tuple[Span, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels read, in the order of the axes."""
        return tuple(span.stop - span.start for span in self.spans)

    @property
    def read(self) -> tuple[slice, ...]:
        """Where in the image the network looks."""
        return tuple(slice(span.start, span.stop) for span in self.spans)

    @property
    def keep(self) -> tuple[slice, ...]:
        """Where in the image the result counts."""
        return tuple(slice(span.first, span.last) for span in self.spans)

    @property
    def inner(self) -> tuple[slice, ...]:
        """:attr:`keep`, counted from the corner of the tile."""
        return tuple(slice(span.first - span.start, span.last - span.start) for span in self.spans)

    def add(self, total: npt.NDArray[np.float32], result: npt.NDArray[np.float32]) -> None:
        """
        Blend the result of this tile into *total*, in place.

        Parameters
        ----------
        total : float32 array, shape of the image
            The sum so far.
        result : float32 array, shape of the tile
            What the network gave for :attr:`read`.
        """
        kept = result[self.inner]
        for axis, span in enumerate(self.spans):
            if span.fade_in or span.fade_out:
                column = (-1,) + (1,) * (len(self.spans) - 1 - axis)
                kept = kept * span.weights().reshape(column)
        total[self.keep] += kept


def plan(
    shape: tuple[int, ...], *, tile: tuple[int, ...], halo: tuple[int, ...], divisor: tuple[int, ...]
) -> tuple[Tile, ...]:
    """
    Cover an image with overlapping tiles of equal size.

    Parameters
    ----------
    shape : tuple of int
        Voxels of the padded image, multiples of *divisor*.
    tile : tuple of int
        Largest tile; an axis that fits is not cut.
    halo : tuple of int
        Context in voxels that is computed and thrown away at each cut.
    divisor : tuple of int
        Tiles begin and end at multiples of this.

    Returns
    -------
    tiles : tuple of Tile
        In the order of the axes. Their weights sum to one at every voxel.

    Raises
    ------
    PredictionError
        If a tile is too small for its halo.

    Examples
    --------
    >>> [t.read for t in plan((96,), tile=(64,), halo=(8,), divisor=(8,))]
    [(slice(0, 64, None),), (slice(32, 96, None),)]
    """
    axes = [_spans(n, t, h, d) for n, t, h, d in zip(shape, tile, halo, divisor, strict=True)]
    return tuple(Tile(spans) for spans in product(*axes))


def smallest(halo: int, divisor: int) -> int:
    """Voxels of the smallest useful tile along an axis; its two ramps must not meet."""
    return up_to_multiple(2 * halo + BLEND, divisor) + up_to_multiple(2 * BLEND, divisor)


def up_to_multiple(size: int, divisor: int) -> int:
    """Return the smallest multiple of *divisor* that is at least *size*."""
    return -(-size // divisor) * divisor


def _rise(width: int) -> npt.NDArray[np.float32]:
    return ((np.arange(width, dtype=np.float32) + 0.5) / width).astype(np.float32)


def _spans(size: int, tile: int, halo: int, divisor: int) -> list[Span]:
    if tile >= size:
        return [Span(0, size, 0, size)]
    tile = tile // divisor * divisor
    overlap = up_to_multiple(2 * halo + BLEND, divisor)
    if tile < smallest(halo, divisor):
        raise PredictionError(
            f"Tiles of {tile} voxels are too small for a network that needs {halo} voxels of context on each "
            f"side; it needs {smallest(halo, divisor)} or more. Allow more memory or larger tiles."
        )
    count = math.ceil((size - overlap) / (tile - overlap))
    # As many tiles as needed, none larger than needed: all get the same size.
    tile = up_to_multiple(math.ceil((size - overlap) / count) + overlap, divisor)
    starts = [i * (size - tile) // (count - 1) // divisor * divisor for i in range(count)]
    cuts = [(nxt + (here + tile)) // 2 for here, nxt in pairwise(starts)]
    spans = []
    for i, start in enumerate(starts):
        first = cuts[i - 1] - BLEND // 2 if i > 0 else 0
        last = cuts[i] + BLEND // 2 if i < count - 1 else size
        fade_in, fade_out = BLEND * (i > 0), BLEND * (i < count - 1)
        spans.append(Span(start, start + tile, first, last, fade_in, fade_out))
    return spans
