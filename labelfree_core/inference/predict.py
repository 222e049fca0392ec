"""
The one place that knows the order of a prediction's steps.

Check the image against the card, bring it to the model's voxel size and intensities, pad,
run, cut back, return to the person's grid, and write down everything that was chosen.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from labelfree_core.images.resample import resize_shape
from labelfree_core.images.stack import ImageStack
from labelfree_core.inference import lost
from labelfree_core.inference.estimating import estimate
from labelfree_core.inference.memory import budget, give_back
from labelfree_core.inference.options import Estimate, PredictOptions, Progress, ProgressCallback
from labelfree_core.inference.padding import pad
from labelfree_core.inference.prediction import PREVIEW, Prediction
from labelfree_core.inference.preparing import (
    as_volume,
    check_size,
    crop,
    find_scale,
    prepare,
    prepare_observed,
)
from labelfree_core.inference.recording import Record, write_recipe
from labelfree_core.models.store import ModelEntry, find_model

if TYPE_CHECKING:
    from labelfree_core.inference.running import Reporter

__all__ = [
    "Estimate",
    "PredictOptions",
    "Progress",
    "estimate",
    "predict",
    "predict_many",
    "prepare",
    "prepare_observed",
]

_LOG = logging.getLogger(__name__)
_DEFAULTS = PredictOptions()


def predict(
    stack: ImageStack,
    model: ModelEntry | str | Path,
    *,
    options: PredictOptions = _DEFAULTS,
    progress: ProgressCallback | None = None,
) -> Prediction:
    """
    Predict the fluorescence that a stain would have shown.

    Parameters
    ----------
    stack : ImageStack
        Transmitted-light image with its voxel size; any size, any number of planes.
    model : ModelEntry, str or path
        The model, its id, its folder, or a checkpoint file.
    options : PredictOptions
        Device, grid, memory and so on.
    progress : callable, optional
        Called with a :class:`Progress` several times a second. Raise
        :class:`~labelfree_core.errors.PredictionCancelled` in it to stop.

    Returns
    -------
    prediction : Prediction
        On the image's own grid unless ``options.grid`` is ``"model"``.

    Raises
    ------
    PredictionError
        If image and model do not fit together, or the memory does not suffice.

    Examples
    --------
    >>> import labelfree_core as lf
    >>> stack = lf.open_image("cells.ome.tif").read(channel=3)  # doctest: +SKIP
    >>> lf.predict(stack, "dna-brightfield-3d").voxels.shape == stack.shape  # doctest: +SKIP
    True
    """
    return predict_many(stack, (model,), options=options, progress=progress)[0]


def predict_many(
    stack: ImageStack,
    models: Sequence[ModelEntry | str | Path],
    *,
    options: PredictOptions = _DEFAULTS,
    progress: ProgressCallback | None = None,
) -> tuple[Prediction, ...]:
    """
    Predict several structures in one image.

    Parameters
    ----------
    stack, options, progress
        As in :func:`predict`; the progress is that of all models together.
    models : sequence of ModelEntry, str or path
        In the order of the result.

    Returns
    -------
    predictions : tuple of Prediction

    Raises
    ------
    PredictionError
        As :func:`predict`. All models are checked before the first one runs.
    """
    from labelfree_core.inference.running import Reporter

    entries = [find_model(model) if not isinstance(model, ModelEntry) else model for model in models]
    check_size(stack)
    for entry in entries:
        find_scale(as_volume(stack, entry.card), entry.card)
    whole = Reporter(progress)
    done = []
    for i, entry in enumerate(entries):
        part = whole.part(i / len(entries), (i + 1) / len(entries))
        done.append(_predict_one(stack, entry, options, part))
    if progress is not None:
        progress(Progress(1.0, 0.0, "Done"))
    return tuple(done)


@dataclass(frozen=True, slots=True)
class _Ready:
    """The image on the model's grid, and the offset of a crop (None where it was not cropped)."""

    voxels: npt.NDArray[np.float32]
    voxel_size_um: tuple[float, ...]
    offset: tuple[int, ...] | None


def _predict_one(
    stack: ImageStack, entry: ModelEntry, options: PredictOptions, reporter: Reporter
) -> Prediction:
    """Predict, and once more on the processor where the graphics processor fails."""
    from labelfree_core.inference.engines import drop_lost_engines

    try:
        return _predict_once(stack, entry, options, reporter)
    except RuntimeError as problem:
        if not lost.is_lost(problem):
            raise
    _LOG.warning("graphics processor lost")
    lost.note_loss()
    drop_lost_engines()
    found = _predict_once(stack, entry, replace(options, device="cpu"), reporter)
    return replace(found, notes=(*found.notes, lost.NOTE))


def _predict_once(
    stack: ImageStack, entry: ModelEntry, options: PredictOptions, reporter: Reporter
) -> Prediction:
    from labelfree_core.inference.engines import get_engine
    from labelfree_core.inference.running import run

    marks = [time.perf_counter()]
    reporter.report(0.0, "Loading the model")
    engine = get_engine(entry, options.device, options.engine)
    marks.append(time.perf_counter())
    reporter.report(0.0, "Preparing the image")
    volume = as_volume(stack, entry.card)
    ready = _ready(volume, entry, options, engine.divisor)
    padded, padding = pad(ready.voxels, engine.divisor)
    marks.append(time.perf_counter())
    allowed = budget(engine.device, options.memory_bytes)
    ran = run(engine, padded, allowed, tile=options.tile, reporter=reporter.part(0.05, 0.95))
    marks.append(time.perf_counter())
    reporter.report(0.95, "Returning to the image's own grid")
    voxels, size = padding.cut(ran.voxels), ready.voxel_size_um
    if options.grid == "input":
        voxels, size = resize_shape(voxels, volume.shape), volume.voxel_size_um or size
    if stack.voxels.ndim == 2 and voxels.ndim == 3:
        voxels, size = voxels[0], size[1:]
    give_back(engine.device)
    marks.append(time.perf_counter())
    names = ("load", "prepare", "network", "finish")
    seconds = {name: round(b - a, 4) for name, a, b in zip(names, marks[:-1], marks[1:], strict=True)}
    record = Record(
        stack, entry.card, options, engine, find_scale(volume, entry.card), padding, ran, ready.offset
    )
    _LOG.info("predicted", extra={"model": entry.card.id, "voxels": int(padded.size), **seconds})
    return Prediction(
        voxels=np.ascontiguousarray(voxels, np.float32),
        voxel_size_um=size,
        grid=options.grid,
        structure=entry.card.structure,
        model_id=entry.card.id,
        model_sha256=entry.card.sha256,
        origin=stack.origin,
        device=engine.device,
        units=entry.card.units + (PREVIEW if options.engine == "preview" else ""),
        seconds={**seconds, "total": round(marks[-1] - marks[0], 4)},
        notes=record.notes(),
        recipe=write_recipe(record, size),
    )


def _ready(
    volume: ImageStack, entry: ModelEntry, options: PredictOptions, divisor: tuple[int, ...]
) -> _Ready:
    prepared = prepare(volume, entry.card)
    voxels = prepared.voxels.astype(np.float32, copy=False)
    offset = None
    if options.fit == "crop":
        voxels, offset = crop(voxels, divisor)
    assert prepared.voxel_size_um is not None  # prepare refuses an image without
    return _Ready(voxels, prepared.voxel_size_um, offset)
