"""How much of an observed image is camera noise, and the correlation that noise alone allows."""

from __future__ import annotations

import numpy as np

from labelfree_core.analysis.segmentation import is_segmentation

# In cycles per pixel, from the centre of the spectrum. A microscope's optics pass nothing out here when
# the camera samples at the Nyquist rate (0.5 along an axis), and camera noise is equally strong everywhere.
CORNER_FREQUENCY = 0.6
# Evenly spaced planes are enough: every plane has thousands of corner coefficients.
MAX_PLANES = 24
MIN_SIDE_PX = 16


def noise_variance(observed: np.ndarray) -> float:
    """
    Estimate the variance of the noise that differs from pixel to pixel, from the image alone.

    The mean power in the corners of the cosine spectrum of each plane. White noise has the same power
    at every frequency, also where it depends on the signal (photon noise): then this is its mean variance.

    Parameters
    ----------
    observed : array, shape (Z, Y, X) or (Y, X), any units
        As the camera saw it. Images that were smoothed, compressed or resampled keep less noise
        than they were taken with, and images of fine structure at coarse pixels seem noisier.

    Returns
    -------
    variance : float, in squared units of *observed*
        NaN for planes smaller than 16 x 16.
    """
    from scipy.fft import dctn

    planes = observed if observed.ndim == 3 else observed[None]
    height, width = planes.shape[1:]
    if min(height, width) < MIN_SIDE_PX:
        return float("nan")
    # The cosine transform mirrors a plane at its edges, so that they add no high frequencies of their own.
    y, x = (np.arange(n) / (2 * n) for n in (height, width))
    corner = y[:, None] ** 2 + x**2 >= CORNER_FREQUENCY**2
    chosen = np.unique(np.linspace(0, len(planes) - 1, MAX_PLANES).round().astype(int))
    power = [np.square(dctn(planes[z].astype(np.float64), norm="ortho")[corner]).mean() for z in chosen]
    return float(np.mean(power))


def ceiling(observed: np.ndarray, region: np.ndarray | None = None) -> float:
    """
    Find the highest Pearson r that a perfect prediction could reach against this noisy image.

    Parameters
    ----------
    observed : array, shape (Z, Y, X) or (Y, X), any units
        The stain, as the camera saw it.
    region : bool array, same shape, optional
        Where r is judged: the image varies there by so much. Its noise is still that of whole planes.

    Returns
    -------
    c_max : float, 0 to 1
        ``1 / sqrt(1 + var_noise / (var_image - var_noise))``; NaN for a mask or a label image, a flat
        image or a plane too small to judge, where the question has no answer.

    References
    ----------
    .. [1] Ounkomol et al. (2018), Nat. Methods 15:917, for the formula. The estimate of the noise is ours.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> bool(ceiling(rng.normal(size=(64, 64))) < 0.3)      # nothing but noise
    True
    """
    if is_segmentation(observed):
        return float("nan")
    judged = observed if region is None else observed[region]
    total, noise = float(np.var(judged, dtype=np.float64)), noise_variance(observed)
    if not np.isfinite(noise) or total <= 0:
        return float("nan")
    if noise >= total:
        return 0.0
    return float(1 / np.sqrt(1 + noise / (total - noise)))
