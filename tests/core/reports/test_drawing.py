"""Figures for a paper and for a slide: what is written can be read back."""

from __future__ import annotations

import base64
import io
import re
import xml.etree.ElementTree as ElementTree
import zlib
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from labelfree_core.reports.drawing import (
    DARK,
    WHITE,
    Box,
    Drawing,
    Line,
    Picture,
    Theme,
    Words,
    text_width,
    to_png,
    to_svg,
)
from labelfree_core.reports.panels import Bar, Panel, side_by_side
from labelfree_core.reports.pdf import to_pdf
from labelfree_core.reports.plots import Axis, Bars, Curve, Heat, Plot, drawn, ticks

SVG = "{http://www.w3.org/2000/svg}"
PIXELS = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) * 10


def sheet(theme: Theme = WHITE) -> Drawing:
    items = [
        Box(10, 10, 20, 10, "#ff0000"),
        Line(((0, 50), (100, 50)), "#00ff00", 2.0),
        Words(50, 70, "10 µm < (a\\b)", theme.ink, 9, "middle"),
        Picture(60, 5, 30, 20, PIXELS),
    ]
    return Drawing(100, 80, theme, items)


def objects_of(pdf: bytes) -> list[bytes]:
    """Follow the table at the end, as a reader does."""
    start = int(re.search(rb"startxref\n(\d+)\n%%EOF\n$", pdf)[1])
    head, rows = re.match(rb"xref\n0 (\d+)\n((?:\d{10} \d{5} [fn] \n)+)", pdf[start:]).groups()
    places = [int(row[:10]) for row in rows.splitlines()]
    assert len(places) == int(head)
    found = []
    for number, place in enumerate(places[1:], start=1):
        body = pdf[place:]
        assert body.startswith(b"%d 0 obj\n" % number)
        found.append(body[: body.index(b"\nendobj")])
    return found


def stream_of(body: bytes) -> bytes:
    length = int(re.search(rb"/Length (\d+)", body)[1])
    start = body.index(b"stream\n") + len(b"stream\n")
    assert body[start + length :] == b"\nendstream"
    return zlib.decompress(body[start : start + length])


def test_svg_is_xml_whose_text_stays_text_and_whose_pixels_come_back() -> None:
    root = ElementTree.fromstring(to_svg(sheet()))
    assert [text.text for text in root.iter(f"{SVG}text")] == ["10 µm < (a\\b)"]
    href = next(root.iter(f"{SVG}image")).attrib["href"]
    data = base64.b64decode(href.removeprefix("data:image/png;base64,"))
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), PIXELS)


def test_pdf_can_be_followed_from_its_table_and_holds_text_and_pixels() -> None:
    found = objects_of(to_pdf(sheet()))
    assert b"/MediaBox [0 0 100.00 80.00]" in found[2]
    words = stream_of(found[3]).decode("cp1252")
    assert "(10 µm < \\(a\\\\b\\)) Tj" in words
    assert "1.000 0.000 0.000 rg 10.00 60.00 20.00 10.00 re f" in words  # the y axis points up
    pixels = np.frombuffer(stream_of(found[5]), np.uint8).reshape(PIXELS.shape)
    np.testing.assert_array_equal(pixels, PIXELS)


@pytest.mark.parametrize("theme", [WHITE, DARK])
def test_png_has_the_background_of_its_theme_and_pixels_stay_pixels(theme: Theme) -> None:
    drawn_sheet = np.asarray(Image.open(io.BytesIO(to_png(sheet(theme), scale=2))))
    assert drawn_sheet.shape == (160, 200, 3)
    assert "#" + drawn_sheet[158, 2].tobytes().hex() == theme.paper
    assert drawn_sheet[30, 40].tolist() == [255, 0, 0]
    assert {tuple(colour) for colour in drawn_sheet[12:48, 122:178].reshape(-1, 3)} == {
        tuple(colour) for colour in PIXELS.reshape(-1, 3)
    }


def test_upright_and_turned_words_take_the_room_that_helvetica_says() -> None:
    for upright in (True, False):
        page = Drawing(100, 100, WHITE, [Words(50, 50, "voxels", "#000000", 10, "middle", upright)])
        dark = np.asarray(Image.open(io.BytesIO(to_png(page)))).min(axis=-1) < 128
        rows, columns = np.nonzero(dark.any(axis=1))[0], np.nonzero(dark.any(axis=0))[0]
        along = columns if upright else rows
        assert (along[-1] - along[0]) / 4 == pytest.approx(text_width("voxels", 10), rel=0.15)
        assert (along[-1] + along[0]) / 8 == pytest.approx(50, abs=2)


def histogram() -> Plot:
    edges = np.array([0.0, 1.0, 2.0, 3.0])
    bars = Bars(edges, np.array([1000, 10, 0]), ("#111111", "#222222", "#333333"))
    rule = Curve(np.array([1.5, 1.5]), np.array([1.0, 1000.0]), "#d98300", "threshold")
    return Plot(Axis("z-score", 0, 3), Axis("voxels", 1, 1000, log=True), (bars,), curves=(rule,))


def test_bars_stand_as_high_as_their_logarithm_and_empty_ones_are_left_out() -> None:
    boxes = [item for item in drawn(histogram()).items if isinstance(item, Box)]
    assert [box.fill for box in boxes] == ["#111111", "#222222"]
    assert boxes[1].height == pytest.approx(boxes[0].height / 3)


def test_a_heat_map_has_its_lowest_y_at_the_bottom() -> None:
    values = np.array([[1.0, 0.0], [0.0, 0.0]])  # one hot corner: low x, low y
    plot = Plot(Axis("x", 0, 2), Axis("y", 0, 2), heat=Heat(values), square=True)
    pixels = next(item.pixels for item in drawn(plot).items if isinstance(item, Picture))
    assert pixels.sum(axis=-1).argmax() == 2  # lower left in reading order


@pytest.mark.parametrize(
    ("low", "high"), [(-0.5, 6.8), (0.0, 1.0), (-8.14, 6.23), (0.001, 0.0034), (5e4, 9e4)]
)
def test_ticks_are_inside_round_and_few(low: float, high: float) -> None:
    found = ticks(Axis("", low, high))
    assert 2 <= len(found) <= 7
    assert low <= found[0]
    assert found[-1] <= high
    assert len({round(b - a, 9) for a, b in pairwise(found)}) == 1


def test_panels_carry_titles_scale_bar_and_colour_bar() -> None:
    panels = [Panel(PIXELS, "Observed"), Panel(PIXELS, "Predicted")]
    found = side_by_side(panels, 10.0, bar=Bar((-1.5, 2.0), "SD"), legend=[("#e69f00", "missed")])
    words = [item.text for item in found.items if isinstance(item, Words)]
    assert words == ["Observed", "5 µm", "Predicted", "5 µm", "−1.5", "2", "SD", "missed"]
    bars = [item for item in found.items if isinstance(item, Box) and item.fill == "#ffffff"]
    field_pt = next(item.width for item in found.items if isinstance(item, Picture))
    assert bars[0].width == pytest.approx(field_pt * 5 / 30)


def test_panels_without_a_pixel_size_carry_no_scale_bar() -> None:
    found = side_by_side([Panel(PIXELS, "Observed")], None)
    assert [item.text for item in found.items if isinstance(item, Words)] == ["Observed"]
