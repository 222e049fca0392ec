"""From an image as it was taken to the image that a network was trained on, in the order its card states."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from labelfree_core.errors import PredictionError
from labelfree_core.images.intensity import standardise, zero_and_unit
from labelfree_core.images.resample import resize_published
from labelfree_core.images.shading import flatten
from labelfree_core.images.stack import ImageStack
from labelfree_core.models.card import ModelCard
from labelfree_core.settings import Settings

# Width of the blur that takes uneven lighting out: wider than a cell, narrower than a field.
FLATTEN_SIGMA_UM = 20.0
# A published fixed zoom stands for one objective; another camera pixel within this share is the same.
ZOOM_TOLERANCE = 0.05
# Voxel sizes that differ less than this are the same size written with fewer digits.
SAME_SIZE = 0.01
WARN_RATIO, REFUSE_RATIO = 2.0, 4.0


@dataclass(frozen=True, slots=True)
class Scale:
    """
    How an image gets to the voxel size of a model.

    ``factors`` of the resize, one for each axis of the image; ``voxel_size_um`` afterwards;
    ``reason`` in words for the recipe; ``notes`` for the person.
    """

    factors: tuple[float, ...]
    voxel_size_um: tuple[float, ...]
    reason: str
    notes: tuple[str, ...] = ()


def find_scale(stack: ImageStack, card: ModelCard) -> Scale:
    """
    Find the resize factors for an image and a model.

    Parameters
    ----------
    stack : ImageStack
        With its voxel size.
    card : ModelCard
        States the model's voxel size, a fixed zoom, or neither.

    Returns
    -------
    scale : Scale

    Raises
    ------
    PredictionError
        If the voxel size is not known, or more than 4 times another than the model's.
    """
    size = stack.voxel_size_um
    if size is None:
        raise PredictionError(
            f"The file of {stack.origin.name} does not say how large a voxel is, and the model "
            f"'{card.id}' needs to know{_wanted(card)}. Give "
            "the voxel size in micrometres from the microscope's settings."
        )
    target, zoom = _axes(card.voxel_size_um, size), _axes(card.zoom, (1.0,) * len(size))
    if "resize" not in card.steps or (card.voxel_size_um is None and card.zoom is None):
        notes = _judge(size, target, card) if card.voxel_size_um is not None else _unstated(card)
        return Scale((1.0,) * len(size), size, "the model takes the image's own voxels", notes)
    if card.zoom is not None and _zoom_fits(size, target, zoom, known=card.voxel_size_um is not None):
        after = (
            target
            if card.voxel_size_um is not None
            else tuple(s / z for s, z in zip(size, zoom, strict=True))
        )
        return Scale(zoom, after, "the fixed factors of the published model")
    if card.voxel_size_um is None:
        return Scale(zoom, size, "the fixed factors of the published model", _unstated(card))
    factors = tuple(_factor(s, t) for s, t in zip(size, target, strict=True))
    return Scale(factors, target, "the voxel sizes of image and model", _judge(size, target, card))


def prepare(stack: ImageStack, card: ModelCard, *, fit: str = "pad") -> ImageStack:
    """
    Prepare a transmitted-light image exactly as :func:`predict` does.

    Parameters
    ----------
    stack : ImageStack
        As it was taken.
    card : ModelCard
        Its ``steps`` give the order.
    fit : str
        ``"crop"`` also cuts the middle out, to sizes the network takes, like the published
        tutorial; ``"pad"`` leaves the size (padding is undone after the prediction).

    Returns
    -------
    prepared : ImageStack
        float32, z-score, on the model's grid.

    Raises
    ------
    PredictionError
        If the image does not fit the model.
    """
    _check(stack)
    return _prepared(stack, card, card.steps, fit)


def prepare_observed(stack: ImageStack, card: ModelCard, *, fit: str = "pad") -> ImageStack:
    """
    Bring an observed stain to the grid and the units of a prediction ("prep the original").

    Parameters
    ----------
    stack : ImageStack
        The observed fluorescence, same field as the transmitted-light image.
    card : ModelCard
        Model whose prediction it is compared with.
    fit : str
        As in :func:`prepare`.

    Returns
    -------
    prepared : ImageStack
        float32, z-score, on the model's grid. Uneven lighting stays, it is part of the stain.

    Raises
    ------
    PredictionError
        If the image does not fit the model.
    """
    _check(stack)
    steps = tuple(step for step in card.steps if step != "flatten")
    return _prepared(stack, card, steps, fit)


def as_volume(stack: ImageStack, card: ModelCard) -> ImageStack:
    """Give a single plane a z axis of one, where the model works on z-stacks."""
    if card.ndim != 3 or stack.voxels.ndim == 3 or stack.voxel_size_um is None:
        return stack
    depth = card.voxel_size_um[0] if card.voxel_size_um is not None else stack.voxel_size_um[0]
    return replace(stack, voxels=stack.voxels[None], voxel_size_um=(depth, *stack.voxel_size_um))


def crop(
    voxels: npt.NDArray[np.float32], divisor: tuple[int, ...]
) -> tuple[npt.NDArray[np.float32], tuple[int, ...]]:
    """
    Cut the middle out, to a multiple of *divisor* along the last axes.

    Returns the view and the offset of its first voxel, ``(n - cropped) // 2`` along each axis.
    """
    whole = (1,) * (voxels.ndim - len(divisor)) + divisor
    sizes = tuple(n // d * d for n, d in zip(voxels.shape, whole, strict=True))
    if min(sizes) < 1:
        raise PredictionError(
            f"The image has {_by(voxels.shape)} voxels on the model's grid and the network takes multiples "
            f"of {_by(whole)}, so that nothing is left to crop. Let the image be padded instead."
        )
    offset = tuple((n - size) // 2 for n, size in zip(voxels.shape, sizes, strict=True))
    return voxels[tuple(slice(o, o + s) for o, s in zip(offset, sizes, strict=True))], offset


def check_size(stack: ImageStack) -> None:
    """
    Refuse an image that is larger than this installation takes.

    Raises
    ------
    PredictionError
        With the limit and who may raise it.
    """
    limit = Settings.read().max_mvoxels
    if stack.voxels.size > limit * 1e6:
        raise PredictionError(
            f"{stack.origin.name} has {stack.voxels.size / 1e6:.0f} million voxels; this installation takes "
            f"{limit:.0f} million. Crop the image, or ask the operator to raise LABELFREE_MAX_MVOXELS."
        )


def _check(stack: ImageStack) -> None:
    voxels = stack.voxels
    if voxels.dtype.kind == "f" and not np.isfinite(voxels).all():
        count = int(voxels.size - np.isfinite(voxels).sum())
        raise PredictionError(
            f"{stack.origin.name} has {count:,} voxels that are no number (NaN or infinite); a prediction "
            "would spread them. Replace them, for example by the median, and load the image again."
        )


def _prepared(stack: ImageStack, card: ModelCard, steps: tuple[str, ...], fit: str) -> ImageStack:
    stack = as_volume(stack, card)
    scale = find_scale(stack, card)
    voxels: npt.NDArray[np.generic] = stack.voxels
    size = stack.voxel_size_um or scale.voxel_size_um
    todo = list(steps)
    while todo:
        step = todo.pop(0)
        if step == "standardise" and todo[:1] == ["resize"]:
            todo.pop(0)
            voxels, size = _standardised(voxels, card, scale.factors), scale.voxel_size_um
        elif step == "standardise":
            voxels = _standardised(voxels, card, (1.0,) * voxels.ndim)
        elif step == "flatten":
            voxels = flatten(voxels, sigma_px=FLATTEN_SIGMA_UM / size[-1])
        elif step == "resize":
            voxels, size = _resized(voxels, scale.factors), scale.voxel_size_um
        else:
            raise PredictionError(
                f"The card of '{card.id}' asks for the step {step!r}, which does not exist; there are "
                "standardise, flatten and resize. Correct the card or add the model again."
            )
    ready = np.ascontiguousarray(voxels, dtype=np.float32)
    if fit == "crop":
        from labelfree_core.models.build import skeleton

        ready, _ = crop(ready, tuple(getattr(skeleton(card), "divisor", (16,) * card.ndim)))
    units = "z-score" if "standardise" in steps else stack.units
    return ImageStack(ready, size, stack.origin, units)


def _standardised(
    voxels: npt.NDArray[np.generic], card: ModelCard, factors: tuple[float, ...]
) -> npt.NDArray[np.float32]:
    """Standardise, then resize by *factors*."""
    if card.ndim == 2 and voxels.ndim == 3:
        # A model of planes has seen whole images of one plane: each plane is its own image.
        return np.stack([_standardised(plane, card, factors[1:]) for plane in voxels])
    if all(factor == 1 for factor in factors):
        return standardise(voxels)
    # Resizing keeps constants: what is scaled afterwards, where there is less of it, has the same values.
    mean, spread = zero_and_unit(voxels)
    resized = resize_published(voxels, factors, zero=mean)
    resized /= np.float32(spread)
    return resized


def _resized(voxels: npt.NDArray[np.generic], factors: tuple[float, ...]) -> npt.NDArray[np.generic]:
    if all(factor == 1 for factor in factors):
        return voxels
    return resize_published(voxels, factors)


def _factor(size: float, target: float) -> float:
    return 1.0 if abs(size / target - 1) <= SAME_SIZE else size / target


def _axes(values: tuple[float, ...] | None, fallback: tuple[float, ...]) -> tuple[float, ...]:
    """Numbers of a card for the axes of an image; a model of planes says nothing about z."""
    if values is None:
        return fallback
    values = values[-len(fallback) :]
    return (*fallback[: len(fallback) - len(values)], *values)


def _zoom_fits(
    size: tuple[float, ...], target: tuple[float, ...], zoom: tuple[float, ...], *, known: bool
) -> bool:
    if not known:
        return True
    return all(abs(s / (t * z) - 1) <= ZOOM_TOLERANCE for s, t, z in zip(size, target, zoom, strict=True))


def _judge(size: tuple[float, ...], target: tuple[float, ...], card: ModelCard) -> tuple[str, ...]:
    ratios = [s / t for s, t in zip(size, target, strict=True)]
    worst = max(ratios, key=lambda ratio: max(ratio, 1 / ratio))
    factor = max(worst, 1 / worst)
    way = "larger" if worst > 1 else "smaller"
    found = f"The voxels of the image ({_by(size)} um) are {factor:.1f} times {way} than those of the model "
    found += f"'{card.id}' ({_by(target)} um)"
    if factor > REFUSE_RATIO:
        raise PredictionError(
            f"{found}; beyond {REFUSE_RATIO:.0f} times nothing the network learned is there. Check the voxel "
            f"size, or take an image with voxels near {_by(target)} um or a model made for {_by(size)} um."
        )
    if factor <= WARN_RATIO:
        return ()
    what = "detail the network relies on is missing" if worst > 1 else "another objective is likely"
    return (f"{found}: {what}, so trust this prediction less, and check the voxel size.",)


def _unstated(card: ModelCard) -> tuple[str, ...]:
    return (
        f"The model '{card.id}' does not say which voxel size it was trained at; its result only means "
        "something if the image was taken like its training images.",
    )


def _wanted(card: ModelCard) -> str:
    return "" if card.voxel_size_um is None else f" (it works at {_by(card.voxel_size_um)} um)"


def _by(numbers: tuple[float, ...]) -> str:
    return " x ".join(f"{number:.4g}" for number in numbers)
