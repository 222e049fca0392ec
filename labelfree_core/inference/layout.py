"""Whole image, strips or tiles: the fastest way that fits the memory at hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labelfree_core.errors import PredictionError
from labelfree_core.inference.tiles import Tile, plan, smallest, up_to_multiple

if TYPE_CHECKING:
    from labelfree_core.inference.cost import Cost
    from labelfree_core.inference.engine import Engine
    from labelfree_core.inference.streaming import Streaming

# Context at a cut: the network's whole reach, so that tiles are exact, but for the published network,
# where what lies beyond 64 voxels changes the result by 2e-5 of its maximum and doubles the work.
# A trained compact network with 32 voxels missed by 14-31 % of the maximum (docs/performance.md), so that
# a short halo is the last resort where memory is too small for anything else.
PUBLISHED_HALO, LAST_HALO = 64, 32
# What the convolution library and a fragmented heap take beyond the activations, from the measured peaks.
OVERHEAD, _SAFETY = 128 * 2**20, 1.75
_SIDES = (768, 640, 512, 448, 384, 320, 256, 224, 192, 176, 160, 144, 128, 112, 96, 80, 64, 48, 32, 16)
_DEPTHS = (96, 64, 48, 32, 16, 8, 4, 1)


@dataclass(frozen=True, slots=True)
class Layout:
    """
    How an image will be run.

    ``tiles`` of one plane or volume, ``repeats`` planes, ``how`` the network streams, the
    ``halo`` at each cut, ``flops`` in total and ``peak_bytes`` of working memory.
    """

    tiles: tuple[Tile, ...]
    repeats: int
    how: Streaming
    halo: tuple[int, ...]
    flops: int
    peak_bytes: int

    @property
    def pieces(self) -> int:
        """How often the network runs."""
        return len(self.tiles) * self.repeats

    @property
    def exact(self) -> bool:
        """Whether nothing was cut."""
        return len(self.tiles) == 1


def layout(
    engine: Engine, shape: tuple[int, ...], allowed: int, tile: tuple[int, ...] | None = None
) -> Layout:
    """
    Plan how to run an image.

    Parameters
    ----------
    engine : Engine
        Knows its network, and what a run of some size costs.
    shape : tuple of int
        Padded image, (Z, Y, X) or (Y, X).
    allowed : int
        Bytes of working memory.
    tile : tuple of int, optional
        Largest tile; by default as large as fits.

    Raises
    ------
    PredictionError
        If even the smallest tile needs more memory.
    """
    repeats = shape[0] if len(shape) > engine.ndim else 1
    size = shape[-engine.ndim :]
    least = 0
    for limit in (PUBLISHED_HALO if engine.published else max(engine.halo), LAST_HALO):
        halo = tuple(min(h, limit) for h in engine.halo)
        for candidate in _candidates(engine, size, halo, tile):
            tiles = plan(size, tile=candidate, halo=halo, divisor=engine.divisor)
            for how in engine.choices:
                cost = engine.cost(tiles[0].shape, how)
                least = working_bytes(cost)
                if least <= allowed:
                    return Layout(tiles, repeats, how, halo, cost.flops * len(tiles) * repeats, least)
    raise PredictionError(
        f"Even the smallest piece of the image needs {least / 2**20:.0f} MB of working memory and "
        f"{allowed / 2**20:.0f} MB are allowed. Close other programs, or allow more memory."
    )


def working_bytes(cost: Cost) -> int:
    """Memory that a run really takes, for the activations that were counted."""
    return int(cost.peak_bytes * _SAFETY) + OVERHEAD


def _candidates(
    engine: Engine, size: tuple[int, ...], halo: tuple[int, ...], tile: tuple[int, ...] | None
) -> Iterator[tuple[int, ...]]:
    """Tile sizes from large to small; z is cut only after rows and columns can't shrink further."""
    low = [min(n, smallest(h, d)) for n, h, d in zip(size, halo, engine.divisor, strict=True)]
    top = list(size) if tile is None else [min(n, t) for n, t in zip(size, tile[-len(size) :], strict=True)]
    top = [
        max(lo, t // d * d) if t < n else n
        for lo, t, n, d in zip(low, top, size, engine.divisor, strict=True)
    ]
    yield tuple(top)
    seen = {tuple(top)}
    depths = [top[0], *(d for d in _DEPTHS if d < top[0])] if engine.ndim == 3 else [0]
    for depth in depths:
        sides = _SIDES if depth in (0, top[0]) else _SIDES[-1:]
        for side in sides:
            square = tuple(
                min(t, max(lo, up_to_multiple(side, d)))
                for t, lo, d in zip(top[-2:], low[-2:], engine.divisor[-2:], strict=True)
            )
            first = (max(low[0], up_to_multiple(depth, engine.divisor[0])),) if engine.ndim == 3 else ()
            candidate = (*(min(f, top[0]) for f in first), *square)
            if candidate not in seen:
                seen.add(candidate)
                yield candidate
