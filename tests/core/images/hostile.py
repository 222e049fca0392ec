"""Build image files, and break them at every place that matters."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

# What a length, a count or an offset becomes in a broken or hostile file.
_VALUES = (0, 1, 3, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF)
_WORDS = (b"0", b"-1", b"nan", b"1e400", b"99999999999", b"eight", b"&lt;b&gt;", b"../../etc/passwd", b"&x;")
_TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}


def _tiff(voxels: np.ndarray, **options: object) -> bytes:
    buffer = BytesIO()
    tifffile.imwrite(buffer, voxels, **options)
    return buffer.getvalue()


def _pyramid() -> bytes:
    buffer = BytesIO()
    plane = (np.arange(64 * 64).reshape(64, 64) % 251).astype(np.uint8)
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(plane, tile=(16, 16), subifds=1, compression="zlib")
        writer.write(plane[::2, ::2], tile=(16, 16), subfiletype=1, compression="zlib")
    return buffer.getvalue()


def _picture(kind: str) -> bytes:
    buffer = BytesIO()
    plane = (np.arange(40 * 48).reshape(40, 48) % 251).astype(np.uint8)
    Image.fromarray(plane).save(buffer, kind)
    return buffer.getvalue()


def _numpy() -> bytes:
    buffer = BytesIO()
    np.save(buffer, np.arange(4 * 20 * 24, dtype=np.uint16).reshape(4, 20, 24))
    return buffer.getvalue()


def seeds() -> dict[str, bytes]:
    """One small sound file of every dialect, with a name for each."""
    stack = np.random.default_rng(0).integers(0, 4000, (3, 2, 24, 32)).astype(np.uint16)
    colour = np.random.default_rng(1).integers(0, 255, (32, 48, 3)).astype(np.uint8)
    ome = {"axes": "ZCYX", "Channel": {"Name": ["BF", "DNA"]}, "PhysicalSizeX": 0.1, "PhysicalSizeY": 0.1}
    return {
        "plain.tif": _tiff(stack[:, 0], photometric="minisblack", metadata=None),
        "big-endian.tif": _tiff(stack[:, 0], photometric="minisblack", metadata=None, byteorder=">"),
        "ome.ome.tif": _tiff(stack, ome=True, metadata=ome, photometric="minisblack"),
        "packed.ome.tif": _tiff(stack, ome=True, metadata=ome, photometric="minisblack", compression="zlib"),
        "imagej.tif": _tiff(stack, imagej=True, metadata={"axes": "ZCYX"}),
        "big.tif": _tiff(stack, bigtiff=True, photometric="minisblack", metadata={"axes": "ZCYX"}),
        "lzw.tif": _tiff(
            stack[:, 0], compression="lzw", predictor=True, metadata=None, photometric="minisblack"
        ),
        "tiled.tif": _tiff(
            stack[:, 0], tile=(16, 16), compression="zstd", metadata=None, photometric="minisblack"
        ),
        "jpeg.tif": _tiff(colour, compression="jpeg", photometric="rgb", metadata=None),
        "float.tif": _tiff(stack[:, 0].astype(np.float32), photometric="minisblack", metadata=None),
        "pyramid.tif": _pyramid(),
        "plane.png": _picture("PNG"),
        "plane.jpg": _picture("JPEG"),
        "array.npy": _numpy(),
    }


def entries(data: bytes) -> list[tuple[int, int, int]]:
    """Offset, type and count of every tag of a classic TIFF, and where links between pages are (type 0)."""
    order = "<" if data[:2] == b"II" else ">"
    if struct.unpack_from(order + "H", data, 2)[0] != 42:
        return []
    found, link = [(4, 0, 0)], struct.unpack_from(order + "I", data, 4)[0]
    while link:
        count = struct.unpack_from(order + "H", data, link)[0]
        for number in range(count):
            place = link + 2 + 12 * number
            _, kind, length = struct.unpack_from(order + "HHI", data, place)
            found.append((place, kind, length))
        place = link + 2 + 12 * count
        found.append((place, 0, 0))
        link = struct.unpack_from(order + "I", data, place)[0]
    return found


def broken_headers(data: bytes) -> Iterator[bytes]:
    """Every tag's type, count and value, and every link, replaced by each hostile value; loops of pages."""
    order = "<" if data[:2] == b"II" else ">"
    for place, kind, _ in entries(data):
        if kind == 0:
            for value in (*_VALUES, 8, place - 2 if place > 8 else 8, len(data) - 4):
                yield _patched(data, place, struct.pack(order + "I", value))
            continue
        for value in _VALUES:
            yield _patched(data, place + 4, struct.pack(order + "I", value))
            yield _patched(data, place + 8, struct.pack(order + "I", value))
        for other in (0, 2, 5, 12, 99):
            yield _patched(data, place + 2, struct.pack(order + "H", other))


def cut(data: bytes) -> Iterator[bytes]:
    """The file ends at each structural boundary, one byte before and one after."""
    ends = {0, 1, 4, 8, 16, len(data) // 2, len(data) - 1}
    for place, kind, count in entries(data):
        ends |= {place, place + 12}
        if kind and _TYPE_SIZES.get(kind, 1) * count > 4:
            order = "<" if data[:2] == b"II" else ">"
            start = struct.unpack_from(order + "I", data, place + 8)[0]
            ends |= {start, start + _TYPE_SIZES.get(kind, 1) * count}
    for end in sorted(ends):
        for exact in (end - 1, end, end + 1):
            if 0 <= exact < len(data):
                yield data[:exact]


def flipped(data: bytes, *, seed: int, count: int) -> Iterator[bytes]:
    """Random bytes changed, most of them in the first and last kilobyte, where the headers are."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        changed = bytearray(data)
        for _ in range(int(random.integers(1, 12))):
            near = int(random.integers(0, min(1024, len(data))))
            place = random.choice([near, len(data) - 1 - near, int(random.integers(0, len(data)))])
            changed[int(place)] = int(random.choice([0, 1, 0x7F, 0x80, 0xFF, int(random.integers(0, 256))]))
        yield bytes(changed)


def peak_bytes(path: str = "/proc/self") -> int | None:
    """Highest memory of this process since :func:`forget_peak`; None where the system does not tell."""
    try:
        lines = Path(f"{path}/status").read_text().splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), None)


def forget_peak(path: str = "/proc/self") -> int | None:
    """Begin a new peak, and return where it begins; None where the system can't."""
    try:
        Path(f"{path}/clear_refs").write_text("5")
    except OSError:
        return None
    return peak_bytes(path)


def broken_xml(data: bytes) -> Iterator[bytes]:
    """Every attribute of the OME-XML with each hostile value, dropped, and every element cut out."""
    start, end = data.index(b"<OME"), data.index(b"</OME>") + 6
    xml = data[start:end]
    for found in re.finditer(rb'([A-Za-z:]+)="([^"]*)"', xml):
        for value in (*_WORDS, b""):
            yield _with_xml(data, (start, end), xml[: found.start(2)] + value + xml[found.end(2) :])
        yield _with_xml(data, (start, end), xml[: found.start()] + xml[found.end() :])
    for found in re.finditer(rb"<[^>]*>", xml):
        yield _with_xml(data, (start, end), xml[: found.start()] + xml[found.end() :])
        yield _with_xml(data, (start, end), xml[: found.end()])


def _with_xml(data: bytes, span: tuple[int, int], xml: bytes) -> bytes:
    """Put other XML in place of the old; where it is longer, it goes to the end of the file."""
    start, end = span
    if len(xml) <= end - start:
        return data[:start] + xml.ljust(end - start) + data[end:]
    order = "<" if data[:2] == b"II" else ">"
    moved = bytearray(data)
    for place, kind, _ in entries(data):
        if kind == 2 and struct.unpack_from(order + "H", data, place)[0] == 270:
            if data[struct.unpack_from(order + "I", data, place + 8)[0] :].lstrip()[:5] in (
                b"<?xml",
                b"<OME ",
            ):
                struct.pack_into(order + "II", moved, place + 4, len(xml) + 1, len(data))
            break
    return bytes(moved) + xml + b"\0"


def _patched(data: bytes, place: int, value: bytes) -> bytes:
    return data[:place] + value + data[place + len(value) :]
