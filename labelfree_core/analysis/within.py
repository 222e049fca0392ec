"""A region of interest: where the observed image says something, and where it is only empty of knowledge."""

from __future__ import annotations

import numpy as np

from labelfree_core.errors import ImageError
from labelfree_core.images.stack import ImageStack

# An object belongs to the region where at least this share of it lies inside.
MOSTLY = 0.5


def region_mask(region: ImageStack) -> np.ndarray:
    """
    Turn a region channel into a mask: what is above zero is inside.

    Parameters
    ----------
    region : ImageStack
        A mask or a label image, such as the segmentation of complete cells.

    Returns
    -------
    inside : bool array, shape of the stack

    Raises
    ------
    ImageError
        If it marks nothing.

    Examples
    --------
    >>> region_mask(ImageStack(np.array([[0, 7], [0, 255]]))).tolist()
    [[False, True], [False, True]]
    """
    inside = np.greater(np.asarray(region.voxels, np.float32), 0)
    if not inside.any():
        named = region.origin.channel_name or region.origin.name
        raise ImageError(
            f"The region '{named}' marks no voxel, so nothing is left to score. Choose a channel that is "
            "above zero where the stain is known, or score the whole field."
        )
    return inside


def check_region(region: np.ndarray, shape: tuple[int, ...]) -> None:
    """Refuse a region that does not lie on the grid of the images."""
    if region.shape != shape:
        raise ImageError(
            f"The region has the shape {region.shape} and the images {shape}; it has to lie on the same "
            "voxels. Take the region from the file of the observed image."
        )
    if not region.any():
        raise ImageError(
            "The region marks no voxel of the compared part, so nothing is left to score. Choose another "
            "region, or score the whole field."
        )


def keep_inside(labels: np.ndarray, region: np.ndarray) -> np.ndarray:
    """
    Drop the objects that lie mostly outside a region; the others stay whole and keep their numbers.

    Parameters
    ----------
    labels : int array, shape (Z, Y, X) or (Y, X)
    region : bool array, same shape

    Returns
    -------
    labels : int array, same shape

    Examples
    --------
    >>> keep_inside(np.array([[1, 1, 1, 0, 2]]), np.array([[True, True, False, False, False]])).tolist()
    [[1, 1, 1, 0, 0]]
    """
    check_region(region, labels.shape)
    sizes = np.bincount(labels.ravel())
    inside = np.bincount(labels[region].ravel(), minlength=len(sizes))
    kept = inside >= MOSTLY * sizes
    return np.where(kept[labels], labels, 0).astype(labels.dtype)
