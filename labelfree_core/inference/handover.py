"""
What passes between the pages and the worker: arrays as files in a private folder, the rest as JSON.

A kind of work is a module with two functions. In the worker, ``answer(wish, progress)`` does it: it returns
what JSON can hold and saves arrays in ``wish.folder``. In the pages' process, ``read(about, folder)``
puts both together again. This module is itself the kind ``"predict"``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np

from labelfree_core.images.stack import ImageStack, Origin
from labelfree_core.inference.options import PredictOptions, ProgressCallback
from labelfree_core.inference.prediction import Prediction

Message = dict[str, object]
# Names, not imports: some of these build on the whole of this package, and each is loaded where it is needed.
KINDS = {
    "predict": "labelfree_core.inference.handover",
    "estimate": "labelfree_core.inference.estimating",
    "spread": "labelfree_core.analysis.spreading",
}


@dataclass(frozen=True, slots=True)
class Ask:
    """
    What is to be done with an image.

    ``model`` is an id or a folder, ``kind`` a key of :data:`KINDS`, ``details`` what that kind needs
    beside the usual, JSON-ready.
    """

    model: str
    options: PredictOptions = field(default_factory=PredictOptions)
    kind: str = "predict"
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wish:
    """An :class:`Ask`, the private ``folder`` of its image, and all of the image but its voxels."""

    ask: Ask
    folder: Path
    about: Message

    @property
    def stack(self) -> ImageStack:
        """The image, read from the folder."""
        return read_stack(self.about, self.folder)

    def message(self) -> Message:
        """Return it JSON-ready."""
        ask = {"model": self.ask.model, "kind": self.ask.kind, "details": dict(self.ask.details)}
        return {**ask, "options": asdict(self.ask.options), "folder": str(self.folder), "about": self.about}

    @classmethod
    def read(cls, message: dict) -> Wish:
        """Undo :meth:`message`."""
        options = read_options(message["options"])
        ask = Ask(message["model"], options, message["kind"], message["details"])
        return cls(ask, Path(message["folder"]), message["about"])


def module(kind: str) -> ModuleType:
    """Return the module that answers and reads this kind of work."""
    return import_module(KINDS[kind])


def answer(wish: Wish, progress: ProgressCallback) -> Message:
    """Predict, as :func:`labelfree_core.inference.predict.predict` does."""
    from labelfree_core.inference.predict import predict

    prediction = predict(wish.stack, wish.ask.model, options=wish.ask.options, progress=progress)
    np.save(wish.folder / "output.npy", prediction.voxels, allow_pickle=False)
    return describe(prediction)


def read(about: dict, folder: Path) -> Prediction:
    """Undo :func:`describe`, with the voxels in *folder*."""
    return Prediction(
        **{
            **about,
            "voxels": np.load(folder / "output.npy", allow_pickle=False),
            "voxel_size_um": tuple(about["voxel_size_um"]),
            "notes": tuple(about["notes"]),
            "origin": Origin(**about["origin"]),
        }
    )


def write_stack(stack: ImageStack, folder: Path) -> Message:
    """Save the voxels in *folder* and return all else, JSON-ready; one value for all takes no room."""
    same = stack.voxels.size > 0 and not any(stack.voxels.strides)
    first = stack.voxels[(0,) * stack.voxels.ndim] if same else stack.voxels
    np.save(folder / "input.npy", first, allow_pickle=False)
    size = None if stack.voxel_size_um is None else list(stack.voxel_size_um)
    return {
        "voxel_size_um": size,
        "origin": asdict(stack.origin),
        "units": stack.units,
        "shape": list(stack.voxels.shape),
    }


def read_stack(about: dict, folder: Path) -> ImageStack:
    """Undo :func:`write_stack`."""
    size = None if about["voxel_size_um"] is None else tuple(about["voxel_size_um"])
    voxels = np.load(folder / "input.npy", allow_pickle=False)
    if voxels.ndim == 0:
        voxels = np.broadcast_to(voxels, about["shape"])
    return ImageStack(voxels, size, Origin(**about["origin"]), about["units"])


def read_options(values: dict) -> PredictOptions:
    """Build the options that ``dataclasses.asdict`` took apart."""
    tile = values.get("tile")
    return PredictOptions(**{**values, "tile": None if tile is None else tuple(tile)})


def describe(prediction: Prediction) -> Message:
    """Return all of a prediction but its voxels, JSON-ready."""
    names = (
        "grid",
        "structure",
        "model_id",
        "model_sha256",
        "device",
        "units",
        "seconds",
        "recipe",
    )
    values: Message = {name: getattr(prediction, name) for name in names}
    lists: Message = {
        "voxel_size_um": list(prediction.voxel_size_um),
        "notes": list(prediction.notes),
        "origin": asdict(prediction.origin),
    }
    return {**values, **lists}
