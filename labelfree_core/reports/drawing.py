"""A drawing of boxes, lines, words and pictures, written as SVG or PDF for a paper and as PNG for a slide."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image, ImageDraw

from labelfree_core.reports.figures import draw_words, png

# A PNG is drawn at twice its size and reduced, so that slanted lines are smooth.
OVERSAMPLING = 2
SLIDE_PX_PER_POINT = 4
SVG_FONTS = "'Source Sans 3', 'Source Sans Pro', Helvetica, Arial, sans-serif"
# Advance widths of Helvetica, which every PDF reader brings along, in thousandths of the size.
_WIDTHS = {
    191: "'",
    222: "ijl",
    260: "|",
    278: " !,./:;I[\\]ft",
    333: "()-`r",
    355: '"',
    469: "^",
    500: "Jcksvxyz",
    584: "+<=>~×",
    611: "FTZ",
    667: "&ABEKPSVXY",
    722: "CDHNRUw",
    778: "GOQ",
    833: "Mm",
    889: "%",
    944: "W",
    1015: "@",
}
_WIDTH = {letter: width for width, letters in _WIDTHS.items() for letter in letters}


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of paper and ink, ``#rrggbb``."""

    paper: str
    ink: str
    faint: str


WHITE = Theme("#ffffff", "#17242b", "#c3ced3")
DARK = Theme("#0f161a", "#e4edf0", "#42525b")


@dataclass(frozen=True, slots=True)
class Box:
    """A filled rectangle; lengths in points from the upper left corner."""

    x: float
    y: float
    width: float
    height: float
    fill: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points (x, y)."""

    points: tuple[tuple[float, float], ...]
    colour: str
    width: float = 1.0
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Words:
    """One line of text on its base line; ``anchor`` is start, middle or end."""

    x: float
    y: float
    text: str
    colour: str
    size: float = 9.0
    anchor: str = "start"
    upright: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """Pixels that stay pixels: uint8, shape (Y, X) or (Y, X, 3)."""

    x: float
    y: float
    width: float
    height: float
    pixels: np.ndarray


Item = Box | Line | Words | Picture


@dataclass(slots=True)
class Drawing:
    """
    Items on a sheet, the first at the bottom.

    Parameters
    ----------
    width, height : float, points of 1/72 inch
    theme : Theme
    items : list of Box, Line, Words and Picture
    """

    width: float
    height: float
    theme: Theme = WHITE
    items: list[Item] = field(default_factory=list)


def text_width(text: str, size: float) -> float:
    """
    Measure a line of text in Helvetica.

    Examples
    --------
    >>> round(text_width("10 µm", 10), 2)
    27.79
    """
    return sum(_WIDTH.get(letter, 556) for letter in text) * size / 1000


def to_svg(drawing: Drawing) -> str:
    """
    Write a drawing as SVG: text stays text, pictures lie inside.

    Examples
    --------
    >>> to_svg(Drawing(10, 10)).startswith("<svg")
    True
    """
    size = f"{drawing.width:g}", f"{drawing.height:g}"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]}pt" height="{size[1]}pt" '
        f'viewBox="0 0 {size[0]} {size[1]}" font-family="{SVG_FONTS}">'
    )
    paper = _svg(Box(0, 0, drawing.width, drawing.height, drawing.theme.paper))
    return "\n".join([head, paper, *(_svg(item) for item in drawing.items), "</svg>\n"])


def _svg(item: Item) -> str:
    if isinstance(item, Line):
        points = " ".join(f"{x:.2f},{y:.2f}" for x, y in item.points)
        dash = ' stroke-dasharray="3 2"' if item.dashed else ""
        ink = f'fill="none" stroke="{item.colour}" stroke-width="{item.width:g}"'
        return f'<polyline points="{points}" {ink}{dash}/>'
    if isinstance(item, Words):
        turn = "" if item.upright else f' transform="rotate(-90 {item.x:.2f} {item.y:.2f})"'
        return (
            f'<text x="{item.x:.2f}" y="{item.y:.2f}" font-size="{item.size:g}" fill="{item.colour}" '
            f'text-anchor="{item.anchor}"{turn}>{escape(item.text)}</text>'
        )
    place = f'x="{item.x:.2f}" y="{item.y:.2f}" width="{item.width:.2f}" height="{item.height:.2f}"'
    if isinstance(item, Box):
        return f'<rect {place} fill="{item.fill}"/>'
    data = base64.b64encode(png(item.pixels)).decode()
    return (
        f'<image {place} preserveAspectRatio="none" style="image-rendering:pixelated" '
        f'href="data:image/png;base64,{data}"/>'
    )


def to_png(drawing: Drawing, scale: int = SLIDE_PX_PER_POINT) -> bytes:
    """Draw as pixels, *scale* of them a point."""
    fine = scale * OVERSAMPLING
    size = round(drawing.width * fine), round(drawing.height * fine)
    sheet = Image.new("RGB", size, drawing.theme.paper)
    draw = ImageDraw.Draw(sheet)
    for item in drawing.items:
        if isinstance(item, Picture):
            corner = round(item.x * fine), round(item.y * fine)
            wanted = max(1, round(item.width * fine)), max(1, round(item.height * fine))
            large = Image.fromarray(item.pixels).convert("RGB").resize(wanted, Image.Resampling.NEAREST)
            sheet.paste(large, corner)
        elif isinstance(item, Box):
            x, y = item.x * fine, item.y * fine
            draw.rectangle((x, y, x + item.width * fine - 1, y + item.height * fine - 1), fill=item.fill)
        elif isinstance(item, Line):
            for start, end in _strokes(item):
                ends = (start[0] * fine, start[1] * fine, end[0] * fine, end[1] * fine)
                draw.line(ends, fill=item.colour, width=max(1, round(item.width * fine)))
        else:
            _write(sheet, item, fine)
    return png(np.asarray(sheet.reduce(OVERSAMPLING)))


def _strokes(line: Line) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Cut a dashed line into its dashes of 3 points with gaps of 2."""
    pairs = list(zip(line.points[:-1], line.points[1:], strict=True))
    if not line.dashed:
        return pairs
    strokes = []
    for (x0, y0), (x1, y1) in pairs:
        length = max(float(np.hypot(x1 - x0, y1 - y0)), 1e-9)
        for begin in np.arange(0.0, length, 5.0):
            near, far = begin / length, min(begin + 3.0, length) / length
            first = (x0 + (x1 - x0) * near, y0 + (y1 - y0) * near)
            strokes.append((first, (x0 + (x1 - x0) * far, y0 + (y1 - y0) * far)))
    return strokes


def _write(sheet: Image.Image, item: Words, fine: int) -> None:
    anchor = {"start": "ls", "middle": "ms", "end": "rs"}[item.anchor]
    at, size = (item.x * fine, item.y * fine), round(item.size * fine)
    if item.upright:
        draw_words(ImageDraw.Draw(sheet), at, item.text, (item.colour, size, anchor))
        return
    side = round(text_width(item.text, size) * 1.5) + 4 * size  # room for any font, turned about its middle
    turned = Image.new("L", (side, side))
    draw_words(ImageDraw.Draw(turned), (side / 2, side / 2), item.text, ("white", size, anchor))
    mask = turned.rotate(90)
    sheet.paste(item.colour, (round(at[0] - side / 2), round(at[1] - side / 2)), mask)
