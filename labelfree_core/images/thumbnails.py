"""A quick look at a channel: a few planes of it, and a small picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from labelfree_core.images.reading import ImageFile

LUMINANCE = -1
# ITU-R BT.601, what Fiji and Pillow use.
LUMINANCE_WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)
_THUMBNAIL_PLANES = 16


def thumbnail(file: ImageFile, channel: int, *, size_px: int = 256) -> npt.NDArray[np.uint8]:
    """
    Small grey picture of a channel: maximum over at most 16 planes, white at the 99th percentile.

    Parameters
    ----------
    file : ImageFile
    channel : int
        From 0; -1 for the luminance of a colour image.
    size_px : int
        Longest side of the picture.

    Returns
    -------
    picture : uint8 array, shape (Y, X)

    Raises
    ------
    ImageError
        If the file can't be read.
    """
    planes = survey(file, channel, planes=_THUMBNAIL_PLANES)
    flat = np.nan_to_num(planes, nan=0.0, posinf=0.0, neginf=0.0).max(axis=0)
    step = max(1, -(-max(flat.shape) // size_px))
    small = flat[::step, ::step]
    low, high = float(small.min()), float(np.percentile(small, 99))
    return (np.clip((small - low) / max(high - low, 1e-12), 0, 1) * 255).astype(np.uint8)


def survey(file: ImageFile, channel: int, *, planes: int = 16, time: int = 0) -> npt.NDArray[np.float32]:
    """
    A few evenly spaced planes of a channel, whatever the file calls its stack axis.

    Parameters
    ----------
    file : ImageFile
    channel : int
        From 0; -1 for luminance.
    planes : int
        At most so many; the middle of each part of the stack.
    time : int
        Used where the file has both z and time.

    Returns
    -------
    planes : float32 array, shape (N, Y, X)

    Raises
    ------
    ImageError
        If the file can't be read.
    """
    colour = file.sizes.get("C", 1) == 1 and "S" in file.axes
    along = stack_axis(file)
    count = file.sizes.get(along, 1)
    chosen = np.unique(np.linspace(0, count - 1, min(planes, count)).round().astype(int))
    parts: dict[str, int | slice] = {
        "Y": slice(None),
        "X": slice(None),
        "T": time,
        "C": 0 if colour else channel,
    }
    parts["S"] = (slice(None) if channel == LUMINANCE else channel) if colour else 0
    kept = [axis for axis in file.axes if axis in "YX" or (axis == "S" and isinstance(parts["S"], slice))]
    order = [kept.index(axis) for axis in "YXS" if axis in kept]
    out = []
    for number in chosen:
        parts[along] = int(number)
        plane = (
            file.region(tuple(parts.get(axis, 0) for axis in file.axes)).transpose(order).astype(np.float32)
        )
        out.append(plane[..., :3] @ LUMINANCE_WEIGHTS if plane.ndim == 3 else plane)
    return np.stack(out)


def stack_axis(file: ImageFile) -> str:
    """The axis that the planes of the file run along: Z, else one without a meaning, else T."""
    long = [axis for axis in file.axes if axis not in "YXCS" and file.sizes[axis] > 1]
    for axis in sorted(long, key=lambda a: (a != "Z", a == "T")):
        return axis
    return "Z"
