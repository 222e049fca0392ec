"""
What a prediction will take, told before it starts.

As a kind of work of the service (see :mod:`labelfree_core.inference.handover`) it is answered by the
worker, so that the pages need no PyTorch of their own to tell a time.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from labelfree_core.images.stack import ImageStack
from labelfree_core.inference.memory import budget
from labelfree_core.inference.options import Estimate, PredictOptions, ProgressCallback
from labelfree_core.inference.padding import Padding
from labelfree_core.inference.preparing import as_volume, check_size, find_scale
from labelfree_core.models.store import ModelEntry, find_model

if TYPE_CHECKING:
    from labelfree_core.inference.handover import Message, Wish

_DEFAULTS = PredictOptions()
# What is done around the network, from docs/performance.md: seconds a voxel of the image for its
# intensities, seconds and bytes for another grid and back.
_READY_S, _RESIZE_S, _RESIZE_BYTES = 5e-9, 1e-8, 12


def estimate(
    stack: ImageStack, model: ModelEntry | str | Path, *, options: PredictOptions = _DEFAULTS
) -> Estimate:
    """
    Tell what a prediction will take, before it starts.

    Parameters
    ----------
    stack, model, options
        As in :func:`labelfree_core.inference.predict.predict`; of the image only the shape is looked at.

    Returns
    -------
    estimate : Estimate
        The first call for a model runs it on two small images to learn the machine's speed.

    Raises
    ------
    PredictionError
        What :func:`~labelfree_core.inference.predict.predict` would raise about the image, the model or the
        memory.
    """
    from labelfree_core.inference.engines import get_engine
    from labelfree_core.inference.layout import layout

    entry = model if isinstance(model, ModelEntry) else find_model(model)
    check_size(stack)
    volume = as_volume(stack, entry.card)
    scale = find_scale(volume, entry.card)
    engine = get_engine(entry, options.device, options.engine)
    shape = tuple(max(1, round(n * f)) for n, f in zip(volume.shape, scale.factors, strict=True))
    padding = Padding.to_multiples(shape, engine.divisor)
    planned = layout(engine, padding.shape, budget(engine.device, options.memory_bytes), options.tile)
    resized = stack.voxels.size if any(factor != 1 for factor in scale.factors) else 0
    seconds = engine.pace().seconds(planned.flops, planned.pieces)
    seconds += _READY_S * stack.voxels.size + _RESIZE_S * resized
    peak = max(planned.peak_bytes, _RESIZE_BYTES * resized)
    warnings = (*scale.notes, *padding.notes())
    return Estimate(seconds, peak, planned.pieces, engine.device, warnings)


def answer(wish: Wish, progress: ProgressCallback) -> Message:
    """Estimate, in the worker."""
    return asdict(estimate(wish.stack, wish.ask.model, options=wish.ask.options))


def read(about: dict, folder: Path) -> Estimate:
    """Return what :func:`answer` said, in the pages' process."""
    return Estimate(**{**about, "warnings": tuple(about["warnings"])})
