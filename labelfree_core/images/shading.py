"""Light that changes over the field, taken out."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from labelfree_core.errors import ImageError
from labelfree_core.images.filters import blur


def flatten(voxels: npt.NDArray[np.generic], *, sigma_px: float) -> npt.NDArray[np.float32]:
    """
    Divide each plane by its own wide Gaussian blur: takes shading and a drifting lamp out.

    Parameters
    ----------
    voxels : array, shape (Z, Y, X) or (Y, X), camera counts
        Not negative.
    sigma_px : float
        Width of the blur in pixels: several cells wide, else the cells go too.

    Returns
    -------
    flat : float32 array, same shape, unitless
        About 1 where the image is as bright as its surroundings.

    Raises
    ------
    ImageError
        If *sigma_px* is no positive number.

    Examples
    --------
    >>> round(float(flatten(np.full((8, 8), 7, np.uint16), sigma_px=3).mean()), 6)
    1.0
    """
    if not (np.isfinite(sigma_px) and sigma_px > 0):
        raise ImageError(
            f"A blur of {sigma_px} pixels can't flatten an image; give a width above 0, e.g. 50."
        )
    planes = voxels if voxels.ndim == 3 else voxels[None]
    out = np.empty(planes.shape, np.float32)
    for plane, flat in zip(planes, out, strict=True):
        bright = plane.astype(np.float32)
        shade = _wide_blur(bright, sigma_px)
        floor = np.float32(max(1e-3 * float(shade.max()), float(np.finfo(np.float32).tiny)))
        np.divide(bright, np.maximum(shade, floor), out=flat)
    return out if voxels.ndim == 3 else out[0]


def _wide_blur(plane: npt.NDArray[np.float32], sigma_px: float) -> npt.NDArray[np.float32]:
    """Gaussian blur; a wide one is taken from block means, whose loss is far below the camera's noise."""
    block = max(1, int(sigma_px // 8))
    if block == 1:
        return blur(plane, sigma_px, truncate=3.0)
    height, width = plane.shape
    padded = np.pad(plane, ((0, -height % block), (0, -width % block)), mode="edge")
    small = padded.reshape(padded.shape[0] // block, block, -1, block).mean(axis=(1, 3))
    blurred = blur(small, sigma_px / block, truncate=3.0)
    rows, columns = (_between(n, block) for n in blurred.shape)
    whole: npt.NDArray[np.float32] = np.asarray(rows[:height] @ blurred @ columns[:width].T, np.float32)
    return whole


@lru_cache(maxsize=8)
def _between(count: int, block: int) -> npt.NDArray[np.float32]:
    """Weights (count * block, count) that draw straight lines between the middles of blocks."""
    places = np.clip((np.arange(count * block) + 0.5) / block - 0.5, 0, count - 1)
    return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(count))).astype(np.float32)
