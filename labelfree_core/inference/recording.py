"""Writes down how a prediction was made, so that anybody can make it again."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass

import numpy as np
import torch

import labelfree_core
from labelfree_core.images.stack import ImageStack
from labelfree_core.inference.engine import Engine
from labelfree_core.inference.layout import LAST_HALO
from labelfree_core.inference.options import PredictOptions
from labelfree_core.inference.padding import Padding
from labelfree_core.inference.preparing import FLATTEN_SIGMA_UM, Scale
from labelfree_core.inference.preview import NOTE
from labelfree_core.inference.running import Run
from labelfree_core.models.card import ModelCard

RECIPE_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Record:
    """Everything that was chosen on the way; ``offset`` of a crop, None where nothing was cropped."""

    stack: ImageStack
    card: ModelCard
    options: PredictOptions
    engine: Engine
    scale: Scale
    padding: Padding
    run: Run
    offset: tuple[int, ...] | None

    def notes(self) -> tuple[str, ...]:
        """Sentences for the person, most important first."""
        notes = [NOTE] if self.options.engine == "preview" else []
        notes += [*self.scale.notes, *self.padding.notes()]
        if self.card.ndim == 2 and self.stack.voxels.ndim == 3:
            notes.append("This model knows planes only: each plane was predicted alone, as its own image.")
        if self.offset is not None:
            notes.append("Only the middle of the image was predicted, as in the published tutorial.")
        if not self.run.layout.exact:
            halo = " x ".join(map(str, self.run.layout.halo))
            notes.append(
                f"The image was predicted in {len(self.run.layout.tiles)} overlapping tiles with {halo} "
                f"voxels of context, to stay within the memory at hand. {self._tiles_mean()}"
            )
        if self.run.retries:
            notes.append("Memory ran out on the way and the prediction was repeated in smaller pieces.")
        if self.card.simulated:
            notes.append("The model learned mostly from simulated images.")
        return tuple(notes)

    def _tiles_mean(self) -> str:
        used, reach = self.run.layout.halo, self.engine.halo
        if all(u >= r for u, r in zip(used, reach, strict=True)):
            return "The result is that of the whole image."
        if max(used) <= LAST_HALO:
            return "That is less than this network sees: allow more memory before measuring intensities."
        return "What lies beyond hardly changes the result."


def write_recipe(record: Record, voxel_size_um: tuple[float, ...]) -> dict[str, object]:
    """
    Return the JSON-ready recipe of a prediction.

    Parameters
    ----------
    record : Record
        What was chosen.
    voxel_size_um : tuple of float
        Of the result.
    """
    stack, card, options = record.stack, record.card, record.options
    origin = stack.origin
    return {
        "format": RECIPE_FORMAT,
        "software": {
            "labelfree": labelfree_core.__version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "model": {"id": card.id, "sha256": card.sha256, "structure": card.structure},
        "input": {
            "name": origin.name,
            "sha256": origin.sha256,
            "channel_index": origin.channel_index,
            "channel_name": origin.channel_name,
            "simulated": origin.simulated,
            "axes": stack.axes,
            "shape": list(stack.shape),
        },
        "voxel_size_um": {
            "input": list(stack.voxel_size_um or ()),
            "model": list(record.scale.voxel_size_um),
            "output": list(voxel_size_um),
        },
        "steps": _steps(record),
        "padding": {
            "before": list(record.padding.before),
            "after": list(record.padding.after),
            "mode": "reflect",
        },
        "crop_offset": None if record.offset is None else list(record.offset),
        "tiles": _tiles(record.run),
        "run": {
            "device": record.engine.device,
            "engine": options.engine,
            "dtype": record.engine.dtype,
            "retries": record.run.retries,
        },
        "options": {**asdict(options), "tile": None if options.tile is None else list(options.tile)},
    }


def _steps(record: Record) -> list[dict[str, object]]:
    """What was done, in order, each step with its numbers."""
    card, options = record.card, record.options
    each = "each plane" if card.ndim == 2 and record.stack.voxels.ndim == 3 else "whole image"
    steps: list[dict[str, object]] = []
    for step in card.steps:
        if step == "resize":
            factors = list(record.scale.factors)
            how = "cubic spline, edges repeated (scipy.ndimage.zoom, order 3)"
            steps.append({"step": step, "factors": factors, "because": record.scale.reason, "how": how})
        elif step == "flatten":
            steps.append({"step": step, "sigma_um": FLATTEN_SIGMA_UM})
        else:
            steps.append({"step": step, "over": each})
    steps.append({"step": options.fit})
    steps.append({"step": "predict"})
    if options.grid == "input":
        how = "cubic spline to the exact shape of the image, first and last voxels aligned"
        steps.append({"step": "resize back", "shape": list(record.stack.shape), "how": how})
    return steps


def _tiles(run: Run) -> dict[str, object]:
    planned = run.layout
    return {
        "count": len(planned.tiles),
        "planes": planned.repeats,
        "shape": list(planned.tiles[0].shape),
        "halo": list(planned.halo) if not planned.exact else [0] * len(planned.halo),
        "blend": "linear ramp over 16 voxels",
        "streaming": planned.how.name,
    }
