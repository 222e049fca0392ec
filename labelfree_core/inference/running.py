"""Runs a prepared image through an engine: tiles, progress, and a second try with less memory."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelfree_core.errors import PredictionError
from labelfree_core.inference.engine import Engine, Flight, OutOfMemory
from labelfree_core.inference.flying import overlapped
from labelfree_core.inference.layout import OVERHEAD, Layout, layout
from labelfree_core.inference.memory import give_back
from labelfree_core.inference.options import Progress, ProgressCallback
from labelfree_core.inference.tiles import Tile

_LOG = logging.getLogger(__name__)
_EVERY_S = 0.1


class Reporter:
    """
    Turns work done into progress, at most ten times a second.

    Parameters
    ----------
    callback : callable or None
        The person's; what it raises ends the prediction.
    low, high : float
        Share of the whole that this part fills.
    """

    def __init__(self, callback: ProgressCallback | None, low: float = 0.0, high: float = 1.0) -> None:
        self._callback, self._low, self._high = callback, low, high
        self._start = time.perf_counter()
        self._last = 0.0

    def part(self, low: float, high: float) -> Reporter:
        """Return a reporter for a share of this one."""
        width = self._high - self._low
        return Reporter(self._callback, self._low + low * width, self._low + high * width)

    def report(self, fraction: float, stage: str, seconds_left: float | None = None) -> None:
        """Pass on the fraction of this part; always the first time, then at most every 0.1 s."""
        now = time.perf_counter()
        if self._callback is None or now - self._last < _EVERY_S:
            return
        self._last = now
        whole = self._low + min(1.0, fraction) * (self._high - self._low)
        self._callback(Progress(whole, seconds_left, stage))

    def working(self, total_flops: int, stage: str) -> Callable[[int], None]:
        """Return a callback for the engine that counts its work up to *total_flops*."""
        done, begun = 0, time.perf_counter()

        def on_work(flops: int) -> None:
            nonlocal done
            done += flops
            fraction = min(1.0, done / max(1, total_flops))
            elapsed = time.perf_counter() - begun
            # The first convolutions say little about the others.
            left = elapsed * (1 - fraction) / fraction if elapsed > 0.5 and fraction > 0 else None
            self.report(fraction, stage, left)

        return on_work


@dataclass(frozen=True, slots=True)
class Run:
    """The result on the padded grid, how it was run, and how often memory ran out before."""

    voxels: npt.NDArray[np.float32]
    layout: Layout
    retries: int


def run(
    engine: Engine,
    image: npt.NDArray[np.float32],
    allowed: int,
    *,
    tile: tuple[int, ...] | None = None,
    reporter: Reporter | None = None,
) -> Run:
    """
    Run a padded image, in as many pieces as the memory asks for.

    Parameters
    ----------
    engine : Engine
    image : float32 array, shape (Z, Y, X) or (Y, X)
        Sizes are multiples of the engine's divisor; with a network of planes Z is free.
    allowed : int
        Bytes of working memory; halved whenever an allocation fails all the same.
    tile : tuple of int, optional
        Largest tile.
    reporter : Reporter, optional
        Hears of the progress.

    Raises
    ------
    PredictionError
        If the memory does not suffice for the smallest tile.
    """
    retries = 0
    reporter = reporter or Reporter(None)
    while True:
        planned = layout(engine, image.shape, allowed, tile)
        begun = time.perf_counter()
        try:
            result = _run_tiles(engine, image, planned, reporter)
        except OutOfMemory:
            give_back(engine.device)
            retries += 1
            # The part that does not shrink with the tile is left out of the halving.
            allowed = OVERHEAD + (min(allowed, planned.peak_bytes) - OVERHEAD) // 2
            _LOG.info("allocation failed", extra={"retries": retries, "allowed_bytes": allowed})
            continue
        engine.learn(planned.flops, planned.pieces, time.perf_counter() - begun)
        return Run(result, planned, retries)


def _run_tiles(
    engine: Engine, image: npt.NDArray[np.float32], planned: Layout, reporter: Reporter
) -> npt.NDArray[np.float32]:
    total = np.zeros(image.shape, np.float32)
    pieces = planned.pieces
    on_work = reporter.working(planned.flops, "Predicting" if pieces == 1 else f"Predicting {pieces} pieces")
    planes = planned.repeats > 1 or image.ndim > engine.ndim
    pairs = zip(image, total, strict=True) if planes else [(image, total)]
    jobs = ((source, target, tile) for source, target in pairs for tile in planned.tiles)

    def start(job: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], Tile]) -> Flight:
        source, _, tile = job
        return engine.start(source[tile.read], how=planned.how, on_work=on_work)

    for (_, target, tile), result in overlapped(jobs, start, engine.finish, most=engine.tiles_in_flight):
        tile.add(target, result)
    if not np.isfinite(total).all():
        raise PredictionError(
            "The network gave values that are no numbers: its weights are damaged or belong to another "
            "network. Add the model again from its source, or choose another."
        )
    return total
