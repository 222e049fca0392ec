"""
How long a network will take on this machine, told before it runs.

Two short trials on one thread give a line: seconds for each piece of the image, and seconds for each
operation. They are timed by the processor time of their own thread, so that other programs, or threads
that wait for one another, don't make them longer. The first prediction corrects what is left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from labelfree_core.inference.engine import Engine

_FEW_FLOPS, _MANY_FLOPS = 4e8, 8e9  # milliseconds on a new processor, a second on a slow one
# Each further thread shares memory with the others; 1.9 times the speed with two, 5.9 with eight.
_THREAD_LOSS = 0.05
# A prediction beside other programs says little about the next one on an idle machine.
_LEAST_CORRECTION, _MOST_CORRECTION = 0.5, 2.0


@dataclass(frozen=True, slots=True)
class Pace:
    """What a network costs: ``seconds_a_piece`` of the image, and ``seconds_a_flop``."""

    seconds_a_piece: float
    seconds_a_flop: float

    def seconds(self, flops: float, pieces: int = 1) -> float:
        """Time for *flops* operations in so many pieces."""
        return pieces * self.seconds_a_piece + flops * self.seconds_a_flop

    def corrected(self, expected: float, found: float) -> Pace:
        """Return the pace after a prediction that took *found* seconds instead of *expected*."""
        factor = min(_MOST_CORRECTION, max(_LEAST_CORRECTION, found / max(expected, 1e-9)))
        return Pace(self.seconds_a_piece * factor, self.seconds_a_flop * factor)


def fit(few: tuple[float, float], many: tuple[float, float]) -> Pace:
    """
    Draw the line through two trials.

    Parameters
    ----------
    few, many : (operations, seconds)
        A small trial and a large one.

    Examples
    --------
    >>> fit((1e9, 0.3), (9e9, 1.1)).seconds(19e9)
    2.1
    """
    slope = (many[1] - few[1]) / (many[0] - few[0])
    if slope <= 0:  # the small one was disturbed: the large one alone says more
        return Pace(0.0, many[1] / many[0])
    return Pace(max(0.0, few[1] - slope * few[0]), slope)


def measure(engine: Engine, clock: Callable[[], float] | None = None) -> Pace:
    """
    Learn the pace of an engine from two small images of noise; a fraction of a second.

    Parameters
    ----------
    engine : Engine
    clock : callable, optional
        Seconds; by default the processor time of this thread, or true time where the work is
        done elsewhere than on the processor.
    """
    here = engine.device == "cpu"
    now = clock or (time.thread_time if here else time.perf_counter)
    shapes = _shapes(engine)
    points = []
    with _one_thread(here) as threads:
        for shape in (shapes[0], *shapes):  # the first one prepares the kernels and does not count
            image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
            start = now()
            engine.run(image)
            points.append((float(engine.cost(shape).flops), max(now() - start, 1e-6)))
    alone = fit(points[1], points[2])
    together = threads / (1 + _THREAD_LOSS * (threads - 1))
    return Pace(alone.seconds_a_piece / together, alone.seconds_a_flop / together)


def _shapes(engine: Engine) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return two sizes of a few planes: a small one, and one with several times its work."""
    shapes, flops = [], []
    for side in (32, 64, 128, 256, 512, 1024):
        sides = (8, side, side)[-engine.ndim :]
        shapes.append(tuple(-(-n // d) * d for n, d in zip(sides, engine.divisor, strict=True)))
        flops.append(engine.cost(shapes[-1]).flops)
        if flops[-1] >= _MANY_FLOPS and len(flops) > 1:
            break
    few = next((i for i, work in enumerate(flops[:-1]) if work >= _FEW_FLOPS), len(flops) - 2)
    return shapes[few], shapes[-1]


@contextmanager
def _one_thread(here: bool) -> Iterator[int]:
    """Run on one thread of the processor; gives the number of threads that predictions use."""
    threads = torch.get_num_threads()
    if not here:
        yield 1
        return
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)
