"""
The file doctor: what is wrong with an image before a network sees it.

Every check is a pure function of the voxels; most look at a few evenly spaced planes,
so that a large stack is examined in seconds.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from labelfree_core.images import health_light, health_planes
from labelfree_core.images.filters import Planes
from labelfree_core.images.finding import Finding
from labelfree_core.images.stack import ImageStack
from labelfree_core.images.thumbnails import coarser, spread

__all__ = ["Finding", "examine"]

_ORDER = {"severe": 0, "warning": 1, "note": 2, "ok": 3}
_LOOK_PLANES = 7
_WINDOW_PX = 768
# Over all planes that are looked at; the checks take several times that in bytes.
_MOST_VOXELS = 64_000_000
T = TypeVar("T", bound=np.generic)


def examine(stack: ImageStack, *, expected: str = "bright-field") -> tuple[Finding, ...]:
    """
    Look for what would spoil a prediction.

    Parameters
    ----------
    stack : ImageStack
        The transmitted-light channel, (Z, Y, X) or (Y, X).
    expected : str
        Modality of the model that is to be used; halos of phase contrast are only a fault
        where bright-field is expected.

    Returns
    -------
    findings : tuple of Finding
        One for each check that applies, the worst first; level ``"ok"`` where all is well.

    Examples
    --------
    >>> [f.name for f in examine(ImageStack(np.zeros((2, 16, 16), np.uint8)))]
    ['empty']
    """
    empty = health_planes.empty(stack)
    if empty.level == "severe":
        return (empty,)
    voxels = stack.voxels if stack.voxels.ndim == 3 else stack.voxels[None]
    alive = [z for z in range(len(voxels)) if z not in empty.planes]
    looks = [alive[i] for i in spread(len(alive), _LOOK_PLANES)]
    planes, close = _planes(voxels, looks)
    findings = [
        empty,
        health_light.saturation(stack.voxels),
        health_light.grey_levels(stack.voxels),
    ]
    # The middle shows noise, stripes and halos as well as the whole, in less time.
    middle = _middle(close, _WINDOW_PX)
    if min(planes.shape[1:]) >= 32:
        fast, spectra = health_light.FastLight(middle), health_planes.spectra(stack)
        findings += [
            health_light.noise_only(fast),
            health_light.stripes(middle),
            health_light.uneven_light(planes),
            health_light.jpeg_blocks(close),
            health_light.inverted(planes, close),
            health_planes.focus(stack, spectra),
        ]
        if expected == "bright-field":
            findings.append(health_light.halo(fast))
    if stack.voxels.ndim == 3:
        findings += [
            health_planes.few_planes(stack),
            health_planes.duplicates(stack),
            health_planes.lamp_drift(stack),
        ]
        if min(planes.shape[1:]) >= 32 and len(voxels) >= 3:
            findings.append(health_planes.sideways_drift(stack, spectra))
    return tuple(sorted(findings, key=lambda finding: _ORDER[finding.level]))


def _planes(voxels: npt.NDArray[np.generic], looks: list[int]) -> tuple[Planes, Planes]:
    """
    Return planes of the whole field, and of its middle with every pixel.

    Both are the same, unless they would take gigabytes.
    """
    step = coarser(len(looks), voxels[0].size, _MOST_VOXELS)
    whole = _numbers([voxels[z, ::step, ::step] for z in looks])
    if step == 1:
        return whole, whole
    side_px = math.isqrt(_MOST_VOXELS // len(looks))
    return whole, _numbers([_middle(voxels[z], side_px) for z in looks])


def _numbers(planes: list[npt.NDArray[np.generic]]) -> Planes:
    found = np.stack([plane.astype(np.float32) for plane in planes])
    return np.nan_to_num(found, copy=False) if planes[0].dtype.kind == "f" else found


def _middle(voxels: npt.NDArray[T], side_px: int) -> npt.NDArray[T]:
    """Cut out the middle of planes."""
    y, x = (max(0, (n - side_px) // 2) for n in voxels.shape[-2:])
    return voxels[..., y : y + side_px, x : x + side_px]
