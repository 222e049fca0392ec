"""Single pages of a TIFF, checked before they are decoded."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import tifffile

from labelfree_core.errors import ImageError
from labelfree_core.images.memory import free_bytes

# NONE, CCITT (2-4), LZW, JPEG, deflate, PackBits, LZMA, zstd: decoders that are told how much to unpack.
# JPEG 2000, JPEG XL and WebP believe the size in their own header, and no microscope writes stacks in them.
_READABLE = frozenset({1, 2, 3, 4, 5, 7, 8, 32773, 32946, 34925, 34926, 50000})
_JPEG = 7
# Deflate, the most used, can't shrink more than 1032 times; blank planes below this size are no danger.
_MOST_SHRUNK = 1100
_HARMLESS_BYTES = 64_000_000
_JPEG_HEAD_BYTES = 200_000


def refuse_too_large(shape: tuple[int, ...], region: tuple[int | slice, ...], dtype: np.dtype) -> None:
    """
    Raise where a region needs more memory than this machine has free.

    Raises
    ------
    ImageError
        With both sizes.
    """
    counts = [len(range(*p.indices(n))) for n, p in zip(shape, region, strict=True) if isinstance(p, slice)]
    needed, free = math.prod(counts) * dtype.itemsize, free_bytes()
    if needed > free:
        raise ImageError(
            f"This part of the image needs {needed / 1e9:.3g} GB of memory and {free / 1e9:.3g} GB are free. "
            "Choose "
            "fewer planes, or crop the image in Fiji (Image > Crop) and load that."
        )


def read_pages(
    series: tifffile.TiffPageSeries, region: tuple[int | slice, ...], file_bytes: int
) -> npt.NDArray[np.generic]:
    """
    Read a region of a series page by page.

    Raises
    ------
    ImageError
        If a page is missing, cut off, shrunk beyond belief or packed in an unknown way.
    """
    shape = tuple(int(n) for n in series.shape)
    lead = _leading_axes(series, shape)
    numbers = np.arange(len(series)).reshape(shape[:lead])[region[:lead]]
    inner, page_shape = region[lead:], shape[lead:]
    dtype = np.dtype(series.dtype).newbyteorder("=")
    out: npt.NDArray[np.generic] | None = None
    for place, number in zip(np.ndindex(np.shape(numbers)), np.ravel(numbers), strict=True):
        page = series[int(number)]
        if page is None:
            raise ImageError(
                f"Plane {number + 1} of {len(series)} is not in this file: it belongs to a set of several "
                "files, or "
                "the recording stopped early. Open the set in Fiji and save it as one TIFF."
            )
        _check(page, int(number) + 1, file_bytes)
        _check_blocks(page, int(number) + 1)
        plane = page.asarray(maxworkers=1).reshape(page_shape)[inner]
        if out is None:
            out = np.empty((*np.shape(numbers), *plane.shape), dtype)
        out[place] = plane
    return np.empty((0,), dtype) if out is None else out


def _leading_axes(series: tifffile.TiffPageSeries, shape: tuple[int, ...]) -> int:
    """How many of the first axes run over pages; the others lie within one."""
    within = math.prod(int(n) for n in series.keyframe.shape)
    for lead in range(len(shape) + 1):
        if math.prod(shape[:lead]) == len(series) and math.prod(shape[lead:]) == within:
            return lead
    raise ImageError(
        f"The TIFF file's pages {tuple(series.keyframe.shape)} do not add up to the image it describes "
        f"{shape}. Open "
        "it in Fiji and save it as a new TIFF."
    )


def _check(page: tifffile.TiffPage | tifffile.TiffFrame, number: int, file_bytes: int) -> None:
    key = page.keyframe
    if key is None:
        raise ImageError(f"Plane {number} of the TIFF file has no header. Export the image again.")
    stored, decoded = sum(page.databytecounts), int(key.nbytes)
    if int(key.compression) not in _READABLE:
        raise ImageError(
            "The image is packed by a method that can't be read here (TIFF compression "
            f"{int(key.compression)}). Open "
            "it in Fiji and save it as a TIFF without compression."
        )
    if decoded > max(_HARMLESS_BYTES, _MOST_SHRUNK * stored) or decoded > free_bytes():
        raise ImageError(
            f"Plane {number} claims {key.imagelength} x {key.imagewidth} pixels ({decoded / 1e9:.3g} GB) "
            "from "
            f"{stored / 1e6:.3g} MB of data, which no image does or this machine can't hold. Export it again."
        )
    ends = [
        offset + count for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True) if count
    ]
    # 1-bit and 12-bit pixels take less in the file than in memory.
    needed = int(key.size) * int(key.bitspersample) // 8
    short = int(key.compression) == 1 and stored < needed and len(ends) == len(page.databytecounts)
    if (ends and max(ends) > file_bytes) or short:
        raise ImageError(
            f"The TIFF file is cut off: plane {number} is not complete. Copy it again from where it was "
            "recorded."
        )
    if len(page.dataoffsets) < math.prod(key.chunked):
        raise ImageError(
            f"Plane {number} of the TIFF file needs {math.prod(key.chunked)} blocks of data and lists "
            f"{len(page.dataoffsets)}; the file is damaged. Copy it again from where it was recorded."
        )
    if not ends:
        raise ImageError(
            f"Plane {number} of the TIFF file holds no data; the recording or the copy stopped early. Copy "
            "the file "
            "again from where it was recorded."
        )


def _check_blocks(page: tifffile.TiffPage | tifffile.TiffFrame, number: int) -> None:
    """Refuse tiles far larger than their image, and JPEG data larger than their tile."""
    key = page.keyframe
    if key is None:
        return
    height, width = (
        (key.tilelength, key.tilewidth)
        if key.is_tiled
        else (min(key.rowsperstrip, key.imagelength), key.imagewidth)
    )
    too_large = height * width * key.samplesperpixel * 8 > max(_HARMLESS_BYTES, 8 * int(key.nbytes))
    if int(key.compression) == _JPEG:
        file = key.parent.filehandle
        for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
            file.seek(offset)
            rows, columns = _jpeg_size(file.read(min(count, _JPEG_HEAD_BYTES)))
            # A JPEG may be filled up to whole blocks.
            too_large = too_large or rows > height + 16 or columns > width + 16
    if too_large:
        raise ImageError(
            f"Plane {number} of the TIFF file is packed in blocks larger than the image itself; it is "
            "damaged or "
            "misleading. Export the image again."
        )


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Rows and columns that a JPEG states; 0 where it states none."""
    place = 2
    while place + 9 < len(data):
        marker, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        # Every "start of frame", C0 to CF, but not the tables C4, C8 and CC among them.
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[place + 5 : place + 7], "big"), int.from_bytes(
                data[place + 7 : place + 9], "big"
            )
        place += 2 + max(length, 1)
    return 0, 0
