"""TIFF in all its dialects: what the headers say, and the planes that are asked for, no others."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import tifffile

from labelfree_core.errors import ImageError
from labelfree_core.images import ome, tiffpage
from labelfree_core.images.layout import Layout, VoxelSize, to_um
from labelfree_core.images.text import plain_text
from labelfree_core.images.tiffchain import check_chain

# The library reports oddities of a file to stderr; what matters reaches the person as an error or a note.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)

Region = tuple[int | slice, ...]
# Printing resolutions that software writes when it knows no pixel size.
_DPI_OF_NO_CAMERA = (
    1,
    72,
    75,
    90,
    96,
    100,
    120,
    150,
    180,
    200,
    240,
    300,
    350,
    360,
    400,
    600,
    1200,
    2400,
    25400,
)
_Result = TypeVar("_Result")


def tiff_layout(path: Path) -> Layout:
    """
    Describe the largest image of a TIFF file by its headers.

    Raises
    ------
    ImageError
        If the headers are damaged, hostile or describe no image.
    """
    return _with_tiff(path, _layout)


def tiff_region(path: Path, region: Region) -> npt.NDArray[np.generic]:
    """
    Read a part of the image that :func:`tiff_layout` describes.

    Parameters
    ----------
    region : tuple of int or slice
        One for each axis of the layout; an int drops its axis.

    Returns
    -------
    voxels : array in the byte order of this machine

    Raises
    ------
    ImageError
        If a plane is missing, cut off, damaged or too large for the machine.
    """
    return _with_tiff(path, lambda tif, info: _region(_series(tif), region, path))


def tiff_description(path: Path) -> str:
    """Text of the first page's description, empty where there is none."""
    return _with_tiff(path, lambda tif, info: tif.pages.first.description)


def _with_tiff(path: Path, work: Callable[[tifffile.TiffFile, ome.Ome | None], _Result]) -> _Result:
    """Open, look at the OME-XML before the library does, and turn every failure into one sentence."""
    try:
        check_chain(path)
        # Other files that an OME-XML names stay closed: a file must not reach for its neighbours.
        with closing(_open(path, trust_ome=True)) as tif:
            _count_pages(tif)
            xml = tif.ome_metadata
            info = ome.parse_ome(xml, pages=len(tif.pages)) if xml else None
            if not xml or (info is not None and _opens(tif)):
                return work(tif, info)
        with closing(_open(path, trust_ome=False)) as tif:
            _count_pages(tif)
            return work(tif, None)
    except (ImageError, KeyboardInterrupt):
        raise
    except MemoryError as problem:
        raise ImageError(
            "The image does not fit into this machine's memory; a smaller one is needed. Crop it in Fiji "
            "(Image > Crop) or close other programs and load it again."
        ) from problem
    # Damaged headers raise whatever they like inside the library; to the person they are all the same.
    except Exception as problem:
        raise ImageError(
            f"The TIFF file can't be read: it is damaged, cut off or no image ({_reason(problem)}). Copy or "
            "export "
            "it again from the microscope's software; if Fiji opens it, save it there as a new TIFF."
        ) from problem


def _open(path: Path, *, trust_ome: bool) -> tifffile.TiffFile:
    flags: dict[str, bool] = {} if trust_ome else {"is_ome": False}
    return tifffile.TiffFile(path, _multifile=False, is_mmstack=False, is_ndtiff=False, **flags)  # type: ignore[arg-type]


def _opens(tif: tifffile.TiffFile) -> bool:
    try:
        return bool(tif.series)
    except (ImageError, MemoryError):
        raise
    except Exception:
        return False


def _reason(problem: Exception) -> str:
    return plain_text(f"{type(problem).__name__}: {problem}", limit=100)


def _count_pages(tif: tifffile.TiffFile) -> None:
    # Asking for the number lets the library find all pages at once; one by one it misses circles.
    if not len(tif.pages):
        raise ImageError("The TIFF file has no page; an image needs at least one. Export it again.")


def _series(tif: tifffile.TiffFile) -> tifffile.TiffPageSeries:
    """The image with most voxels: not the thumbnail, the label or a lower level of a pyramid."""
    usable = [s for s in tif.series if s.size > 0 and s.dtype is not None]
    if not usable:
        raise ImageError("The TIFF file describes no image: every page is empty. Export it again.")
    return max(usable, key=lambda s: s.size)


def _distinct(axes: str) -> str:
    """Give each axis without a meaning, which the library calls Q all alike, a letter of its own."""
    spare = [letter for letter in "QIRVHMAB" if letter not in axes]
    return "".join(
        letter if letter not in axes[:place] or not spare else spare.pop(0)
        for place, letter in enumerate(axes)
    )


def _layout(tif: tifffile.TiffFile, info: ome.Ome | None) -> Layout:
    series = _series(tif)
    axes, shape = _distinct(str(series.axes)), tuple(int(n) for n in series.shape)
    if "Y" not in axes or "X" not in axes:
        raise ImageError(
            f"The TIFF file has the axes {plain_text(axes)} of lengths {shape}; an image needs Y and X. "
            "Export the "
            "image again."
        )
    image = _matching(info, series) if series.kind == "ome" else None
    notes = _notes(tif, series, info)
    return Layout(
        axes=axes,
        shape=shape,
        dtype=np.dtype(series.dtype).newbyteorder("="),
        format=_format(tif, series),
        channel_names=_channel_names(tif, series, image),
        voxel_size_um=image.voxel_size_um if image else _voxel_size(tif, series),
        simulated=bool(info and info.provenance.get("simulated") is True),
        description="" if tif.is_ome else plain_text(tif.pages.first.description, limit=400),
        notes=notes,
    )


def _matching(info: ome.Ome | None, series: tifffile.TiffPageSeries) -> ome.OmeImage | None:
    """The OME image whose planes are those of the series."""
    if info is None or not info.images:
        return None
    wanted = sorted(n for n in series.shape if n > 1)
    same = [i for i in info.images if sorted(n for n in i.sizes.values() if n > 1) == wanted]
    return (same or list(info.images))[0]


def _format(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> str:
    dialect = {"ome": "OME-TIFF", "imagej": "ImageJ TIFF", "lsm": "Zeiss LSM", "stk": "MetaMorph STK"}
    name = dialect.get(series.kind, "TIFF")
    levels = f", pyramid of {len(series.levels)} levels" if len(series.levels) > 1 else ""
    return name + (" (BigTIFF)" if tif.is_bigtiff else "") + levels


def _notes(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, info: ome.Ome | None) -> tuple[str, ...]:
    notes = []
    others = len(tif.series) - 1
    if others > 0:
        notes.append(
            f"The file holds {others + 1} images; the largest is used. Save another one as a file of its own "
            "to use it."
        )
    if tif.is_ome and series.kind != "ome":
        notes.append(
            "The file's OME description belongs to a set of several files or does not fit its pages, so its "
            "channel names and sizes were not used."
        )
    elif tif.pages.first.description.lstrip()[:200].count("OME") and info is None:
        notes.append("The file's OME description is damaged, so it names no channels, axes or voxel size.")
    if int(tif.pages.first.photometric) == 0:
        notes.append(
            "The file says that its highest value is black; if the image looks like a negative, invert it."
        )
    return tuple(notes)


def _channel_names(
    tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, image: ome.OmeImage | None
) -> tuple[str, ...]:
    count = dict(zip(series.axes, series.shape, strict=True)).get("C", 1)
    names: list[str] = []
    if image is not None:
        names = list(image.channel_names)
    elif tif.is_imagej and tif.imagej_metadata:
        labels = tif.imagej_metadata.get("Labels") or []
        if isinstance(labels, list):
            # One label a plane, channels first: "c:1/4 z:1/57 - Bright_100".
            names = [plain_text(re.sub(r"^c:\d+/\d+.*? - ", "", str(text))) for text in labels[:count]]
            names = names if count > 1 and len(set(names)) == len(names) else []
    elif tif.is_lsm and tif.lsm_metadata:
        colors = (tif.lsm_metadata.get("ChannelColors") or {}).get("ColorNames") or []
        names = [plain_text(str(name)) for name in colors]
    return tuple((names + [""] * count)[:count])


def _voxel_size(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> VoxelSize:
    if tif.is_lsm and tif.lsm_metadata:
        z, y, x = (to_um(tif.lsm_metadata.get(f"VoxelSize{axis}"), "m") for axis in "ZYX")
        return VoxelSize(z, y, x, "Zeiss LSM header")
    imagej = (tif.imagej_metadata or {}) if tif.is_imagej else {}
    y, x = (_pixels_per_unit(tif, f"{axis}Resolution") for axis in "YX")
    unit = imagej.get("unit")
    if isinstance(unit, str):
        z_um = to_um(imagej.get("spacing"), unit)
        sizes = [to_um(1 / n, unit) if n else None for n in (y, x)]
        if z_um or any(sizes):
            return VoxelSize(z_um, sizes[0], sizes[1], f"ImageJ spacing and resolution in {plain_text(unit)}")
        return VoxelSize(source=f"the ImageJ unit is '{plain_text(unit, limit=20)}', which is no length")
    return _from_resolution(tif, y, x)


def _from_resolution(tif: tifffile.TiffFile, y: float | None, x: float | None) -> VoxelSize:
    """Pixel size from the TIFF resolution tags, which mostly are a printer's and not a microscope's."""
    tag = tif.pages.first.tags.get("ResolutionUnit")
    unit = {2: "inch", 3: "cm"}.get(int(tag.value)) if tag is not None else "inch"
    if not y or not x or unit is None:
        return VoxelSize()
    dpi = x if unit == "inch" else x * 2.54
    if any(abs(dpi - known) < 0.02 * known for known in _DPI_OF_NO_CAMERA):
        return VoxelSize(
            source=f"the resolution tag says {dpi:.0f} dpi, a printing default and no pixel size"
        )
    return VoxelSize(
        None, to_um(1 / y, unit), to_um(1 / x, unit), f"TIFF resolution tags ({x:g} pixels per {unit})"
    )


def _pixels_per_unit(tif: tifffile.TiffFile, name: str) -> float | None:
    tag = tif.pages.first.tags.get(name)
    if tag is None or not isinstance(tag.value, tuple) or len(tag.value) != 2:
        return None
    above, below = tag.value
    return above / below if above and below else None


def _region(series: tifffile.TiffPageSeries, region: Region, path: Path) -> npt.NDArray[np.generic]:
    shape = tuple(int(n) for n in series.shape)
    dtype = np.dtype(series.dtype)
    tiffpage.refuse_too_large(shape, region, dtype)
    whole = series.size * dtype.itemsize
    if series.dataoffset is not None:
        if series.dataoffset + whole > path.stat().st_size:
            raise ImageError(
                f"The TIFF file is cut off: it promises {whole / 1e6:.1f} MB of image and holds "
                f"{path.stat().st_size / 1e6:.1f} MB. Copy it again from where it was recorded."
            )
        stored = dtype.newbyteorder(series.keyframe.parent.byteorder)
        mapped = np.memmap(path, dtype=stored, mode="r", offset=series.dataoffset, shape=shape)
        return np.array(mapped[region], dtype=dtype.newbyteorder("="))
    return tiffpage.read_pages(series, region, path.stat().st_size)
