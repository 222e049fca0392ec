"""One thing that the file doctor found, in words for the person at the microscope."""

from __future__ import annotations

from dataclasses import dataclass


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
