"""How much a simulated transmitted-light stack is like a real one, in numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """
    Statistics of one stack of transmitted light, taken as contrast (counts over their mean, less 1).

    ``frequency_per_um`` and ``power`` are the radially averaged power spectrum of its planes (the power
    sums to 1), ``slope`` its exponent between 0.1 and 0.8 cycles per micrometre, ``contrast`` the standard
    deviation, ``skew`` and ``kurtosis`` (excess) of the intensities, ``gradient`` the mean of the gradient
    in 1/um over the contrast, ``gradient_kurtosis`` its excess kurtosis, ``along_z`` the correlation of
    planes 1 um apart.
    """

    frequency_per_um: npt.NDArray[np.float64]
    power: npt.NDArray[np.float64]
    slope: float
    contrast: float
    skew: float
    kurtosis: float
    gradient: float
    gradient_kurtosis: float
    along_z: float


def _kurtosis(values: npt.NDArray[np.float64]) -> float:
    centred = values - values.mean()
    return float((centred**4).mean() / (centred**2).mean() ** 2 - 3)


def _spectrum(planes: npt.NDArray[np.float64], size_um: float) -> tuple[npt.NDArray, npt.NDArray]:
    """Radially averaged power of windowed planes in 40 rings up to 1.6 cycles per micrometre."""
    window = np.hanning(planes.shape[1])[:, None] * np.hanning(planes.shape[2])[None, :]
    level = planes - planes.mean(axis=(1, 2), keepdims=True)
    power = (np.abs(np.fft.fft2(level * window)) ** 2).mean(axis=0)
    fy, fx = (np.fft.fftfreq(n, size_um) for n in planes.shape[1:])
    ring = np.hypot(fy[:, None], fx[None, :])
    edges = np.linspace(0.04, 1.6, 41)
    which = np.digitize(ring, edges) - 1
    total = [power[which == k].mean() if (which == k).any() else np.nan for k in range(40)]
    return (edges[1:] + edges[:-1]) / 2, np.asarray(total) / np.nansum(total)


def measure(voxels: npt.NDArray[np.generic], voxel_size_um: tuple[float, float, float]) -> Likeness:
    """
    Measure one stack of transmitted light.

    Parameters
    ----------
    voxels : array, shape (Z, Y, X), camera counts
    voxel_size_um : tuple of float, micrometres
        (z, y, x).

    Returns
    -------
    likeness : Likeness
    """
    planes = voxels.astype(np.float64)
    planes = planes / planes.mean(axis=(1, 2), keepdims=True) - 1
    frequency, power = _spectrum(planes, voxel_size_um[1])
    middle = (frequency > 0.1) & (frequency < 0.8) & np.isfinite(power)
    slope = float(np.polyfit(np.log(frequency[middle]), np.log(power[middle]), 1)[0])
    spread = float(planes.std())
    edge = np.concatenate([np.diff(planes, axis=k).ravel() / voxel_size_um[k] for k in (1, 2)])
    step = max(1, round(1.0 / voxel_size_um[0]))
    along = float(np.corrcoef(planes[step:].ravel(), planes[:-step].ravel())[0, 1])
    skew = float(((planes - planes.mean()) ** 3).mean() / spread**3)
    return Likeness(
        frequency,
        power,
        slope,
        spread,
        skew,
        _kurtosis(planes.ravel()),
        float(np.abs(edge).mean() / spread),
        _kurtosis(edge),
        along,
    )
