"""Object or background: Otsu's threshold, the agreement of two masks, and clipping by one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labelfree_core.analysis.display import Limits, limits
from labelfree_core.analysis.within import check_region
from labelfree_core.errors import ImageError

_SAMPLE_VOXELS = 200_000  # enough to meet nearly every grey value of a camera
_UNEVEN = 0.05  # of a grey value, that rounding may put it off its place


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


def whole_bins(voxels: np.ndarray, between: Limits, most: int) -> np.ndarray:
    """
    Choose the edges of a histogram so that each bin holds equally many grey values of the camera.

    Whole numbers in bins of two and a half, say, fall into them by twos and threes: a comb that is not in the
    image. Dividing by a standard deviation later leaves the numbers as evenly apart as they were.

    Parameters
    ----------
    voxels : array, any shape
        In any unit.
    between : (lo, hi)
        What the histogram is to span, at least.
    most : int
        Bins.

    Returns
    -------
    edges : float64 array
        At most ``most + 1``, evenly spaced; midway between grey values where the image has such.

    Examples
    --------
    >>> whole_bins(np.arange(0, 256), (0.0, 255.0), 160)[:4]
    array([-0.5,  1.5,  3.5,  5.5])
    """
    low, high = between if between[1] > between[0] else (between[0], between[0] + 1)
    step = _grey_step(voxels)
    if step is None:
        return np.linspace(low, high, most + 1)
    first = float(voxels.flat[0])  # some grey value, from which all others are whole steps away
    low = first + (np.floor((low - first) / step + _UNEVEN) - 0.5) * step
    values = int(np.ceil((high - low) / step - _UNEVEN))
    width = -(-values // most)
    return low + step * width * np.arange(-(-values // width) + 1)


def _grey_step(voxels: np.ndarray) -> float | None:
    """Return how far apart the grey values of an image lie; None where they lie anywhere."""
    flat = voxels.reshape(-1)
    found = np.unique(flat[:: max(1, flat.size // _SAMPLE_VOXELS)].astype(np.float64))
    gaps = np.diff(found)
    # Rounding to float32 leaves one number in several copies, a hair apart.
    gaps = gaps[gaps > 1e-6 * np.abs(found).max(initial=0.0)]
    if not gaps.size:
        return None
    whole = np.rint(gaps / gaps.min())
    step = float(gaps.sum() / whole.sum())
    return step if np.abs(gaps / step - whole).max() <= _UNEVEN else None


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
