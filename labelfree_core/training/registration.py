"""
Is the target where the image is? A shift between two cameras teaches a network the wrong place.

A cell may be dark, bright or only rough in transmitted light, so no single comparison works for all of it.
Several features of the image are fitted to the target together, for every shift at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from labelfree_core.images.finding import Finding
from labelfree_core.training.pairs import Pair

Array = npt.NDArray[np.float32]

# A smaller shift costs a network next to nothing, and so has most of what two cameras show.
WORTH_A_WORD_PX = 3.0
# Settled on 56 real pairs and the samples, as they are and moved by known shifts.
_LEAST_FIT, _BETTER, _PEAK = 0.3, 1.15, 2.0
_REACH_PX, _LEAST_SIDE_PX, _MOST_SIDE_PX = 24, 64, 768
_PLANES = 6
_EVEN_PX, _BACKGROUND_PX = 24.0, 48.0
_RIDGE = 1e-3


@dataclass(frozen=True, slots=True)
class Shift:
    """
    Where the target seems to lie, seen from the image.

    ``y_px`` and ``x_px`` point from the image to the target; ``fit`` is the correlation of target and image
    features there, ``fit_unmoved`` without a shift; ``sure`` whether the shift is worth a word.
    """

    y_px: int
    x_px: int
    fit: float
    fit_unmoved: float
    sure: bool


def find_shift(image: npt.NDArray[np.generic], target: npt.NDArray[np.generic]) -> Shift:
    """
    Find by how far a target lies from its image, in the plane.

    Parameters
    ----------
    image, target : array, shape (Z, Y, X) or (Y, X), any units
        The same field in transmitted light and stained; of a z-stack six planes are compared.

    Returns
    -------
    shift : Shift
        A field smaller than 64 pixels, or one where nothing fits, gives no shift.
    """
    # The middle of a large field says enough, and its corners are the least sharp.
    y, x = (_middle(n) for n in image.shape[-2:])
    images, targets = (v[..., y, x] if v.ndim == 3 else v[None, y, x] for v in (image, target))
    reach = min(_REACH_PX, min(image.shape[-2:]) // 8)
    if min(image.shape[-2:]) < _LEAST_SIDE_PX:
        return Shift(0, 0, 0.0, 0.0, False)
    # The outer planes of a stack are out of focus.
    chosen = np.unique(np.linspace(0.2, 0.8, _PLANES) * len(images)).astype(int) if len(images) > 1 else [0]
    parts = [_plane(images[z], targets[z], reach) for z in np.unique(chosen)]
    gram, crossed = np.sum([part[0] for part in parts], axis=0), np.sum([part[1] for part in parts], axis=0)
    power = sum(part[2] for part in parts)
    steady = np.linalg.inv(gram + _RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram)))
    explained = np.einsum("kij,kl,lij->ij", crossed, steady, crossed) / max(power, 1e-12)
    fit = np.sqrt(np.clip(explained, 0, 1))
    down, right = (int(v) for v in np.unravel_index(int(fit.argmax()), fit.shape))
    best, unmoved = float(fit[down, right]), float(fit[reach, reach])
    inside = 0 < down < 2 * reach and 0 < right < 2 * reach
    clear = best >= max(_LEAST_FIT, _BETTER * unmoved, _PEAK * float(np.median(fit)))
    far = math.hypot(down - reach, right - reach) >= WORTH_A_WORD_PX
    return Shift(down - reach, right - reach, best, unmoved, inside and clear and far)


def _middle(size: int) -> slice:
    start = max(0, (size - _MOST_SIDE_PX) // 2)
    return slice(start, start + _MOST_SIDE_PX)


def _plane(
    image: npt.NDArray[np.generic], target: npt.NDArray[np.generic], reach: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """Products of the features with one another, with the target at every shift, and of the target."""
    stain = ndimage.gaussian_filter(target.astype(np.float32), 1.5)
    stain = np.minimum(stain - ndimage.gaussian_filter(stain, _BACKGROUND_PX), np.percentile(stain, 99.5))
    fade = np.sqrt(np.sqrt(np.outer(*(np.hanning(n) for n in stain.shape)))).astype(np.float32)
    stain = (stain - stain.mean()) * fade
    features = [feature * fade for feature in _features(image)]
    spectrum = np.asarray(fft.rfft2(stain))
    crossed = []
    for feature in features:
        every = fft.irfft2(np.conj(fft.rfft2(feature)) * spectrum, s=stain.shape) / stain.size
        crossed.append(np.roll(every, (reach, reach), (0, 1))[: 2 * reach + 1, : 2 * reach + 1])
    gram = np.array([[float((a * b).mean()) for b in features] for a in features])
    return gram, np.array(crossed), float(np.square(stain).mean())


def _features(image: npt.NDArray[np.generic]) -> list[Array]:
    plane = image.astype(np.float32)
    plane = plane - ndimage.gaussian_filter(plane, _EVEN_PX)
    plane = plane / (plane.std() + 1e-6)
    steep = ndimage.gaussian_gradient_magnitude(plane, 1.5)
    found = [
        *(ndimage.gaussian_filter(plane, sigma) for sigma in (2.0, 5.0)),
        *(ndimage.gaussian_filter(steep, sigma) for sigma in (2.0, 6.0)),
        ndimage.gaussian_laplace(plane, 3.0),
        ndimage.gaussian_filter(np.abs(plane), 4.0),
        # In DIC a cell is bright on one side and dark on the other.
        *(ndimage.gaussian_filter(plane, 3.0, order=order) for order in ((0, 1), (1, 0))),
    ]
    return [(feature - feature.mean()) / (feature.std() + 1e-9) for feature in found]


def judge(shift: Shift, pixel_um: float | None = None) -> Finding:
    """
    Say what a shift does to a training, as the file doctor would.

    Parameters
    ----------
    shift : Shift
    pixel_um : float, optional
        Adds the distance in um.
    """
    if shift.sure:
        length = math.hypot(shift.y_px, shift.x_px)
        far = "" if pixel_um is None else f", {length * pixel_um:.1f} um"
        return Finding(
            "alignment",
            "warning",
            f"The target seems to lie {shift.y_px:+d} px (y) and {shift.x_px:+d} px (x) from the image{far}.",
            "A network trained on it puts the structure in the wrong place, or smears it.",
            "Move the target back, or align the two cameras.",
        )
    if shift.fit < _LEAST_FIT:
        return Finding(
            "alignment",
            "note",
            "Whether target and image lie on each other can't be told from this field.",
            "",
            "Look at a clear edge in both.",
        )
    return Finding("alignment", "ok", "Target and image lie on each other.")


def shifted_fields(pairs: Sequence[Pair]) -> tuple[str, ...]:
    """Return one sentence for each field whose image and target seem to lie apart."""
    found = []
    for pair in pairs:
        for target, known in zip(pair.targets, pair.known, strict=True):
            if not known.all() or float(target.std()) < 1e-6:
                continue
            shift = find_shift(pair.image, target)
            if shift.sure:
                found.append(
                    f"{pair.name}: the target seems to lie {shift.y_px:+d} px (y), {shift.x_px:+d} px (x) "
                    "from the image, in pixels of the model. If that is so for every field, align the two "
                    "cameras first, or say so in the column shift_px, in pixels of the file."
                )
    return tuple(found)
