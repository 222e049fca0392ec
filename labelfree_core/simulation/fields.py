"""Smooth random fields and small dots: the raw material of every phantom, from one generator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Volume = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Grid:
    """The voxels of a phantom: how many in (Z, Y, X), and their size in micrometres."""

    shape: tuple[int, int, int]
    voxel_size_um: tuple[float, float, float]

    @property
    def extent_um(self) -> tuple[float, float, float]:
        """Edge lengths (z, y, x) in micrometres."""
        z, y, x = (n * size for n, size in zip(self.shape, self.voxel_size_um, strict=True))
        return z, y, x

    def axes_um(self) -> tuple[Volume, Volume, Volume]:
        """Return broadcastable z, y and x coordinates of the voxel centres in micrometres."""
        z, y, x = (
            ((np.arange(n) + 0.5) * size).astype(np.float32)
            for n, size in zip(self.shape, self.voxel_size_um, strict=True)
        )
        return z[:, None, None], y[None, :, None], x[None, None, :]

    def window(self, centre_um: npt.ArrayLike, reach_um: npt.ArrayLike) -> tuple[slice, slice, slice]:
        """Slices of the voxels within *reach_um* of *centre_um* along each axis (may be empty)."""
        centre = np.asarray(centre_um, dtype=np.float64)
        reach = np.broadcast_to(np.asarray(reach_um, dtype=np.float64), (3,))
        size = np.asarray(self.voxel_size_um)
        low = np.clip(np.floor((centre - reach) / size), 0, self.shape).astype(int)
        high = np.clip(np.ceil((centre + reach) / size), 0, self.shape).astype(int)
        z, y, x = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        return z, y, x


def _spline_rows(count: int, size_um: float, scale_um: float) -> tuple[Volume, int]:
    """Cubic B-spline weights (count, knots) that turn knot values into a smooth line."""
    position = (np.arange(count) * size_um) / scale_um
    knots = int(np.floor(position[-1])) + 5
    distance = np.abs(position[:, None] + 2.0 - np.arange(knots)[None, :])
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.clip(2 - distance, 0, None) ** 3 / 6
    return np.where(distance < 1, near, far).astype(np.float32), knots


def smooth_noise(rng: np.random.Generator, grid: Grid, scale_um: float) -> Volume:
    """
    Draw a smooth random field of zero mean and unit standard deviation.

    Parameters
    ----------
    rng : numpy.random.Generator
        Its state decides the field.
    grid : Grid
        Voxels to fill.
    scale_um : float, micrometres
        Distance over which the field changes.

    Returns
    -------
    field : float32 array, shape (Z, Y, X), unitless
    """
    if scale_um < 2.5 * min(grid.voxel_size_um):
        white = rng.standard_normal(grid.shape, dtype=np.float32)
        field = ndimage.gaussian_filter(white, [0.6 * scale_um / size for size in grid.voxel_size_um])
    else:
        rows = [_spline_rows(n, s, scale_um) for n, s in zip(grid.shape, grid.voxel_size_um, strict=True)]
        knots = rng.standard_normal(tuple(count for _, count in rows), dtype=np.float32)
        field = np.tensordot(rows[0][0], knots, axes=(1, 0))
        field = np.tensordot(field, rows[1][0], axes=(1, 1))
        field = np.tensordot(field, rows[2][0], axes=(1, 1))
    spread = float(field.std(dtype=np.float64))
    return ((field - np.float32(field.mean(dtype=np.float64))) / np.float32(max(spread, 1e-6))).astype(
        np.float32
    )


def dots(
    grid: Grid, points_um: npt.NDArray[np.floating], amount_um3: npt.ArrayLike, blur_um: float
) -> Volume:
    """
    Spread *amount_um3* (volume times height) at each point over a small Gaussian.

    Parameters
    ----------
    grid : Grid
        Voxels to fill.
    points_um : array, shape (n, 3), micrometres (z, y, x)
        Points outside the grid are left out.
    amount_um3 : array, shape (n,) or scalar
        Integral of each dot, so a sphere of radius r and height h has 4/3 pi r^3 h.
    blur_um : float, micrometres
        Standard deviation of the Gaussian.

    Returns
    -------
    volume : float32 array, shape (Z, Y, X)
    """
    index = np.floor(points_um / np.asarray(grid.voxel_size_um)).astype(np.int64)
    inside = np.all((index >= 0) & (index < np.asarray(grid.shape)), axis=1)
    flat = np.ravel_multi_index(tuple(index[inside].T), grid.shape)
    weight = np.broadcast_to(np.asarray(amount_um3, dtype=np.float64), (len(points_um),))[inside]
    volume = np.bincount(flat, weights=weight, minlength=int(np.prod(grid.shape))).reshape(grid.shape)
    volume = (volume / np.prod(grid.voxel_size_um)).astype(np.float32)
    return ndimage.gaussian_filter(volume, [blur_um / s for s in grid.voxel_size_um], truncate=3.0)


def filled(distance_um: Volume, grid: Grid) -> Volume:
    """Fraction of each voxel inside a surface, from the signed distance (positive inside)."""
    return np.clip(0.5 + distance_um / np.float32(min(grid.voxel_size_um)), 0, 1).astype(np.float32)
