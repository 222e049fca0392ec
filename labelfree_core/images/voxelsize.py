"""The voxel-size doctor: whether a size is possible, whether it suits a model."""

from __future__ import annotations

import math

from labelfree_core.images.finding import Finding
from labelfree_core.images.sizeguess import SizeEstimate, estimate

__all__ = ["SizeEstimate", "estimate", "judge", "plausible", "question"]

WARN_FACTOR = 2.0
REFUSE_FACTOR = 4.0
_FINEST_UM, _COARSEST_UM = 0.02, 20.0


def plausible(voxel_size_um: tuple[float | None, ...]) -> str:
    """
    Say in words what is improbable about a voxel size; empty where nothing is.

    Parameters
    ----------
    voxel_size_um : tuple of float or None
        (z, y, x) or (y, x) in micrometres.

    Examples
    --------
    >>> plausible((0.29, 0.108, 0.108))
    ''
    >>> plausible((0.000108, 0.000108))
    '0.000108 um is finer than any light microscope; if the number is in mm, it is 0.108 um'
    """
    for size in voxel_size_um:
        if size is None or not math.isfinite(size) or size <= 0:
            return f"{size} is no size; every axis needs a positive number of micrometres"
    sizes = tuple(float(size) for size in voxel_size_um if size is not None)
    y, x = sizes[-2:]
    if all(size == 1 for size in sizes):
        return "exactly 1 um on every axis is what software writes when it does not know"
    for size, coarsest in ((x, _COARSEST_UM), (y, _COARSEST_UM), (sizes[0], 5 * _COARSEST_UM)):
        doubt = _outside(size, coarsest)
        if doubt:
            return doubt
    if max(y, x) / min(y, x) > 1.5:
        return f"pixels of {y:g} x {x:g} um are not square; cameras have square pixels"
    if len(sizes) == 3 and not 0.5 <= sizes[0] / x <= 60:
        return f"planes {sizes[0]:g} um apart do not go with pixels of {x:g} um"
    return ""


def _outside(size: float, coarsest: float) -> str:
    if size < _FINEST_UM:
        inner = (
            f"; if the number is in mm, it is {size * 1e3:g} um"
            if _FINEST_UM <= size * 1e3 <= coarsest
            else ""
        )
        if not inner and _FINEST_UM <= size * 1e6 <= coarsest:
            inner = f"; if the number is in m, it is {size * 1e6:g} um"
        return f"{size:g} um is finer than any light microscope{inner}"
    if size > coarsest:
        inner = (
            f"; if the number is in nm, it is {size / 1e3:g} um"
            if _FINEST_UM <= size / 1e3 <= coarsest
            else ""
        )
        dpi = 25400 / size
        if abs(dpi - round(dpi)) < 0.01 and round(dpi) in (72, 96, 100, 150, 200, 300, 600):
            inner = f"; it is {round(dpi)} dots per inch, a printing resolution"
        return f"{size:g} um is coarser than any microscope that shows single cells{inner}"
    return ""


def judge(
    voxel_size_um: tuple[float | None, ...] | None, model_voxel_size_um: tuple[float, ...] | None
) -> Finding:
    """
    Compare an image's voxel size with the one a model was trained at.

    Parameters
    ----------
    voxel_size_um : tuple of float or None
        (z, y, x) or (y, x) of the image; None, or None entries, where it is not known.
    model_voxel_size_um : tuple of float or None
        (z, y, x) or (y, x) of the model's card.

    Returns
    -------
    finding : Finding
        ``"severe"`` where the image must not be predicted with it: size missing or impossible, or more
        than 4 times off; ``"warning"`` beyond 2 times, or where the size is improbable.

    Examples
    --------
    >>> judge((0.162, 0.162), (0.29, 0.29)).what
    'Your pixels are 0.162 um, this model was trained at 0.29 um: the image is resampled.'
    >>> judge((2.0, 2.0), (0.29, 0.29)).level
    'severe'
    """
    if voxel_size_um is None or any(size is None for size in voxel_size_um):
        return Finding(
            "voxel size",
            "severe",
            "The voxel size is not known.",
            "Structures of the wrong size are not recognised, so nothing is predicted without it.",
            "Type it from the microscope's settings (camera pixel divided by magnification; step of the z "
            "drive).",
        )
    doubt = plausible(voxel_size_um)
    if doubt and any(size is None or not math.isfinite(size) or size <= 0 for size in voxel_size_um):
        return Finding("voxel size", "severe", f"The voxel size can't be right: {doubt}.", _EFFECT, _TYPE_IT)
    if model_voxel_size_um is None:
        return Finding(
            "voxel size", "note", "This model does not say at which voxel size it was trained.", _EFFECT
        )
    sizes = tuple(float(size) for size in voxel_size_um if size is not None)
    axes = min(len(sizes), len(model_voxel_size_um))
    factors = [a / b for a, b in zip(sizes[-axes:], model_voxel_size_um[-axes:], strict=True)]
    worst = max(factors, key=lambda f: abs(math.log(f)))
    return _compared(sizes[-axes:], tuple(model_voxel_size_um[-axes:]), max(worst, 1 / worst), doubt)


def question(
    voxel_size_um: tuple[float | None, ...] | None, *, proposed: SizeEstimate | None = None
) -> Finding:
    """
    Examine a voxel size on its own, before any model is chosen.

    Parameters
    ----------
    voxel_size_um : tuple of float or None
        (z, y, x) or (y, x); None, or None entries, where it is not known.
    proposed : SizeEstimate, optional
        What the image itself suggests, offered where the size is missing or improbable.

    Returns
    -------
    finding : Finding
        ``"warning"`` where the size is missing or improbable.

    Examples
    --------
    >>> question((0.29, 0.108, 0.108)).level, question((25400.0, 25400.0)).level
    ('ok', 'warning')
    """
    offer = "" if proposed is None else f" {proposed.sentence}"
    if voxel_size_um is None or any(size is None for size in voxel_size_um):
        return Finding(
            "voxel size",
            "warning",
            "The voxel size is not known.",
            "Structures of the wrong size are not recognised, so nothing is predicted without it.",
            f"{_TYPE_IT}{offer}",
        )
    doubt = plausible(voxel_size_um)
    if doubt:
        what = f"The voxel size is improbable: {doubt}."
        return Finding("voxel size", "warning", what, _EFFECT, f"{_TYPE_IT}{offer}")
    sizes = " x ".join(f"{size:g}" for size in voxel_size_um)
    return Finding("voxel size", "ok", f"The voxel size of {sizes} um is what a microscope may have.")


_EFFECT = "Structures look too large or too small to the network, and it misses or invents them."
_TYPE_IT = "Type the size from the microscope's settings (camera pixel divided by magnification)."


def _compared(sizes: tuple[float, ...], model: tuple[float, ...], factor: float, doubt: str) -> Finding:
    """Finding for an image whose worst axis is *factor* times off."""
    ours, theirs = _words(sizes), _words(model)
    said = f"Your {ours}, this model was trained at {theirs.split(' are ')[1]}"
    suspicion = f" Also, {doubt}." if doubt else ""
    if factor > REFUSE_FACTOR:
        limits = f"{model[-1] / REFUSE_FACTOR:.2g} and {model[-1] * REFUSE_FACTOR:.2g} um"
        return Finding(
            "voxel size",
            "severe",
            f"{said}: {factor:.1f} times off, beyond what resampling can mend.{suspicion}",
            _EFFECT,
            f"Check the number first; if it is right, pixels between {limits} would work: another objective, "
            "camera binning, or a model trained at your size.",
        )
    if factor > WARN_FACTOR or doubt:
        return Finding(
            "voxel size",
            "warning",
            f"{said}: the image is resampled {factor:.1f} times.{suspicion}",
            "Detail is missing, or the optics differ from those of the training images.",
            _TYPE_IT
            if doubt
            else "Check the result against a stain, or use an objective nearer to the model's.",
        )
    if factor > 1.02:
        return Finding("voxel size", "ok", f"{said}: the image is resampled.")
    return Finding("voxel size", "ok", f"Your {ours}, as this model was trained.")


def _words(sizes: tuple[float, ...]) -> str:
    if all(abs(size - sizes[-1]) <= 0.005 * sizes[-1] for size in sizes):
        return f"{'voxels' if len(sizes) == 3 else 'pixels'} are {sizes[-1]:.3g} um"
    return f"{'voxels' if len(sizes) == 3 else 'pixels'} are {' x '.join(f'{size:.3g}' for size in sizes)} um"
