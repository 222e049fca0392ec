"""
Blurs and medians of planes, made of a few dense products and comparisons.

They give what ``scipy.ndimage`` and ``numpy.median`` give, up to rounding, in a fraction of the time.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Planes = npt.NDArray[np.float32]
_STRIP = 16  # rows of a few planes that stay in the processor's cache together
_PIECE = 64  # rows blurred at once; with fewer the products are too small, with more they are mostly zeros


def blur_rows(planes: Planes, sigma_px: float) -> Planes:
    """
    Blur along Y like ``scipy.ndimage.gaussian_filter1d(..., axis=-2, mode="nearest")``.

    Parameters
    ----------
    planes : float32 array, shape (..., Y, X)
    sigma_px : float

    Returns
    -------
    blurred : float32 array, same shape

    Examples
    --------
    >>> blur_rows(np.full((4, 3), 7, np.float32), 1.0)[0].tolist()
    [7.0, 7.0, 7.0]
    """
    return _weighed_rows(planes, _gaussian(sigma_px))


def blur(planes: Planes, sigma_px: float, *, truncate: float = 4.0) -> Planes:
    """
    Blur along Y and X, like ``scipy.ndimage.gaussian_filter(..., mode="nearest")`` plane by plane.

    Parameters
    ----------
    planes : float32 array, shape (..., Y, X)
    sigma_px : float
    truncate : float
        Where the weights end, in *sigma_px*.
    """
    weights = _gaussian(sigma_px, truncate)
    return _weighed_columns(_weighed_rows(planes, weights), weights)


def blur_columns(planes: Planes, sigma_px: float) -> Planes:
    """Blur along X; as :func:`blur_rows`."""
    return _weighed_columns(planes, _gaussian(sigma_px))


def box_mean(planes: Planes, size_px: int) -> Planes:
    """
    Mean of the square around each pixel, like ``scipy.ndimage.uniform_filter(..., mode="nearest")``.

    Parameters
    ----------
    planes : float32 array, shape (..., Y, X)
    size_px : int
        Side of the square, odd.
    """
    weights = (1.0 / size_px,) * size_px
    return _weighed_columns(_weighed_rows(planes, weights), weights)


def median_plane(planes: Planes) -> Planes:
    """
    Median over the first axis, like ``numpy.median(planes, axis=0)``; for a few planes.

    Examples
    --------
    >>> median_plane(np.float32([[5, 1], [3, 2], [4, 9]])).tolist()
    [4.0, 2.0]
    """
    out = np.empty_like(planes[0])
    for start in range(0, planes.shape[1], _STRIP):
        out[start : start + _STRIP] = _median_rows(list(planes[:, start : start + _STRIP]))
    return out


def _median_rows(ordered: list[Planes]) -> Planes:
    """Let neighbours change places until all are in order: whole rows at a time, not pixel by pixel."""
    count = len(ordered)
    for turn in range(count):
        for i in range(turn % 2, count - 1, 2):
            ordered[i], ordered[i + 1] = np.minimum(*ordered[i : i + 2]), np.maximum(*ordered[i : i + 2])
    low, high = ordered[(count - 1) // 2], ordered[count // 2]
    return low if low is high else np.asarray((low + high) / 2, np.float32)


def row_medians(rows: Planes) -> Planes:
    """
    Median of each row, like ``numpy.median(rows, axis=1)``; by sorting, which is quicker for short rows.

    Examples
    --------
    >>> row_medians(np.float32([[5, 1, 3], [2, 9, 4]])).tolist()
    [3.0, 4.0]
    """
    ordered = np.array(rows, order="C")
    ordered.sort(axis=1)
    count = rows.shape[1]
    return np.asarray((ordered[:, (count - 1) // 2] + ordered[:, count // 2]) / 2, np.float32)


@lru_cache(maxsize=8)
def _gaussian(sigma_px: float, truncate: float = 4.0) -> tuple[float, ...]:
    reach = int(truncate * sigma_px + 0.5)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma_px) ** 2)
    return tuple(weights / weights.sum())


@lru_cache(maxsize=32)
def _band(weights: tuple[float, ...], rows: int, above: int, below: int) -> Planes:
    """
    Matrix (rows, above + rows + below) whose product with a piece of a plane weighs its rows.

    Where the plane has fewer rows above or below the piece than the weights reach, its first or last row
    stands for those that are missing.
    """
    reach = len(weights) // 2
    band = np.zeros((rows, rows + 2 * reach), np.float32)
    for row in range(rows):
        band[row, row : row + len(weights)] = weights
    first, last = reach - above, reach + rows + below - 1
    band[:, first] += band[:, :first].sum(axis=1)
    band[:, last] += band[:, last + 1 :].sum(axis=1)
    return np.ascontiguousarray(band[:, first : last + 1])


def _pieces(size: int, weights: tuple[float, ...]) -> Iterator[tuple[slice, slice, Planes]]:
    """For each piece of an axis: where it goes, what it is made from, and the weights of that."""
    reach = len(weights) // 2
    for start in range(0, size, _PIECE):
        stop = min(start + _PIECE, size)
        above, below = min(reach, start), min(reach, size - stop)
        yield (
            slice(start, stop),
            slice(start - above, stop + below),
            _band(weights, stop - start, above, below),
        )


def _weighed_rows(planes: Planes, weights: tuple[float, ...]) -> Planes:
    out = np.empty_like(planes, order="C")
    for piece, source, band in _pieces(planes.shape[-2], weights):
        np.matmul(band, planes[..., source, :], out=out[..., piece, :])
    return out


def _weighed_columns(planes: Planes, weights: tuple[float, ...]) -> Planes:
    out = np.empty_like(planes, order="C")
    for piece, source, band in _pieces(planes.shape[-1], weights):
        np.matmul(planes[..., source], band.T, out=out[..., piece])
    return out
