"""A quick look at a channel: a few planes of it, and a small picture."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from labelfree_core.images.reading import ImageFile

LUMINANCE = -1
# ITU-R BT.601, what Fiji and Pillow use.
LUMINANCE_WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)
_THUMBNAIL_PLANES = 16
# A look at an image takes about 300 MB of memory, however large the image is.
_MOST_VOXELS = 32_000_000


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
    # Means of blocks: single pixels would show noise where the eye expects cells.
    height, width = (max(1, n // step) for n in flat.shape)
    blocks = flat[: height * step, : width * step]
    small = blocks.reshape(height, min(step, blocks.shape[0]), width, -1).mean(axis=(1, 3))
    low, high = float(small.min()), float(np.percentile(small, 99))
    return (np.clip((small - low) / max(high - low, 1e-12), 0, 1) * 255).astype(np.uint8)


def survey(
    file: ImageFile,
    channel: int,
    *,
    planes: int = 16,
    axes: str | None = None,
    window_px: int | None = None,
) -> npt.NDArray[np.float32]:
    """
    A few evenly spaced planes of a channel at the first time point, whatever the file calls its stack axis.

    Of very large planes every second, third, ... row and column is taken.

    Parameters
    ----------
    file : ImageFile
    channel : int
        From 0; -1 for luminance.
    planes : int
        At most so many.
    axes : str or None
        What the axes really are; None for what the file says.
    window_px : int or None
        Only the middle of each plane, so wide and high, with every pixel.

    Returns
    -------
    planes : float32 array, shape (N, Y, X)

    Raises
    ------
    ImageError
        If the file can't be read.
    """
    letters = file.axes if axes is None else axes
    sizes = dict(zip(letters, file.shape, strict=True))
    colour = sizes.get("C", 1) == 1 and "S" in sizes
    along = stack_axis(letters, file.shape)
    parts: dict[str, int | slice] = {"C": 0 if colour else channel}
    parts["S"] = (slice(None) if channel == LUMINANCE else channel) if colour else 0
    parts[along] = every(sizes.get(along, 1), planes)
    count = min(sizes.get(along, 1), planes)
    for axis in "YX":
        step = coarser(count, sizes["Y"] * sizes["X"], _MOST_VOXELS)
        parts[axis] = _part(sizes[axis], step, window_px)
    kept = [axis for axis in letters if isinstance(parts.get(axis, 0), slice)]
    # One reading for all planes: opening a file of thousands of pages is what takes time.
    raw = file.region(tuple(parts.get(axis, 0) for axis in letters))
    order = [kept.index(axis) for axis in (along, *"YXS") if axis in kept]
    voxels: npt.NDArray[np.float32] = raw.transpose(order).astype(np.float32)
    if isinstance(parts["S"], slice):
        voxels = voxels[..., :3] @ LUMINANCE_WEIGHTS
    return voxels if voxels.ndim == 3 else voxels[None]


def coarser(planes: int, pixels: int, most: int) -> int:
    """
    How many rows, and columns, become one, so that so many planes have at most *most* pixels.

    Examples
    --------
    >>> coarser(16, 1024 * 1024, 32_000_000), coarser(1, 20_000 * 20_000, 32_000_000)
    (1, 4)
    """
    return max(1, math.ceil(math.sqrt(planes * pixels / most)))


def _part(length: int, step: int, window_px: int | None) -> slice:
    if window_px is None:
        return slice(0, length, step)
    start = max(0, (length - window_px) // 2)
    return slice(start, min(length, start + window_px))


def every(count: int, most: int) -> slice:
    """
    Slice of at most *most* of *count* planes, evenly spaced.

    Examples
    --------
    >>> every(9, 3), every(2, 16)
    (slice(1, 9, 3), slice(0, 2, 1))
    """
    step = max(1, -(-count // most))
    return slice((step - 1) // 2, count, step)


def spread(count: int, most: int) -> list[int]:
    """
    At most *most* numbers from 0 to *count* - 1, evenly spaced, both ends among them.

    Examples
    --------
    >>> spread(9, 3), spread(2, 16)
    ([0, 4, 8], [0, 1])
    """
    return [int(n) for n in np.unique(np.linspace(0, count - 1, min(most, count)).round())]


def stack_axis(axes: str, shape: tuple[int, ...]) -> str:
    """The axis that the planes run along: Z, else one without a meaning, else T."""
    long = [axis for axis, n in zip(axes, shape, strict=True) if axis not in "YXCS" and n > 1]
    return min(long, key=lambda axis: (axis != "Z", axis == "T"), default="Z")
