"""One person's wish for a prediction, from the queue to the result."""

from __future__ import annotations

import secrets
import shutil
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from labelfree_core.errors import PredictionError
from labelfree_core.images.stack import ImageStack
from labelfree_core.inference.options import PredictOptions
from labelfree_core.inference.prediction import Prediction
from labelfree_core.inference.worker import describe_stack, read_prediction


@dataclass(frozen=True, slots=True)
class JobState:
    """
    What a person may know about a job of theirs.

    ``state`` is "queued", "running", "done", "failed" or "cancelled"; ``place`` how many
    predictions come before it (0 while it runs); ``fraction`` 0 to 1; ``seconds_left`` where it
    can be told; ``stage`` in words; ``prediction`` once done; ``problem`` once failed.
    """

    state: str
    place: int = 0
    fraction: float = 0.0
    seconds_left: float | None = None
    stage: str = ""
    prediction: Prediction | None = None
    problem: str = ""


@dataclass(slots=True)
class Job:
    """The service's own record of a job; only the service changes it, under its lock."""

    owner: str
    model: str
    options: PredictOptions
    folder: Path
    about: dict[str, object]
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    state: str = "queued"
    fraction: float = 0.0
    seconds_left: float | None = None
    stage: str = "Waiting"
    problem: str = ""
    prediction: Prediction | None = None
    submitted: float = field(default_factory=time.monotonic)

    @classmethod
    def write(cls, owner: str, stack: ImageStack, model: str, options: PredictOptions, room: Path) -> Job:
        """
        Create a job and put its image into a folder of its own below *room*.

        Raises
        ------
        PredictionError
            If the disk is full.
        """
        folder = room / secrets.token_hex(16)
        try:
            folder.mkdir(mode=0o700)
            np.save(folder / "input.npy", stack.voxels, allow_pickle=False)
        except OSError as problem:
            shutil.rmtree(folder, ignore_errors=True)
            raise PredictionError(
                f"The computer can't keep this image ({problem.strerror or 'disk error'}). "
                "Free some disk space and try again."
            ) from problem
        return cls(owner, model, options, folder, describe_stack(stack))

    @property
    def active(self) -> bool:
        """Whether it waits or runs."""
        return self.state in ("queued", "running")

    def message(self) -> dict[str, object]:
        """What the worker needs to know: nothing about the person."""
        return {
            "kind": "predict",
            "job": self.id,
            "folder": str(self.folder),
            "stack": self.about,
            "model": self.model,
            "options": asdict(self.options),
        }

    def finish(self, state: str, problem: str = "") -> None:
        """End the job and delete its files."""
        self.state, self.problem, self.seconds_left = state, problem, None
        self.stage = ""
        self.erase()

    def take_result(self, about: dict[str, object]) -> None:
        """Load the result that the worker left, and delete the files."""
        try:
            self.prediction = read_prediction(about, self.folder)
        except (OSError, ValueError, MemoryError):
            self.finish("failed", "The result could not be read back; memory or disk ran out. Predict again.")
            return
        self.fraction = 1.0
        self.finish("done")

    def erase(self) -> None:
        """Delete the files of the job."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def shown(self, place: int) -> JobState:
        """Return what its owner may see."""
        return JobState(
            self.state, place, self.fraction, self.seconds_left, self.stage, self.prediction, self.problem
        )
