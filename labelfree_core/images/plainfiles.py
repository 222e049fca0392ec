"""PNG, JPEG and NumPy files: one plane, or an array without words."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import JpegImagePlugin, PngImagePlugin
from PIL.Image import Image

from labelfree_core.errors import ImageError
from labelfree_core.images.layout import Layout, VoxelSize
from labelfree_core.images.tiffpage import refuse_too_large

Region = tuple[int | slice, ...]
# A plane of any camera or slide scanner that fits a PNG; above it is a decompression bomb.
_MOST_PIXELS = 400_000_000
_MOST_BYTES_A_BYTE = 2000
_HARMLESS_BYTES = 64_000_000
_NO_SIZE = VoxelSize(source="PNG and JPEG files state no pixel size")


def picture_layout(path: Path) -> Layout:
    """
    Describe a PNG or JPEG by its header.

    Raises
    ------
    ImageError
        If it is damaged, or would unpack to more than any plane holds.
    """
    with _picture(path) as picture:
        colour, dtype = _kind(picture)
        height, width = picture.size[1], picture.size[0]
        return Layout(
            axes="YXS" if colour else "YX",
            shape=(height, width, 3) if colour else (height, width),
            dtype=dtype,
            format=str(picture.format),
            channel_names=("",),
            voxel_size_um=_NO_SIZE,
            notes=(
                "JPEG discards detail that a network may need; use the microscope's own file where you can.",
            )
            if picture.format == "JPEG"
            else (),
        )


def picture_region(path: Path, region: Region) -> npt.NDArray[np.generic]:
    """
    Read a part of a PNG or JPEG.

    Raises
    ------
    ImageError
        If it is damaged or too large.
    """
    with _picture(path) as picture:
        colour, dtype = _kind(picture)
        refuse_too_large((picture.size[1], picture.size[0]), (slice(None), slice(None)), np.dtype("u4"))
        try:
            pixels = np.asarray(picture.convert("RGB") if colour else _grey(picture))
        except (OSError, ValueError, SyntaxError, struct.error, EOFError, MemoryError) as problem:
            raise ImageError(
                f"The {picture.format} picture is damaged or cut off. Copy it again from where it was made."
            ) from problem
    return np.ascontiguousarray(pixels[region].astype(dtype, copy=False))


def array_layout(path: Path) -> Layout:
    """
    Describe a ``.npy`` file by its header.

    Raises
    ------
    ImageError
        If it is damaged, or holds Python objects instead of numbers.
    """
    array = _mapped(path)
    if not 2 <= array.ndim <= 6 or array.size == 0 or array.dtype.kind not in "buif":
        raise ImageError(
            f"The NumPy file holds {array.dtype} of shape {array.shape}; an image needs numbers along at "
            "least Y and "
            "X. Save the image's own array with numpy.save."
        )
    # An array names no axis: the last two are taken for a plane, the others stay unknown.
    letters = "YX"
    unknown = "QRPH"[: array.ndim - 2]
    return Layout(
        axes=unknown + letters,
        shape=array.shape,
        dtype=array.dtype.newbyteorder("="),
        format="NumPy array",
        channel_names=("",),
        voxel_size_um=VoxelSize(source="NumPy files state no voxel size"),
    )


def array_region(path: Path, region: Region) -> npt.NDArray[np.generic]:
    """Read a part of a ``.npy`` file."""
    array = _mapped(path)
    refuse_too_large(array.shape, region, array.dtype)
    return np.array(array[region], dtype=array.dtype.newbyteorder("="))


def _mapped(path: Path) -> npt.NDArray[np.generic]:
    try:
        # A shape whose size in bytes overflows is a lie, and has to be an error.
        with np.errstate(over="raise"):
            return np.load(path, mmap_mode="r", allow_pickle=False)
    # NumPy reads the header as Python text: a damaged one fails in the tokeniser too, in ways of its own.
    except Exception as problem:
        raise ImageError(
            "The NumPy file can't be read: it is damaged, cut off or holds Python objects. Save the image "
            "again with "
            "numpy.save(name, array)."
        ) from problem


def _picture(path: Path) -> Image:
    plugin = PngImagePlugin.PngImageFile if _is_png(path) else JpegImagePlugin.JpegImageFile
    try:
        picture: Image = plugin(str(path))
    except (OSError, ValueError, SyntaxError, struct.error, EOFError, MemoryError, IndexError) as problem:
        raise ImageError(
            "The picture can't be read: it is damaged, cut off or no PNG or JPEG. Copy it again from where "
            "it was made."
        ) from problem
    pixels = picture.size[0] * picture.size[1]
    if pixels > _MOST_PIXELS or 3 * pixels > max(_HARMLESS_BYTES, _MOST_BYTES_A_BYTE * path.stat().st_size):
        picture.close()
        raise ImageError(
            f"The picture claims {picture.size[0]} x {picture.size[1]} pixels in {path.stat().st_size} "
            "bytes, which no "
            "image needs. Export the plane you want as a TIFF."
        )
    return picture


def _is_png(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x89PNG"


def _kind(picture: Image) -> tuple[bool, np.dtype]:
    if picture.mode in ("1", "L", "LA"):
        return False, np.dtype(np.uint8)
    if picture.mode.startswith("I;16"):
        return False, np.dtype(np.uint16)
    if picture.mode in ("I", "F"):
        return False, np.dtype(np.int32 if picture.mode == "I" else np.float32)
    return True, np.dtype(np.uint8)


def _grey(picture: Image) -> Image:
    return picture.convert("L") if picture.mode in ("1", "LA") else picture
