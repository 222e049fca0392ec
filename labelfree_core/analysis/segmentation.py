"""Whether an image was painted by software (a mask, labels) or seen by a camera."""

from __future__ import annotations

import numpy as np

# Labels beyond this are renumbered before they are counted.
MAX_LABEL = 1_000_000
# Share of equal neighbours inside objects: above 0.8 in label images, below 0.4 in camera images.
PATCHY = 0.6


def is_segmentation(voxels: np.ndarray) -> bool:
    """
    Tell a mask or a label image from a camera image.

    One rule for everything that asks: a segmentation has no camera noise to judge, its numbers are no
    intensities, and it is compared as a mask.

    Examples
    --------
    >>> is_segmentation(np.array([[0, 255], [255, 0]])), is_segmentation(np.array([[0.0, 0.2], [0.9, 0.1]]))
    (True, False)
    """
    return is_mask(voxels) or is_labelled(voxels)


def is_mask(voxels: np.ndarray) -> bool:
    """Tell a segmentation with two values from an image, without sorting every voxel."""
    lo, hi = voxels.min(), voxels.max()
    return bool(np.all((voxels == lo) | (voxels == hi)))


def is_labelled(voxels: np.ndarray) -> bool:
    """
    Tell a label image from a camera image and from a mask.

    It holds whole numbers from 0, at least two beside it, and neighbours in objects are mostly equal.
    """
    if voxels.dtype.kind not in "iu" or voxels.min() != 0 or voxels.max() < 2:
        return False
    left, right = voxels[..., :-1], voxels[..., 1:]
    inside = (left > 0) & (right > 0)
    if not inside.any() or np.mean(left[inside] == right[inside]) < PATCHY:
        return False
    return bool(np.count_nonzero(np.bincount(renumbered(voxels).ravel())) > 2)


def renumbered(voxels: np.ndarray) -> np.ndarray:
    """Return labels as int32; very large ones are renumbered, else a table of them fills the memory."""
    if int(voxels.max()) <= MAX_LABEL:
        return voxels.astype(np.int32)
    return np.unique(voxels, return_inverse=True)[1].reshape(voxels.shape).astype(np.int32)
