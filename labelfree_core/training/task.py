"""
A training in a folder: what is asked for, where it stands, and what it has come to.

The process that trains and the page that waits share nothing but this folder, so that either may die
without taking the other along. Nothing here imports PyTorch.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labelfree_core.errors import ModelError
from labelfree_core.images.stack import ImageStack
from labelfree_core.models.card import ModelCard
from labelfree_core.models.cardfile import read_card, write_card

TABLE, CARD, TASK, STATE, PICTURES, STOP = (
    "pairs.csv",
    "card.toml",
    "task.json",
    "state.json",
    "pictures.npz",
    "stop",
)
MOST_PAIRS = 20
ACTIVE = ("starting", "preparing", "running", "finishing")
_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True, eq=False)
class GivenPair:
    """
    One image pair of a person.

    ``name`` and ``sha256`` of the file; ``kind`` ``"intensity"`` or ``"segmentation"``; ``split`` as in a
    pairs table; ``shift_px`` (y, x) from the image to the target, to be moved back.
    """

    name: str
    sha256: str
    image: ImageStack
    target: ImageStack
    kind: str = "intensity"
    split: str = "train"
    shift_px: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class TrainingTask:
    """What to make: the model's ``card``, the folder of the model to ``start`` from, and how long to take."""

    card: ModelCard
    start: str
    minutes: float
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Point:
    """One report: seconds spent on updates, loss since the last report, held-out r (NaN without one)."""

    seconds: float
    loss: float
    pearson_r: float


@dataclass(frozen=True, slots=True)
class TrainingState:
    """
    Where a training stands.

    ``state`` is one of :data:`ACTIVE`, ``"done"`` or ``"failed"``; ``before_r`` the held-out r of the model
    it started from; ``scores`` of the finished model on whole held-out fields, as (metric, median, n);
    the metric ``"before"`` is the r there of the model it started from.
    """

    state: str
    fraction: float = 0.0
    seconds: float = 0.0
    step: int = 0
    curve: tuple[Point, ...] = ()
    before_r: float | None = None
    scores: tuple[tuple[str, float, int], ...] = ()
    problem: str = ""

    @property
    def active(self) -> bool:
        """Whether it still works."""
        return self.state in ACTIVE


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """
    One plane of a part of a field that the training never sees, float32 (Y, X).

    ``before`` is what the model answered at the start, None where it started from nothing.
    """

    name: str
    image: npt.NDArray[np.float32]
    observed: npt.NDArray[np.float32]
    now: npt.NDArray[np.float32]
    before: npt.NDArray[np.float32] | None
    pixel_um: float


def write_task(folder: Path, task: TrainingTask, pairs: Sequence[GivenPair]) -> None:
    """
    Put a task and its pairs into an empty folder.

    Raises
    ------
    ModelError
        If the disk is full.
    """
    try:
        folder.mkdir(parents=True)
        with (folder / TABLE).open("w", newline="", encoding="utf-8") as handle:
            writer = csv.writer(handle)
            names = ("image", "target", "image_channel", "target_channel", "kind", "voxel_size_um")
            writer.writerow((*names, "group", "split", "shift_px", "sha256"))
            for number, pair in enumerate(pairs):
                place = f"{number}/{_plain(pair.name)}.npz"
                _write_voxels(folder / place, pair)
                size = " ".join(f"{part:.9g}" for part in pair.image.voxel_size_um or ())
                shift = f"{pair.shift_px[0]} {pair.shift_px[1]}"
                row = (
                    place,
                    place,
                    "image",
                    "target",
                    pair.kind,
                    size,
                    place,
                    pair.split,
                    shift,
                    pair.sha256,
                )
                writer.writerow(row)
        write_card(folder / CARD, task.card)
        write_json(folder / TASK, {"start": task.start, "minutes": task.minutes, "seed": task.seed})
        write_state(folder, TrainingState("starting"))
    except OSError as problem:
        shutil.rmtree(folder, ignore_errors=True)
        raise ModelError(
            f"The computer can't keep the pairs for a training ({problem.strerror or 'disk error'}). Free "
            "some disk space, then start again."
        ) from problem


def read_task(folder: Path) -> TrainingTask:
    """Read what :func:`write_task` wrote."""
    said = json.loads((folder / TASK).read_text(encoding="utf-8"))
    return TrainingTask(
        read_card(folder / CARD), str(said["start"]), float(said["minutes"]), int(said["seed"])
    )


def write_json(path: Path, content: object) -> None:
    """Write a JSON file whole or not at all."""
    partial = path.with_suffix(".part")
    partial.write_text(json.dumps(content), encoding="utf-8")
    partial.replace(path)


def write_state(folder: Path, state: TrainingState) -> None:
    """Say where the training stands."""
    write_json(folder / STATE, asdict(state))


def read_state(folder: Path) -> TrainingState:
    """Read where the training stands."""
    said = json.loads((folder / STATE).read_text(encoding="utf-8"))
    said["curve"] = tuple(Point(**point) for point in said["curve"])
    said["scores"] = tuple(tuple(score) for score in said["scores"])
    return TrainingState(**said)


def write_pictures(folder: Path, pictures: Pictures) -> None:
    """Keep the newest pictures."""
    arrays = {name: getattr(pictures, name) for name in ("image", "observed", "now")}
    if pictures.before is not None:
        arrays["before"] = pictures.before
    partial = folder / "pictures.part"
    with partial.open("wb") as handle:
        np.savez(handle, name=np.array(pictures.name), pixel_um=np.array(pictures.pixel_um), **arrays)
    partial.replace(folder / PICTURES)


def read_pictures(folder: Path) -> Pictures | None:
    """Read the newest pictures, None before there are any."""
    try:
        with np.load(folder / PICTURES, allow_pickle=False) as kept:
            before = kept.get("before")
            return Pictures(
                str(kept["name"]),
                kept["image"],
                kept["observed"],
                kept["now"],
                before,
                float(kept["pixel_um"]),
            )
    except FileNotFoundError:
        return None


def _write_voxels(path: Path, pair: GivenPair) -> None:
    path.parent.mkdir()
    with path.open("wb") as handle:
        origin = pair.image.origin
        np.savez(handle, image=pair.image.voxels, target=pair.target.voxels, simulated=origin.simulated)


def _plain(name: str) -> str:
    """Take a file name to what every file system accepts, still to be recognised."""
    return re.sub(r"[^A-Za-z0-9._ -]+", "-", name)[:_LONGEST_NAME].strip(" .-") or "image"
