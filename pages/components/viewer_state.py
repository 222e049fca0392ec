"""What somebody looks at in the viewer, as a value that the session can keep."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TypeVar

MODES = ("side", "blink", "swipe", "blend", "merge", "difference", "threshold", "3d")
PROJECTIONS = ("plane", "max", "mean")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Measured:
    """
    How two masks agree by the original values, as the page found it.

    Parameters
    ----------
    dice, iou : float
        NaN where neither mask holds anything.
    threshold, threshold_observed : float
        That the masks were made with, in the units of the predicted and of the observed layer.
    """

    dice: float
    iou: float
    threshold: float
    threshold_observed: float

    def for_browser(self) -> dict[str, float | None]:
        """Return the fields as JSON knows them: None where there is no number."""
        return {name: value if math.isfinite(value) else None for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class ViewState:
    """
    What somebody looks at, to be kept in the session and given back after a page change.

    Indices count voxels of the layers as given, however small they were sent to the browser.

    Parameters
    ----------
    z, t : int or None
        Plane and time point; None is the middle plane, the first time point.
    mode : str
        One of ``MODES``.
    threshold, threshold_observed : float or None
        Of the predicted (or only) and of the observed layer, in their units; None is Otsu's.
    zoom : float
        1 fits the panel.
    center, cursor : (y, x) or None
        Middle of the view, and the cross-hair.
    ring : float or None
        Diameter, in voxels along x, of a ring about the cross-hair that marks a place. The view then stays
        within the image until the person moves it. A request only: what is looked at never has one.
    projection : {"plane", "max", "mean"}
        Over ``z_range``, first and last plane included; None is the whole stack.
    sections : bool
        Whether XZ and YZ are shown.
    limits : tuple of (name, lo, hi)
        Contrast windows that were changed by hand.
    details : str
        JSON of what only the viewer itself needs to come back as it was.
    """

    z: int | None = None
    mode: str = "side"
    threshold: float | None = None
    threshold_observed: float | None = None
    t: int | None = None
    zoom: float = 1.0
    center: tuple[float, float] | None = None
    cursor: tuple[float, float] | None = None
    projection: str = "plane"
    z_range: tuple[int, int] | None = None
    sections: bool = False
    limits: tuple[tuple[str, float, float], ...] = ()
    details: str = ""
    ring: float | None = None

    @property
    def one_scale(self) -> bool:
        """Whether observed and predicted are shown between one pair of limits."""
        return bool(json.loads(self.details or "{}").get("linked"))

    def at_thresholds(self, *, observed: float | None, predicted: float | None) -> ViewState:
        """
        Return this view with other thresholds, so that a page's own sliders move the viewer's.

        The page gives it as ``state``; where the person moves a threshold in the viewer instead, the state
        that comes back has it, and the page takes it over.

        Examples
        --------
        >>> ViewState(z=3).at_thresholds(observed=1.0, predicted=0.5).threshold
        0.5
        """
        return replace(self, threshold=predicted, threshold_observed=observed)

    @classmethod
    def from_browser(cls, report: object, before: ViewState) -> ViewState:
        """Read what the browser reported; a field that makes no sense keeps its value from *before*."""
        if not isinstance(report, Mapping):
            return before
        old = asdict(before)

        def read(name: str, parse: Callable[[object], T]) -> T:
            try:
                return parse(report[name])
            except (KeyError, TypeError, ValueError):
                return parse(old[name])

        return cls(
            z=read("z", _whole),
            mode=read("mode", lambda value: _one_of(value, MODES)),
            threshold=read("threshold", _number),
            threshold_observed=read("threshold_observed", _number),
            t=read("t", _whole),
            zoom=read("zoom", _given),
            center=read("center", _pair),
            cursor=read("cursor", _pair),
            projection=read("projection", lambda value: _one_of(value, PROJECTIONS)),
            z_range=read("z_range", _range),
            sections=read("sections", bool),
            limits=read("limits", _windows),
            details=read("details", _details),
        )


def _given(value: object) -> float:
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        raise TypeError(f"{value!r} is not a finite number")
    return float(value)


def _number(value: object) -> float | None:
    return None if value is None else _given(value)


def _whole(value: object) -> int | None:
    return None if value is None else round(_given(value))


def _items(value: object, count: int | None = None) -> tuple[object, ...]:
    if not isinstance(value, (list, tuple)) or (count is not None and len(value) != count):
        raise TypeError(f"{value!r} is not a list of {count} items")
    return tuple(value)


def _pair(value: object) -> tuple[float, float] | None:
    if value is None:
        return None
    first, second = _items(value, 2)
    return _given(first), _given(second)


def _range(value: object) -> tuple[int, int] | None:
    pair = _pair(value)
    return None if pair is None else (round(pair[0]), round(pair[1]))


def _windows(value: object) -> tuple[tuple[str, float, float], ...]:
    windows = (_items(window, 3) for window in _items(value))
    return tuple((str(name), _given(low), _given(high)) for name, low, high in windows)


def _details(value: object) -> str:
    text = str(value)
    if text and not isinstance(json.loads(text), dict):
        raise ValueError(f"{text[:40]!r} is not a JSON object")
    return text


def _one_of(value: object, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(f"{value!r} is not one of {allowed}")
    return str(value)
