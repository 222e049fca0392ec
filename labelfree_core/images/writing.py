"""Write images that open anywhere with their axes, sizes and history, whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import tifffile

from labelfree_core import __version__
from labelfree_core.errors import ImageError
from labelfree_core.images import formats, ome, tiff
from labelfree_core.images.stack import ImageStack
from labelfree_core.images.text import file_name, plain_text

Provenance = Mapping[str, object]
# Where a classic TIFF with its 32-bit offsets ends.
_BIGTIFF_BYTES = 3_900_000_000


def write_stack(path: str | Path, stack: ImageStack, *, provenance: Provenance | None = None) -> None:
    """
    Write a stack as OME-TIFF, float32, with its axes, voxel size and provenance.

    Parameters
    ----------
    path : str or Path
        Appears whole or not at all; an older file of that name stays until the new one is complete.
    stack : ImageStack
    provenance : mapping or None
        JSON-ready, read back by :func:`read_provenance`. Name, hash, channel, units and whether the
        image is simulated are added from the stack.

    Raises
    ------
    ImageError
        If the folder can't be written to, or the disk is full.
    """
    # Straight into the file: a large stack is not held in memory a second time.
    with _whole(path, 4 * stack.voxels.size) as file:
        _stack_into(file, stack, provenance)


def encode_stack(stack: ImageStack, *, provenance: Provenance | None = None) -> bytes:
    """Return what :func:`write_stack` writes, for a download."""
    buffer = BytesIO()
    _stack_into(buffer, stack, provenance)
    return buffer.getvalue()


def _stack_into(file: BinaryIO, stack: ImageStack, provenance: Provenance | None) -> None:
    history = _history(stack, provenance)
    name = plain_text(str(history.get("structure") or stack.origin.channel_name or "image"))
    voxels = stack.voxels.astype(np.float32, copy=False)
    _tiff_into(file, voxels, stack.axes, stack.voxel_size_um, ([name], history), packed=False)


def write_mask(
    path: str | Path,
    mask: npt.NDArray[np.generic],
    voxel_size_um: tuple[float, ...] | None = None,
    *,
    provenance: Provenance | None = None,
) -> None:
    """
    Write a mask as 8-bit OME-TIFF of 0 and 255, which no viewer shows as black.

    Parameters
    ----------
    path : str or Path
    mask : array, shape (Z, Y, X) or (Y, X)
        True or non-zero inside.
    voxel_size_um : tuple of float or None
        In the order of the axes.
    provenance : mapping or None
        JSON-ready.

    Raises
    ------
    ImageError
        If the mask has other axes, or can't be written there.
    """
    write_bytes(path, encode_mask(mask, voxel_size_um, provenance=provenance))


def encode_mask(
    mask: npt.NDArray[np.generic],
    voxel_size_um: tuple[float, ...] | None = None,
    *,
    provenance: Provenance | None = None,
) -> bytes:
    """Return what :func:`write_mask` writes, for a download."""
    values = np.where(np.asarray(mask) != 0, np.uint8(255), np.uint8(0))
    axes = ImageStack(values, voxel_size_um).axes
    buffer = BytesIO()
    _tiff_into(buffer, values, axes, voxel_size_um, (["mask"], _software(provenance)), packed=True)
    return buffer.getvalue()


def write_channels(
    path: str | Path,
    channels: Mapping[str, npt.NDArray[np.generic]],
    voxel_size_um: tuple[float, ...] | None = None,
    *,
    provenance: Provenance | None = None,
) -> None:
    """
    Write several channels of one field as OME-TIFF, (Z, C, Y, X) or (C, Y, X), compressed without loss.

    Parameters
    ----------
    path : str or Path
    channels : mapping of name to array
        All of one shape and dtype, each (Z, Y, X) or (Y, X).
    voxel_size_um : tuple of float or None
        (z, y, x) or (y, x).
    provenance : mapping or None
        JSON-ready; ``"simulated": True`` marks an image that no microscope took.

    Raises
    ------
    ImageError
        If the channels differ in shape, or can't be written there.
    """
    write_bytes(path, encode_channels(channels, voxel_size_um, provenance=provenance))


def encode_channels(
    channels: Mapping[str, npt.NDArray[np.generic]],
    voxel_size_um: tuple[float, ...] | None = None,
    *,
    provenance: Provenance | None = None,
) -> bytes:
    """Return what :func:`write_channels` writes, for a download."""
    arrays = list(channels.values())
    if not arrays or len({(a.shape, a.dtype) for a in arrays}) > 1:
        found = ", ".join(f"{plain_text(name)} {a.shape} {a.dtype}" for name, a in channels.items()) or "none"
        raise ImageError(
            f"The channels differ: {found}; all need one shape and type. Resize or convert them first."
        )
    axes = ImageStack(arrays[0], voxel_size_um).axes
    voxels = np.stack(arrays, axis=arrays[0].ndim - 2)
    words = list(channels), _software(provenance)
    buffer = BytesIO()
    _tiff_into(buffer, voxels, axes[:-2] + "CYX", voxel_size_um, words, packed=True)
    return buffer.getvalue()


def read_provenance(path: str | Path) -> dict[str, object]:
    """
    Return what this software wrote into a file about its making; empty for a file from elsewhere.

    Raises
    ------
    ImageError
        If the file is no TIFF that can be read.

    Examples
    --------
    >>> read_provenance("missing.ome.tif")
    Traceback (most recent call last):
    labelfree_core.errors.ImageError: There is no file missing.ome.tif; ...
    """
    formats.opened(Path(path)).close()
    xml = tiff.tiff_description(Path(path))
    info = ome.parse_ome(xml, pages=1) if "OME" in xml[:2000] else None
    return info.provenance if info else ome.parse_provenance(xml)


def write_bytes(path: str | Path, data: bytes) -> None:
    """
    Write a file so that it appears whole or not at all, whatever happens in between.

    Raises
    ------
    ImageError
        If the folder can't be written to, or the disk is full.
    """
    with _whole(path, len(data)) as file:
        file.write(data)


@contextlib.contextmanager
def _whole(path: str | Path, size: int) -> Iterator[BinaryIO]:
    """Open a file of about *size* bytes that takes its place when all is written, or leaves no trace."""
    target = Path(path)
    if "\0" in str(target):
        raise _unwritable(target, size, "the name is not allowed")
    # In the same folder: only there does the last step replace the old file in one stroke.
    temporary = target.with_name(f".{file_name(target.name)[:40]}.{secrets.token_hex(6)}")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as problem:
        _forget(temporary)
        raise _unwritable(target, size, problem.strerror or "no room") from problem
    except BaseException:
        _forget(temporary)
        raise


def _unwritable(target: Path, size: int, reason: str) -> ImageError:
    return ImageError(
        f"{file_name(target.name)} ({size / 1e6:.1f} MB) can't be written: {reason}. Choose a folder that "
        "exists, that you may write to and that has room."
    )


def _forget(path: Path) -> None:
    with contextlib.suppress(OSError, ValueError):
        path.unlink(missing_ok=True)


def _history(stack: ImageStack, provenance: Provenance | None) -> dict[str, object]:
    origin = stack.origin
    known: dict[str, object] = {"source": origin.name, "units": stack.units, "simulated": origin.simulated}
    if origin.sha256:
        known["source_sha256"] = origin.sha256
    if origin.channel_name:
        known["source_channel"] = origin.channel_name
    return _software({**known, **(provenance or {})})


def _software(provenance: Provenance | None) -> dict[str, object]:
    return {"software": f"labelfree {__version__}", "simulated": False, **(provenance or {})}


def _tiff_into(
    file: BinaryIO,
    voxels: npt.NDArray[np.generic],
    axes: str,
    voxel_size_um: tuple[float, ...] | None,
    words: tuple[list[str], dict[str, object]],
    *,
    packed: bool,
) -> None:
    """Write an OME-TIFF; *words* are the channel names and the history."""
    names, history = words
    metadata: dict[str, object] = {
        "axes": axes,
        # ASCII, so that a reader of any age understands it.
        "Description": json.dumps({"labelfree": history}, default=str),
        "Channel": {"Name": names},
        "Name": names[0],
    }
    spatial = [axis for axis in axes if axis in "ZYX"]
    for axis, size in zip(spatial, voxel_size_um or (), strict=False):
        metadata[f"PhysicalSize{axis}"] = float(size)
        metadata[f"PhysicalSize{axis}Unit"] = "µm"
    tifffile.imwrite(
        file,
        voxels,
        ome=True,
        bigtiff=voxels.nbytes > _BIGTIFF_BYTES,
        photometric="minisblack",
        compression="zlib" if packed else None,
        predictor=packed and voxels.dtype.kind in "ui",
        metadata=metadata,
    )
