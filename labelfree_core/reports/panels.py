"""Pictures side by side with titles, scale bar, colour bar and legend, for a paper or a slide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labelfree_core.analysis.display import Limits
from labelfree_core.reports.drawing import WHITE, Box, Drawing, Line, Picture, Theme, Words, text_width
from labelfree_core.reports.figures import SEQUENTIAL, coloured, scale_bar_um

PANEL_PT, GAP_PT, MARGIN_PT = 230.0, 12.0, 12.0
TITLE_PT, TEXT_PT = 11.0, 9.0


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One picture without a scale bar of its own: uint8, shape (Y, X) or (Y, X, 3), and its title."""

    pixels: np.ndarray
    title: str


@dataclass(frozen=True, slots=True)
class Bar:
    """The colour bar of all panels, with the word for its unit."""

    limits: Limits
    units: str
    colormap: str = SEQUENTIAL


def side_by_side(
    panels: Sequence[Panel],
    pixel_um: float | None,
    *,
    bar: Bar | None = None,
    legend: Sequence[tuple[str, str]] = (),
    theme: Theme = WHITE,
) -> Drawing:
    """
    Lay pictures in a row.

    Parameters
    ----------
    panels : sequence of Panel
        All of one shape.
    pixel_um : float or None
        Of the pictures; None draws no scale bar.
    bar : Bar, optional
    legend : sequence of (``#rrggbb``, word)
    theme : Theme

    Returns
    -------
    drawing : Drawing
    """
    tall, wide = panels[0].pixels.shape[:2]
    high = PANEL_PT * tall / wide
    foot, top = 30.0 if bar is not None or legend else 0.0, MARGIN_PT + TITLE_PT + 6
    width = len(panels) * (PANEL_PT + GAP_PT) - GAP_PT + 2 * MARGIN_PT
    sheet = Drawing(width, top + high + foot + MARGIN_PT, theme)
    for number, panel in enumerate(panels):
        left = MARGIN_PT + number * (PANEL_PT + GAP_PT)
        sheet.items.append(Words(left, MARGIN_PT + TITLE_PT, panel.title, theme.ink, TITLE_PT))
        sheet.items.append(Picture(left, top, PANEL_PT, high, panel.pixels))
        if pixel_um is not None:
            _scale_bar(sheet, (left + PANEL_PT, top + high), scale_bar_um(wide, pixel_um), pixel_um * wide)
    _colour_bar(sheet, top + high + 10, bar)
    _legend(sheet, top + high + 10, legend)
    return sheet


def _scale_bar(sheet: Drawing, corner: tuple[float, float], length_um: int, field_um: float) -> None:
    """Draw white on black, so that it is seen on any picture."""
    length, text = PANEL_PT * length_um / field_um, f"{length_um} µm"
    right, bottom = corner[0] - 8, corner[1] - 8
    half = max(length, text_width(text, TEXT_PT)) / 2 + 3
    middle = right - half + 3
    sheet.items += [
        Box(middle - half, bottom - 17, 2 * half, 21, "#000000"),
        Box(middle - length / 2, bottom - 2.5, length, 2.5, "#ffffff"),
        Words(middle, bottom - 6, text, "#ffffff", TEXT_PT, "middle"),
    ]


def _colour_bar(sheet: Drawing, top: float, bar: Bar | None) -> None:
    if bar is None:
        return
    ramp = coloured(np.linspace(*bar.limits, 256)[None], bar.limits, bar.colormap)
    length = min(240.0, sheet.width - 2 * MARGIN_PT)
    sheet.items.append(Picture(MARGIN_PT, top, length, 8, ramp))
    ends = zip(bar.limits, (MARGIN_PT, MARGIN_PT + length), ("start", "end"), strict=True)
    for value, at, anchor in ends:
        text = f"{value:.3g}".replace("-", "−")
        sheet.items.append(Words(at, top + 19, text, sheet.theme.ink, TEXT_PT, anchor))
    middle = MARGIN_PT + length / 2
    sheet.items.append(Words(middle, top + 19, bar.units, sheet.theme.ink, TEXT_PT, "middle"))


def _legend(sheet: Drawing, top: float, legend: Sequence[tuple[str, str]]) -> None:
    at = MARGIN_PT
    for colour, word in legend:
        edge = ((at, top), (at + 9, top), (at + 9, top + 9), (at, top + 9), (at, top))
        sheet.items += [
            Box(at, top, 9, 9, colour),
            Line(edge, sheet.theme.ink, 0.5),
            Words(at + 13, top + 8, word, sheet.theme.ink, TEXT_PT),
        ]
        at += 13 + text_width(word, TEXT_PT) + 16
