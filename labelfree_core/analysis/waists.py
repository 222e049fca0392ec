"""Objects that touch, cut apart at their waists."""

from __future__ import annotations

import numpy as np

# How much a waist has to stand out, and how far the distance to the border is smoothed, in um.
WAIST_UM, SMOOTHING_UM = 0.75, 0.6


def cut_at_waists(pieces: np.ndarray, size_um: tuple[float, ...], waist_um: float = WAIST_UM) -> np.ndarray:
    """
    Cut every piece where it is thinner than on both sides.

    Piece by piece: most have no waist, and what is outside of them costs nothing.

    Parameters
    ----------
    pieces : int array, shape (Z, Y, X) or (Y, X)
        0 is background.
    size_um : tuple of float
        Voxel size, in the order of the axes.
    waist_um : float
        How much the distance to the border has to rise from a waist to the middles on both sides.

    Returns
    -------
    labels : int32 array, same shape
        Parts count from 1, in the order of their pieces.

    Examples
    --------
    >>> pieces = np.array([[1, 1, 0, 2]])
    >>> cut_at_waists(pieces, (1.0, 1.0))
    array([[1, 1, 0, 2]], dtype=int32)
    """
    from scipy import ndimage

    labels, count = np.zeros(pieces.shape, np.int32), 0
    for number, box in enumerate(ndimage.find_objects(pieces), 1):
        if box is None:
            continue
        piece = pieces[box] == number
        parts = piece.astype(np.int32)
        if not piece.all():  # a brick has no waist
            parts = _cut(piece, _depth(pieces, number, box, size_um), waist_um)
        labels[box][piece] = parts[piece] + count
        count += int(parts.max())
    return labels


def _depth(pieces: np.ndarray, number: int, box: tuple[slice, ...], size_um: tuple[float, ...]) -> np.ndarray:
    """Distance of one piece's voxels to the background, smoothed as far as what is around it matters."""
    from scipy import ndimage

    sigmas = [SMOOTHING_UM / size for size in size_um]
    starts = [max(part.start - int(np.ceil(4 * s)), 0) for part, s in zip(box, sigmas, strict=True)]
    wide = tuple(
        slice(start, part.stop + int(np.ceil(4 * s)))
        for start, part, s in zip(starts, box, sigmas, strict=True)
    )
    depth = ndimage.distance_transform_edt(pieces[wide] == number, sampling=size_um)
    inner = tuple(
        slice(part.start - start, part.stop - start) for part, start in zip(box, starts, strict=True)
    )
    return ndimage.gaussian_filter(depth, sigmas)[inner]


def _cut(piece: np.ndarray, depth: np.ndarray, waist_um: float) -> np.ndarray:
    """Cut one piece between those tops of its *depth* that stand out."""
    from scipy import ndimage
    from skimage.morphology import reconstruction
    from skimage.segmentation import watershed

    depth = np.where(piece, depth, 0)
    # A top that stands out is as deep as the waist at least.
    if np.count_nonzero((depth >= waist_um) & (depth == ndimage.maximum_filter(depth, 3))) < 2:
        return piece.astype(np.int32)
    tops = piece & (depth - reconstruction(depth - waist_um, depth) >= 0.999 * waist_um)
    seeds, found = ndimage.label(tops, structure=np.ones((3,) * piece.ndim))
    return watershed(-depth, seeds, mask=piece).astype(np.int32) if found > 1 else piece.astype(np.int32)
