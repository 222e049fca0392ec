"""How two images rise and fall together: over all voxels, and at each spatial frequency."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

PIECE = 1 << 20


def pearson_r(first: np.ndarray, second: np.ndarray) -> float:
    """
    Correlate two images voxel by voxel; gain and offset of either do not matter.

    Examples
    --------
    >>> round(pearson_r(np.array([1.0, 2.0, 4.0]), np.array([-1.0, -2.0, -4.0])), 6)
    -1.0
    """
    mean_a, mean_b = np.mean(first, dtype=np.float64), np.mean(second, dtype=np.float64)
    power_a = power_b = cross = 0.0
    for part_a, part_b in parts(first, second):
        a, b = part_a - mean_a, part_b - mean_b
        power_a, power_b, cross = power_a + float(a @ a), power_b + float(b @ b), cross + float(a @ b)
    length = math.sqrt(power_a) * math.sqrt(power_b)
    return float(np.clip(cross / length, -1, 1)) if length > 0 else float("nan")


def spectral_pcc(observed: np.ndarray, predicted: np.ndarray) -> float:
    """
    Average the correlation of two images over spatial frequencies, fine detail counting like coarse.

    Fourier coefficients of all planes fall into rings one frequency step of the shorter side wide; each
    ring gives one correlation; their mean, from the first ring to Nyquist, is returned.

    Parameters
    ----------
    observed, predicted : array, shape (Z, Y, X) or (Y, X)

    Returns
    -------
    correlation : float
        1 is perfect at every frequency; NaN for planes without two rings.
    """
    from scipy.fft import rfft2

    first, second = (voxels if voxels.ndim == 3 else voxels[None] for voxels in (observed, predicted))
    height, width = first.shape[1:]
    rings = min(height, width) // 2
    if rings < 2:
        return float("nan")
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    ring = np.minimum((radius * 2 * rings).round().astype(int), rings + 1).ravel()
    cross, power_a, power_b = np.zeros(rings + 2), np.zeros(rings + 2), np.zeros(rings + 2)
    for plane_a, plane_b in zip(first, second, strict=True):
        a, b = (rfft2(plane.astype(np.float64)).ravel() for plane in (plane_a, plane_b))
        cross += np.bincount(ring, (a * b.conj()).real, rings + 2)
        power_a += np.bincount(ring, np.square(np.abs(a)), rings + 2)
        power_b += np.bincount(ring, np.square(np.abs(b)), rings + 2)
    length = np.sqrt(power_a * power_b)[1 : rings + 1]
    filled = length > 0
    return float(np.mean(cross[1 : rings + 1][filled] / length[filled])) if filled.any() else float("nan")


def parts(first: np.ndarray, second: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Hand out both images in float64 pieces, so that a score needs little memory beside them."""
    a, b = first.reshape(-1), second.reshape(-1)
    for start in range(0, a.size, PIECE):
        piece = slice(start, start + PIECE)
        yield a[piece].astype(np.float64), b[piece].astype(np.float64)
