"""One thing that the file doctor found, in words for the person at the microscope."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Finding:
    """
    What was found, how bad it is, what it does to a prediction, and what to do.

    ``name`` is short and stable (``"saturation"``); ``level`` is ``"ok"``, ``"note"``, ``"warning"`` or
    ``"severe"``; ``what`` states the finding with its number, ``effect`` what it does to a prediction,
    ``advice`` what to do; ``planes`` are the z planes it is about, from 0.
    """

    name: str
    level: str
    what: str
    effect: str = ""
    advice: str = ""
    planes: tuple[int, ...] = ()


def graded(value: float, *, note: float, warning: float, severe: float) -> str:
    """
    Level of a value that is the worse the larger it is.

    Examples
    --------
    >>> graded(0.02, note=0.01, warning=0.05, severe=0.5)
    'note'
    """
    for level, limit in (("severe", severe), ("warning", warning), ("note", note)):
        if value >= limit:
            return level
    return "ok"


def median_from(limit: float, values: Iterable[float], count: int) -> float | None:
    """
    Median of *count* values; None where it is below a limit.

    No further value is asked for once the rest can't change that.

    Examples
    --------
    >>> median_from(2, [3, 5, 4], 3), median_from(2, iter([1, 1]), 3)
    (4.0, None)
    """
    seen: list[float] = []
    for value in values:
        seen.append(value)
        if sum(each < limit for each in seen) > count // 2:
            return None
    middle = float(np.median(seen))
    return None if middle < limit else middle
