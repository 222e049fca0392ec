"""From voxels to something to look at: limits, projections, colours. Nothing here is for measuring in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labelfree_core.images.intensity import percentiles

Limits = tuple[float, float]
Colour = tuple[float, float, float]

# Of the observed image, and used for the predicted one too. The lower one is 0.02 percent, not 2.
LOW_PERCENTILE = 0.02
HIGH_PERCENTILE = 99.8
# What a network answers to an empty field lies within a fraction of a standard deviation of its stain; cells
# span several. Where a prediction spans less than this, most of the scale stays unused, so that noise and the
# seams between tiles look as faint as they are.
LEAST_Z_SPAN = 2.0
# Channels before anything is compared: grey, white at the 99th percentile.
THUMBNAIL_PERCENTILE = 99.0

# Told apart by people with any form of colour blindness; where both are present the sum is white.
GREEN: Colour = (0.0, 1.0, 0.0)
MAGENTA: Colour = (1.0, 0.0, 1.0)


def limits(observed: np.ndarray, low: float = LOW_PERCENTILE, high: float = HIGH_PERCENTILE) -> Limits:
    """
    Find the intensities to show as black and as white.

    Parameters
    ----------
    observed : array, any shape
        The stain as it was measured; the same limits then serve for the predicted image.
    low, high : float, percent
        The defaults are those of the published tutorial.

    Returns
    -------
    lo, hi : float
        In the units of *observed*.

    Examples
    --------
    >>> limits(np.arange(10001.0))
    (2.0, 9980.0)
    """
    lo, hi = percentiles(observed, (low, high))
    return lo, hi


def own_limits(predicted: np.ndarray, units: str) -> Limits:
    """
    Find black and white of a prediction by itself, without making an empty one look full.

    Parameters
    ----------
    predicted : array, any shape
        As the model answered, not standardised since.
    units : str
        Of the model's card.

    Returns
    -------
    lo, hi : float
        0 and 1 for a score, whatever it reaches; otherwise :func:`limits`, and for a z-score at least
        ``LEAST_Z_SPAN`` apart, with black where the percentile has it.

    Examples
    --------
    >>> own_limits(np.linspace(-0.5, -0.4, 11), "z-score of the training stain")[1].__round__(2)
    1.5
    >>> own_limits(np.linspace(0.2, 0.4, 11), "score of the segmentation")
    (0.0, 1.0)
    """
    if units.lower().startswith("score"):
        return 0.0, 1.0
    lo, hi = limits(predicted)
    return lo, max(hi, lo + LEAST_Z_SPAN) if units.lower().startswith("z-score") else hi


def rescale(voxels: np.ndarray, between: Limits) -> np.ndarray:
    """
    Map ``between`` to [0, 1] and clip what lies outside.

    Parameters
    ----------
    voxels : array, any shape
        Intensities in the units of the limits.
    between : (lo, hi)
        Usually from :func:`limits`.

    Returns
    -------
    rescaled : float32 array, same shape
        0 is black, 1 is white. Where lo equals hi, what exceeds it is white.

    Examples
    --------
    >>> rescale(np.array([0.0, 15.0, 99.0]), (10.0, 20.0))
    array([0. , 0.5, 1. ], dtype=float32)
    """
    lo, hi = between
    if hi <= lo:
        return (voxels > lo).astype(np.float32)
    return np.clip((voxels - np.float64(lo)) / (hi - lo), 0.0, 1.0).astype(np.float32)


def project(voxels: np.ndarray, how: str = "max", axis: int = 0) -> np.ndarray:
    """
    Flatten a stack along one axis.

    Parameters
    ----------
    voxels : array, shape (Z, Y, X) or (Y, X)
        A single plane is its own projection along z.
    how : {"max", "mean"}
        Images are shown by maximum, differences by mean.
    axis : int
        0 looks down on the dish (YX), 1 gives XZ, 2 gives YZ.

    Returns
    -------
    projection : array, 2-D

    Raises
    ------
    ValueError
        For any other *how*.

    Examples
    --------
    >>> project(np.array([[[1, 5]], [[3, 2]]]))
    array([[3, 5]])
    """
    if how not in ("max", "mean"):
        raise ValueError(f"A projection is 'max' or 'mean', not {how!r}.")
    if voxels.ndim == 2:
        return voxels.copy()
    return voxels.max(axis=axis) if how == "max" else voxels.mean(axis=axis, dtype=np.float64)


def to_uint8(grey: np.ndarray) -> np.ndarray:
    """
    Turn [0, 1] into 0..255, rounded.

    Examples
    --------
    >>> to_uint8(np.array([0.0, 0.5, 1.0]))
    array([  0, 128, 255], dtype=uint8)
    """
    return np.round(np.clip(grey, 0.0, 1.0) * 255).astype(np.uint8)


def picture(voxels: np.ndarray, between: Limits, how: str = "max", axis: int = 0) -> np.ndarray:
    """
    Rescale, then project: the picture of a stack as the tutorial shows it.

    Parameters
    ----------
    voxels : array, shape (Z, Y, X) or (Y, X)
    between : (lo, hi)
        In the units of *voxels*.
    how, axis
        As in :func:`project`.

    Returns
    -------
    picture : uint8 array, 2-D
    """
    if how == "max":  # maximum and clip may change places; the projection is the smaller array
        return to_uint8(rescale(project(voxels, how, axis), between))
    return to_uint8(project(rescale(voxels, between), how, axis))


def thumbnail(voxels: np.ndarray) -> np.ndarray:
    """
    Show one channel before anything is known about it: maximum projection, white at the 99th percentile.

    Parameters
    ----------
    voxels : array, shape (Z, Y, X) or (Y, X)

    Returns
    -------
    thumbnail : uint8 array, shape (Y, X)
        Full size; black is the lowest value of the projection.
    """
    flat = project(voxels)
    return to_uint8(rescale(flat, (float(flat.min()), float(np.percentile(flat, THUMBNAIL_PERCENTILE)))))


def merge(layers: Sequence[tuple[np.ndarray, Colour]]) -> np.ndarray:
    """
    Add grey pictures, each in its colour.

    Parameters
    ----------
    layers : sequence of (array in [0, 1], colour)
        All of one shape (Y, X); colours are red, green, blue in [0, 1].

    Returns
    -------
    merged : uint8 array, shape (Y, X, 3)

    Examples
    --------
    >>> merge([(np.array([[1.0, 0.0]]), GREEN), (np.array([[1.0, 1.0]]), MAGENTA)])
    array([[[255, 255, 255],
            [255,   0, 255]]], dtype=uint8)
    """
    total = np.zeros((*layers[0][0].shape, 3), np.float32)
    for grey, colour in layers:
        total += grey[..., None].astype(np.float32) * np.asarray(colour, np.float32)
    return to_uint8(total)
