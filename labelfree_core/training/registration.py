"""Is the target where the image is? A shift between two cameras teaches a network the wrong place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from labelfree_core.training.pairs import Pair

WORTH_A_WORD_PX = 2.0
_UPSAMPLE = 4
_BAND_PX = (1.5, 12.0)


def shift_px(first: npt.NDArray[np.float32], second: npt.NDArray[np.float32]) -> tuple[float, float]:
    """
    Estimate by how far *second* lies from *first*, in the plane.

    The strength of the texture is compared, not the intensities, since a cell may be dark in one image and
    bright in the other.

    Parameters
    ----------
    first, second : float array, shape (Z, Y, X) or (Y, X)
        The same field; of a z-stack the mean over z is compared.

    Returns
    -------
    shift : tuple of float
        (y, x) in pixels; add it to *second*'s position to lie on *first*.
    """
    # Without whitening: cells are smooth, and their high frequencies are noise of two cameras.
    shift, _, _ = phase_cross_correlation(
        _strength(first), _strength(second), upsample_factor=_UPSAMPLE, normalization=None
    )
    return float(shift[0]), float(shift[1])


def _strength(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    fine, wide = _BAND_PX
    planes = image if image.ndim == 3 else image[None]
    texture = np.mean([ndimage.gaussian_gradient_magnitude(plane, fine) for plane in planes], axis=0)
    smooth: npt.NDArray[np.float32] = ndimage.gaussian_filter(texture, wide / 2)
    return smooth - smooth.mean()


def shifted_fields(pairs: Sequence[Pair]) -> tuple[str, ...]:
    """Return one sentence for each field whose image and target seem to lie apart."""
    found = []
    for pair in pairs:
        for target, known in zip(pair.targets, pair.known, strict=True):
            if not known.all() or float(target.std()) < 1e-6:
                continue
            y, x = shift_px(pair.image, target)
            if max(abs(y), abs(x)) > WORTH_A_WORD_PX:
                found.append(
                    f"{pair.name}: the target seems to lie {-y:.1f} px (y), {-x:.1f} px (x) from the image. "
                    "If that is so for every field, align the two cameras first."
                )
    return tuple(found)
