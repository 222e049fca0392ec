"""
The file doctor: what is wrong with an image before a network sees it.

Every check is a pure function of the voxels; most look at a few evenly spaced planes,
so that a large stack is examined in seconds.
"""

from __future__ import annotations

import numpy as np

from labelfree_core.images import health_light, health_planes
from labelfree_core.images.finding import Finding
from labelfree_core.images.stack import ImageStack
from labelfree_core.images.thumbnails import spread

__all__ = ["Finding", "examine"]

_ORDER = {"severe": 0, "warning": 1, "note": 2, "ok": 3}
_LOOK_PLANES = 7
_WINDOW_PX = 768


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
    planes = np.stack([voxels[z].astype(np.float32) for z in looks])
    if voxels.dtype.kind == "f":
        np.nan_to_num(planes, copy=False)
    findings = [
        empty,
        health_light.saturation(stack.voxels),
        health_light.grey_levels(stack.voxels),
    ]
    # The middle shows noise, stripes and halos as well as the whole, in less time.
    y, x = (max(0, (n - _WINDOW_PX) // 2) for n in planes.shape[1:])
    middle = planes[:, y : y + _WINDOW_PX, x : x + _WINDOW_PX]
    if min(planes.shape[1:]) >= 32:
        fast, spectra = health_light.FastLight(middle), health_planes.spectra(stack)
        findings += [
            health_light.noise_only(fast),
            health_light.stripes(middle),
            health_light.uneven_light(planes),
            health_light.jpeg_blocks(planes),
            health_light.inverted(planes),
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
