"""Tell the format of a file by its first bytes, and hand it to the reader that knows it."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from labelfree_core.errors import ImageError
from labelfree_core.images import plainfiles, tiff
from labelfree_core.images.layout import Layout
from labelfree_core.images.text import file_name

_MICROSCOPE_FILES = {
    ".czi": "Zeiss CZI", ".lif": "Leica LIF", ".nd2": "Nikon ND2", ".oib": "Olympus OIB", ".oif": "Olympus "
    "OIF",
    ".vsi": "Olympus VSI", ".ims": "Imaris", ".h5": "HDF5", ".dv": "DeltaVision", ".sld": "SlideBook",
    ".zvi": "Zeiss ZVI", ".dcm": "DICOM", ".nii": "NIfTI", ".zip": "ZIP archive", ".zarr": "Zarr",
}  # fmt: skip
_WORDS = {
    b"PK\x03\x04": "a ZIP archive or spreadsheet",
    b"%PDF": "a PDF",
    b"\x89HDF": "an HDF5 file",
    b"GIF8": "a GIF",
}
_TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_NEEDED = "a TIFF (OME-TIFF, ImageJ, BigTIFF), PNG, JPEG or NumPy .npy file is needed"


def layout(path: Path) -> Layout:
    """
    Describe the image of a file by its headers.

    Raises
    ------
    ImageError
        If it is missing, empty, of another format or damaged.
    """
    kind = _kind(path)
    if kind == "tiff":
        return tiff.tiff_layout(path)
    return plainfiles.array_layout(path) if kind == "numpy" else plainfiles.picture_layout(path)


def read_region(path: Path, region: tuple[int | slice, ...]) -> npt.NDArray[np.generic]:
    """
    Read a part of a file, one int or slice for each axis of its layout.

    Raises
    ------
    ImageError
        If the part is damaged or too large.
    """
    kind = _kind(path)
    if kind == "tiff":
        return tiff.tiff_region(path, region)
    return (
        plainfiles.array_region(path, region) if kind == "numpy" else plainfiles.picture_region(path, region)
    )


def opened(path: Path) -> BinaryIO:
    """
    Open a file for reading.

    Raises
    ------
    ImageError
        If there is none, or it may not be read.
    """
    try:
        if not path.is_file():
            raise FileNotFoundError
        return path.open("rb")
    except (FileNotFoundError, ValueError) as problem:
        raise ImageError(
            f"There is no file {file_name(path.name)}; an image file is needed. Check the name and the "
            "folder."
        ) from problem
    except OSError as problem:
        raise ImageError(
            f"The file {file_name(path.name)} can't be opened ({problem.strerror}). Check that you may read "
            "it and "
            "that no other program holds it."
        ) from problem


def _kind(path: Path) -> str:
    with opened(path) as file:
        head = file.read(16)
    if head[:4] in _TIFF:
        return "tiff"
    if head[:6] == b"\x93NUMPY":
        return "numpy"
    if head[:4] == b"\x89PNG" or head[:3] == b"\xff\xd8\xff":
        return "picture"
    name = file_name(path.name)
    if not head:
        raise ImageError(f"{name} is empty (0 bytes); {_NEEDED}. Copy it again from where it was recorded.")
    suffix = path.suffix.lower()
    if suffix in _MICROSCOPE_FILES:
        raise ImageError(
            f"{name} is a {_MICROSCOPE_FILES[suffix]} file; {_NEEDED}. Open it in Fiji (File > Import > "
            "Bio-Formats) "
            "and save it as OME-TIFF."
        )
    what = next(
        (word for mark, word in _WORDS.items() if head.startswith(mark)), "no image that is known here"
    )
    raise ImageError(f"{name} is {what}, whatever its name says; {_NEEDED}. Export the image again.")
