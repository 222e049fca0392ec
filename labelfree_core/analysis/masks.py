"""Object or background: Otsu's threshold, the agreement of two masks, and clipping by one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labelfree_core.analysis.display import Limits, limits
from labelfree_core.analysis.within import check_region
from labelfree_core.errors import ImageError


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """
    How two masks agree, as two numbers and as three masks.

    Parameters
    ----------
    dice, iou : float
        1 is perfect, 0 is no overlap, NaN where neither mask holds anything.
    both, missed, extra : bool array, shape of the masks
        In both, in the observed one only, in the predicted one only.
    """

    dice: float
    iou: float
    both: np.ndarray
    missed: np.ndarray
    extra: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Clipped:
    """An observed image clipped by a mask, and the display limits of what is left."""

    voxels: np.ndarray
    limits: Limits


def otsu_threshold(voxels: np.ndarray) -> float:
    """
    Find Otsu's threshold over a whole stack at once.

    Parameters
    ----------
    voxels : array, shape (Z, Y, X) or (Y, X), any units
        The threshold moves with gain and offset, so the mask is that of the z-scored stack.

    Returns
    -------
    threshold : float
        In the units of *voxels*; the object is what lies strictly above it.

    Raises
    ------
    ImageError
        If a voxel is not a number.

    References
    ----------
    .. [1] Otsu (1979), IEEE Trans. Syst. Man Cybern. 9:62; 256 bins as in scikit-image.

    Examples
    --------
    >>> bool(0 < otsu_threshold(np.array([[0.0, 0.1, 9.9, 10.0]])) < 9.9)
    True
    """
    from skimage.filters import threshold_otsu

    if not (np.isfinite(voxels.min()) and np.isfinite(voxels.max())):
        raise ImageError(
            "The image holds values that are not numbers (NaN or infinite), and no threshold can be found. "
            "Save it again without them, or give a threshold."
        )
    # 256 bins for whole numbers too: as z-scores, which is how the rule is stated, they are floats.
    return float(threshold_otsu(voxels if voxels.dtype.kind == "f" else voxels.astype(np.float32)))


def mask(voxels: np.ndarray, threshold: float | None = None) -> np.ndarray:
    """
    Mark what lies strictly above a threshold.

    Parameters
    ----------
    voxels : array, any shape
    threshold : float, optional
        In the units of *voxels*; Otsu's where not given.

    Returns
    -------
    mask : bool array, same shape

    Examples
    --------
    >>> mask(np.array([1, 2, 3]), 2)
    array([False, False,  True])
    """
    return voxels > (otsu_threshold(voxels) if threshold is None else threshold)


def agreement(observed: np.ndarray, predicted: np.ndarray, *, region: np.ndarray | None = None) -> Agreement:
    """
    Compare the mask of the stain with the mask of the prediction.

    Parameters
    ----------
    observed, predicted : bool array, one shape
    region : bool array, same shape, optional
        Only what is inside counts; elsewhere the three masks are empty.

    Returns
    -------
    agreement : Agreement

    Raises
    ------
    ImageError
        If the two have different shapes.

    Examples
    --------
    >>> found = agreement(np.array([True, True, False]), np.array([True, False, True]))
    >>> found.dice, round(found.iou, 3)
    (0.5, 0.333)
    """
    if observed.shape != predicted.shape:
        raise ImageError(
            f"One mask has the shape {observed.shape} and the other {predicted.shape}; to be compared they "
            "have to lie on one grid. Resample one of the images and threshold it again."
        )
    observed, predicted = observed.astype(bool), predicted.astype(bool)
    if region is not None:
        check_region(region, observed.shape)
        observed, predicted = observed & region, predicted & region
    both, missed, extra = observed & predicted, observed & ~predicted, predicted & ~observed
    n_both, n_one = int(both.sum()), int(missed.sum()) + int(extra.sum())
    if n_both + n_one == 0:
        return Agreement(float("nan"), float("nan"), both, missed, extra)
    return Agreement(2 * n_both / (2 * n_both + n_one), n_both / (n_both + n_one), both, missed, extra)


def clip_to_mask(observed: np.ndarray, inside: np.ndarray) -> Clipped:
    """
    Set everything outside a mask to the lowest observed value, and find new display limits.

    Parameters
    ----------
    observed : array, shape (Z, Y, X) or (Y, X)
        The stain.
    inside : bool array, same shape
        Usually the mask of the prediction.

    Returns
    -------
    clipped : Clipped
        A new array of the dtype of *observed*, and limits recomputed on it.

    Examples
    --------
    >>> clip_to_mask(np.array([3, 7, 5]), np.array([False, True, False])).voxels
    array([3, 7, 3])
    """
    voxels = np.where(inside, observed, observed.min())
    return Clipped(voxels, limits(voxels))
