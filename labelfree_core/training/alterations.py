"""What makes an image strange to a model, for its familiarity to learn: blur, inversion, scale, noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from labelfree_core.analysis.familiarity import LOOK_PX

Image = npt.NDArray[np.float32]


def _in_plane(voxels: Image, factors: float) -> tuple[float, ...]:
    return (1.0,) * (voxels.ndim - 2) + (factors, factors)


def blur(voxels: Image, sigma_px: float) -> Image:
    """Blur in the plane; (Z, Y, X) or (Y, X)."""
    return ndimage.gaussian_filter(voxels, (0.0,) * (voxels.ndim - 2) + (sigma_px, sigma_px))


def zoom(voxels: Image, factor: float) -> Image:
    """Enlarge the middle in the plane, so that what is left fills the part that familiarity looks at."""
    side = round(LOOK_PX / factor)
    y, x = ((size - min(size, side)) // 2 for size in voxels.shape[-2:])
    middle = voxels[..., y : y + side, x : x + side]
    return ndimage.zoom(middle, _in_plane(voxels, factor), order=3, mode="nearest")


def scramble(voxels: Image, rng: np.random.Generator) -> Image:
    """Keep the power spectrum, lose the content."""
    noise = np.fft.rfft2(rng.normal(size=voxels.shape))
    spectrum = np.abs(np.fft.rfft2(voxels)) * np.exp(1j * np.angle(noise))
    scrambled: Image = np.fft.irfft2(spectrum, s=voxels.shape[-2:]).astype(np.float32)
    return scrambled


ALTERATIONS: Mapping[str, Callable[[Image, np.random.Generator], Image]] = {
    "blur": lambda v, rng: blur(v, rng.uniform(3, 6)),
    "inverted contrast": lambda v, rng: -v,
    "voxels 2x too large": lambda v, rng: zoom(v, rng.uniform(0.4, 0.55)),
    "voxels 2x too small": lambda v, rng: zoom(v, rng.uniform(1.8, 2.5)),
    "noise only": lambda v, rng: blur(rng.normal(size=v.shape).astype(np.float32), rng.uniform(0, 2)),
    "phase-scrambled": scramble,
}
