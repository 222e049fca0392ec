"""
Plots as data: bars, a heat map or lines on two axes.

A page draws them to be looked at, and :func:`drawn` draws the same ones for a paper or a slide.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from labelfree_core.reports.drawing import WHITE, Box, Drawing, Line, Picture, Theme, Words, text_width
from labelfree_core.reports.figures import SEQUENTIAL, coloured

WIDTH_PT, HEIGHT_PT, SQUARE_PT = 360.0, 200.0, 300.0
TEXT_PT = 9.0
LEFT_PT, RIGHT_PT, TOP_PT, BOTTOM_PT = 52.0, 12.0, 14.0, 40.0
TICKS = 5


@dataclass(frozen=True, slots=True)
class Axis:
    """Title and ends of an axis; ``log`` counts in powers of ten."""

    title: str
    low: float
    high: float
    log: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """A histogram: one more edge than heights, and a colour (``#rrggbb``) for each bar."""

    edges: np.ndarray
    heights: np.ndarray
    colours: tuple[str, ...]
    label: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Heat:
    """Values on a grid that fills the axes, shape (y, x), the lowest y first."""

    values: np.ndarray
    colormap: str = SEQUENTIAL


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A line through points; ``label`` names it beside its last point."""

    x: np.ndarray
    y: np.ndarray
    colour: str
    label: str = ""
    dashed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Plot:
    """
    What a plot shows, whoever draws it.

    Parameters
    ----------
    x, y : Axis
    bars : tuple of Bars
    heat : Heat or None
    curves : tuple of Curve
    square : bool
        One unit of x is as long as one of y.
    """

    x: Axis
    y: Axis
    bars: tuple[Bars, ...] = ()
    heat: Heat | None = None
    curves: tuple[Curve, ...] = ()
    square: bool = False


def ticks(axis: Axis) -> list[float]:
    """
    Choose round places for the numbers on an axis.

    Examples
    --------
    >>> ticks(Axis("", -0.3, 1.1))
    [0.0, 0.5, 1.0]
    >>> ticks(Axis("", 1, 30000, log=True))
    [1.0, 10.0, 100.0, 1000.0, 10000.0]
    """
    if axis.log:
        first = math.ceil(math.log10(axis.low) - 1e-9)
        last = math.floor(math.log10(axis.high) + 1e-9)
        return [10.0**power for power in range(first, last + 1, 1 + (last - first) // TICKS)]
    raw = max(axis.high - axis.low, 1e-12) / TICKS
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= raw * (1 - 1e-9))
    first, last = math.ceil(axis.low / step - 1e-9), math.floor(axis.high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def drawn(plot: Plot, theme: Theme = WHITE) -> Drawing:
    """
    Draw a plot for a paper or a slide.

    Parameters
    ----------
    plot : Plot
    theme : Theme

    Returns
    -------
    drawing : Drawing
        360 points wide; give it to ``to_svg``, ``to_pdf`` or ``to_png``.
    """
    width, height = (SQUARE_PT, SQUARE_PT) if plot.square else (WIDTH_PT, HEIGHT_PT)
    sheet = Drawing(width, height, theme)
    frame = _Frame(plot, width - LEFT_PT - RIGHT_PT, height - TOP_PT - BOTTOM_PT)
    if plot.heat is None:
        _grid(sheet, frame)
    else:
        values = plot.heat.values[::-1]
        low, high = float(values.min()), float(values.max())
        shown = coloured(values, (low, high), plot.heat.colormap)
        sheet.items.append(Picture(LEFT_PT, TOP_PT, frame.width, frame.height, shown))
    for bars in plot.bars:
        _bars(sheet, frame, bars)
    for curve in plot.curves:
        _curve(sheet, frame, curve)
    _axes(sheet, frame)
    return sheet


@dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    """From the units of a plot to points on the sheet."""

    plot: Plot
    width: float
    height: float

    def x(self, value: float) -> float:
        return LEFT_PT + self.width * _share(value, self.plot.x)

    def y(self, value: float) -> float:
        return TOP_PT + self.height * (1 - _share(value, self.plot.y))


def _share(value: float, axis: Axis) -> float:
    """How far along the axis a value lies, kept inside."""
    low, high = axis.low, axis.high
    if axis.log:
        low, high = math.log10(low), math.log10(high)
        value = math.log10(value) if value > 0 else low
    return min(max((value - low) / max(high - low, 1e-12), 0.0), 1.0)


def _grid(sheet: Drawing, frame: _Frame) -> None:
    right = LEFT_PT + frame.width
    for value in ticks(frame.plot.y):
        at = frame.y(value)
        sheet.items.append(Line(((LEFT_PT, at), (right, at)), sheet.theme.faint, 0.5))


def _bars(sheet: Drawing, frame: _Frame, bars: Bars) -> None:
    floor = TOP_PT + frame.height
    sides = zip(bars.edges[:-1], bars.edges[1:], bars.heights, bars.colours, strict=True)
    for left, right, tall, colour in sides:
        top = frame.y(float(tall))
        if tall > 0 and top < floor:
            start = frame.x(float(left))
            sheet.items.append(Box(start, top, frame.x(float(right)) - start, floor - top, colour))


def _curve(sheet: Drawing, frame: _Frame, curve: Curve) -> None:
    points = tuple((frame.x(float(x)), frame.y(float(y))) for x, y in zip(curve.x, curve.y, strict=True))
    sheet.items.append(Line(points, curve.colour, 1.2, curve.dashed))
    if curve.label:
        x, y = points[-1]
        late = x + text_width(curve.label, TEXT_PT) + 3 > LEFT_PT + frame.width
        at, anchor = (x - 3, "end") if late else (x + 3, "start")
        sheet.items.append(Words(at, y + TEXT_PT, curve.label, curve.colour, TEXT_PT, anchor))


def _axes(sheet: Drawing, frame: _Frame) -> None:
    plot, ink = frame.plot, sheet.theme.ink
    left, floor, right = LEFT_PT, TOP_PT + frame.height, LEFT_PT + frame.width
    sheet.items.append(Line(((left, TOP_PT), (left, floor), (right, floor)), ink, 0.8))
    for value in ticks(plot.x):
        at = frame.x(value)
        sheet.items.append(Line(((at, floor), (at, floor + 3)), ink, 0.8))
        sheet.items.append(Words(at, floor + 13, number(value, plot.x), ink, TEXT_PT, "middle"))
    for value in ticks(plot.y):
        at = frame.y(value)
        sheet.items.append(Line(((left - 3, at), (left, at)), ink, 0.8))
        sheet.items.append(Words(left - 6, at + TEXT_PT / 3, number(value, plot.y), ink, TEXT_PT, "end"))
    middle = left + frame.width / 2, TOP_PT + frame.height / 2
    sheet.items.append(Words(middle[0], floor + 30, plot.x.title, ink, TEXT_PT, "middle"))
    sheet.items.append(Words(14, middle[1], plot.y.title, ink, TEXT_PT, "middle", upright=False))


def number(value: float, axis: Axis) -> str:
    """
    Write a number of an axis as short as it can be told apart.

    Examples
    --------
    >>> number(20000.0, Axis("", 1, 30000)), number(-0.5, Axis("", -1, 1))
    ('20k', '−0.5')
    """
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size * 10 or (axis.log and abs(value) >= size):
            return f"{value / size:g}{letter}"
    return f"{value:g}".replace("-", "−")
