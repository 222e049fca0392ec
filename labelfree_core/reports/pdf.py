"""A drawing as a PDF of one page, by the few words of that language that it needs."""

from __future__ import annotations

import io
import zlib

import numpy as np

from labelfree_core.reports.drawing import Box, Drawing, Item, Line, Picture, Words, text_width


def to_pdf(drawing: Drawing) -> bytes:
    """Write a drawing as a PDF of one page, with lines and text as such."""
    pictures = [item for item in drawing.items if isinstance(item, Picture)]
    names = {id(item): f"/P{number}" for number, item in enumerate(pictures)}
    paper = Box(0, 0, drawing.width, drawing.height, drawing.theme.paper)
    content = "\n".join(_pdf(item, drawing.height, names) for item in (paper, *drawing.items))
    images = " ".join(f"/P{number} {6 + number} 0 R" for number in range(len(pictures)))
    page = (
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {drawing.width:.2f} {drawing.height:.2f}] "
        f"/Contents 4 0 R /Resources << /Font << /F 5 0 R >> /XObject << {images} >> >> >>"
    )
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        page.encode(),
        _stream("", content.encode("cp1252", "replace")),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        *(_image(item.pixels) for item in pictures),
    ]
    target, places = io.BytesIO(b"%PDF-1.4\n"), []
    target.seek(0, io.SEEK_END)
    for number, body in enumerate(objects, start=1):
        places.append(target.tell())
        target.write(b"%d 0 obj\n" % number + body + b"\nendobj\n")
    start, count = target.tell(), len(objects) + 1
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    target.write(f"xref\n0 {count}\n0000000000 65535 f \n{table}".encode())
    target.write(f"trailer\n<< /Size {count} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode())
    return target.getvalue()


def _stream(entries: str, data: bytes) -> bytes:
    packed = zlib.compress(data)
    head = f"<< {entries} /Filter /FlateDecode /Length {len(packed)} >>\nstream\n"
    return head.encode() + packed + b"\nendstream"


def _image(pixels: np.ndarray) -> bytes:
    colours = "/DeviceGray" if pixels.ndim == 2 else "/DeviceRGB"
    entries = (
        f"/Type /XObject /Subtype /Image /Width {pixels.shape[1]} /Height {pixels.shape[0]} "
        f"/ColorSpace {colours} /BitsPerComponent 8 /Interpolate false"
    )
    return _stream(entries, np.ascontiguousarray(pixels, np.uint8).tobytes())


def _pdf(item: Item, sheet: float, names: dict[int, str]) -> str:
    """Say one item in PDF's language, whose y axis points up from the lower edge."""
    if isinstance(item, Line):
        path = " ".join(
            f"{x:.2f} {sheet - y:.2f} {'l' if number else 'm'}" for number, (x, y) in enumerate(item.points)
        )
        dash = "[3 2] 0 d" if item.dashed else "[] 0 d"
        return f"{_rgb(item.colour)} RG {item.width:.2f} w {dash} {path} S"
    if isinstance(item, Words):
        back = {"start": 0.0, "middle": 0.5, "end": 1.0}[item.anchor] * text_width(item.text, item.size)
        x, y = (item.x - back, sheet - item.y) if item.upright else (item.x, sheet - item.y - back)
        turn = "1 0 0 1" if item.upright else "0 1 -1 0"
        text = item.text.replace("−", "–")  # Helvetica in a PDF has no minus sign; its dash is as wide
        for letter in "\\()":
            text = text.replace(letter, f"\\{letter}")
        return f"BT /F {item.size:g} Tf {_rgb(item.colour)} rg {turn} {x:.2f} {y:.2f} Tm ({text}) Tj ET"
    box = f"{item.x:.2f} {sheet - item.y - item.height:.2f}"
    if isinstance(item, Box):
        return f"{_rgb(item.fill)} rg {box} {item.width:.2f} {item.height:.2f} re f"
    return f"q {item.width:.2f} 0 0 {item.height:.2f} {box} cm {names[id(item)]} Do Q"


def _rgb(colour: str) -> str:
    return " ".join(f"{int(colour[at : at + 2], 16) / 255:.3f}" for at in (1, 3, 5))
