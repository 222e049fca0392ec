"""What lamps, dust and cameras do to an image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from labelfree_core.simulation.fields import Grid, Volume, smooth_noise

Counts = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Camera:
    """
    A camera and its exposure.

    ``electrons`` at level 1 (full wells are about 30,000), ``read_noise`` in electrons, ``gain`` in counts
    per electron, ``offset`` in counts, ``bits`` 8 or 16.
    """

    electrons: float = 8000.0
    read_noise: float = 1.6
    gain: float = 0.6
    offset: float = 100.0
    bits: int = 16


@dataclass(frozen=True, slots=True)
class Stray:
    """
    Faults between lamp and camera.

    ``shading`` brightness from centre to corner (uneven lamp and medium surface), ``dust`` specks on the
    optics, ``drift_px`` sideways per plane, ``flicker`` of the lamp from plane to plane.
    """

    shading: float = 0.05
    dust: int = 2
    drift_px: float = 0.0
    flicker: float = 0.002


def light_faults(rng: np.random.Generator, intensity: Volume, stray: Stray) -> Volume:
    """
    Add drift, uneven light, dust and flicker to a transmitted-light stack.

    Parameters
    ----------
    rng : numpy.random.Generator
        Its state decides where.
    intensity : float32 array, shape (Z, Y, X)
        1 where nothing is.
    stray : Stray
        How much.

    Returns
    -------
    intensity : float32 array, shape (Z, Y, X)
        A new array.
    """
    planes, height, width = intensity.shape
    plane = Grid((1, height, width), (1.0, 1.0, 1.0))
    uneven: Volume = np.clip(smooth_noise(rng, plane, 0.45 * width)[0], -2, 2)
    lamp: Volume = 1 + np.float32(stray.shading) * uneven
    y, x = np.indices((height, width), dtype=np.float32)
    for _ in range(stray.dust):
        cy, cx, size = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(2, 9)
        ring = np.sqrt((y - np.float32(cy)) ** 2 + (x - np.float32(cx)) ** 2) / np.float32(size)
        lamp *= 1 - np.float32(rng.uniform(0.01, 0.06)) * np.exp(-(ring**4)) * np.cos(np.float32(3) * ring)
    path: npt.NDArray[np.float64] = np.cumsum(
        rng.normal(0, 0.3, (planes, 2)) * stray.drift_px + rng.normal(0, 1, 2) * stray.drift_px, axis=0
    )
    steady: npt.NDArray[np.float64] = np.asarray(1 + rng.normal(0, stray.flicker, planes))
    out = np.empty_like(intensity)
    for z in range(planes):
        moved = intensity[z]
        if stray.drift_px > 0:
            moved = ndimage.shift(moved, path[z] - path[planes // 2], order=1, mode="mirror")
        out[z] = moved * lamp * np.float32(steady[z])
    return out


def expose(rng: np.random.Generator, level: Volume, camera: Camera) -> Counts:
    """
    Count photons: Poisson and read noise, gain, offset, rounding and clipping.

    Parameters
    ----------
    rng : numpy.random.Generator
        Its state decides the noise.
    level : float32 array
        Light, 1 giving ``camera.electrons``.
    camera : Camera
        The camera.

    Returns
    -------
    counts : uint8 or uint16 array
    """
    mean = np.clip(level, 0, None) * np.float32(camera.electrons)
    # Gaussian in place of Poisson above 50 electrons: the same mean and variance at a tenth of the time.
    noise = rng.standard_normal(level.shape, dtype=np.float32)
    electrons = mean + noise * np.sqrt(mean + np.float32(camera.read_noise**2))
    dim = mean < 50
    electrons[dim] = rng.poisson(mean[dim]) + noise[dim] * np.float32(camera.read_noise)
    top = 2**camera.bits - 1
    counts = np.clip(np.rint(electrons * np.float32(camera.gain) + np.float32(camera.offset)), 0, top)
    return counts.astype(np.uint8 if camera.bits == 8 else np.uint16)


def draw_camera(rng: np.random.Generator, bits: int, *, transmitted: bool) -> Camera:
    """Draw a camera and exposure from the range of real ones, filling about half of its range."""
    electrons = (
        float(np.exp(rng.uniform(np.log(5000), np.log(24000))))
        if transmitted
        else float(rng.uniform(60, 500))
    )
    if bits == 8:
        return Camera(electrons, float(rng.uniform(1.2, 3)), 120 / electrons, float(rng.uniform(4, 25)), 8)
    return Camera(
        electrons, float(rng.uniform(1.2, 3)), float(rng.uniform(0.4, 1.6)), float(rng.uniform(90, 110)), 16
    )
