"""Where a prediction fails, or is likely to: the few worst places, each with its position and its reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

# About a nucleus: finer speckle of an error map is no place to look at.
REGION_UM = 3.0
# Two regions are further apart than a cell.
APART_UM = 12.0
_EDGE = 0.5

Map = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Region:
    """
    One place to look at.

    Parameters
    ----------
    position_um : tuple of float
        (z, y, x) or (y, x) of its middle, from the first voxel of the image.
    position_px : tuple of int
        The same in voxels of the image's own grid.
    size_um : float
        Width of what is above half of its peak, in the plane.
    value : float
        Error (or disagreement) there, smoothed over 3 um, in units of the prediction.
    why : str
        One sentence.
    """

    position_um: tuple[float, ...]
    position_px: tuple[int, ...]
    size_um: float
    value: float
    why: str


@dataclass(frozen=True, slots=True)
class Grid:
    """
    How a map lies in an image: voxel size and first voxel of the map, and voxels of the image, in um.
    """

    voxel_size_um: tuple[float, ...]
    offset_um: tuple[float, ...]
    image_voxel_size_um: tuple[float, ...]


def worst_regions(
    values: Map, grid: Grid, why: Callable[[tuple[int, ...], float], str], *, count: int = 5
) -> tuple[Region, ...]:
    """
    Find the places where a map is highest.

    Parameters
    ----------
    values : array, shape (Z, Y, X) or (Y, X), not negative
        Error, expected error or disagreement.
    grid : Grid
    why : callable
        Makes the sentence from the voxel of *values* and the smoothed value there.
    count : int
        At most so many.

    Returns
    -------
    regions : tuple of Region
        The worst first. Places that do not rise above the map's own median are left out.

    Examples
    --------
    >>> values = np.zeros((64, 64)); values[20:26, 40:46] = 2.0
    >>> grid = Grid((1.0, 1.0), (0.0, 0.0), (0.5, 0.5))
    >>> [region.position_px for region in worst_regions(values, grid, lambda at, v: "bright")]
    [(45, 85)]
    """
    size = grid.voxel_size_um
    smooth = ndimage.gaussian_filter(
        np.asarray(values, np.float32), [REGION_UM / 2.355 / s for s in size], mode="nearest"
    )
    floor = float(np.median(smooth))
    left = smooth.copy()
    found: list[Region] = []
    while len(found) < count:
        at = tuple(int(i) for i in np.unravel_index(int(np.argmax(left)), left.shape))
        peak = float(left[at])
        if peak <= floor * 1.5 or peak <= 0:
            break
        found.append(_region(smooth, at, grid, why(at, peak)))
        around = tuple(
            slice(max(0, i - round(APART_UM / s)), i + round(APART_UM / s) + 1)
            for i, s in zip(at, size, strict=True)
        )
        left[around] = -np.inf
    return tuple(found)


def _region(smooth: Map, at: tuple[int, ...], grid: Grid, why: str) -> Region:
    size = grid.voxel_size_um
    y, x = at[-2:]
    reach = [max(1, round(APART_UM / s)) for s in size[-2:]]
    y0, x0 = max(0, y - reach[0]), max(0, x - reach[1])
    plane = smooth[at[0]] if smooth.ndim == 3 else smooth
    near = plane[y0 : y + reach[0] + 1, x0 : x + reach[1] + 1]
    labels, _ = ndimage.label(near >= _EDGE * smooth[at])
    pixels = int(np.count_nonzero(labels == labels[y - y0, x - x0]))
    position = tuple((i + 0.5) * s + o for i, s, o in zip(at, size, grid.offset_um, strict=True))
    own = tuple(int(p / s) for p, s in zip(position, grid.image_voxel_size_um, strict=True))
    width = 2 * float(np.sqrt(pixels * size[-2] * size[-1] / np.pi))
    return Region(position, own, width, float(smooth[at]), why)
