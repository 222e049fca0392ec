"""One person's wish, from the queue to the result."""

from __future__ import annotations

import logging
import secrets
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

from labelfree_core.errors import PredictionError
from labelfree_core.images.stack import ImageStack
from labelfree_core.inference.handover import Ask, Wish, module, write_stack
from labelfree_core.inference.prediction import Prediction

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JobState:
    """
    What a person may know about a job of theirs.

    ``state`` is "queued", "running", "done", "failed" or "cancelled"; ``place`` how many
    others come before it (0 while it runs); ``fraction`` 0 to 1; ``seconds_left`` of the job
    itself or, in the queue, until it starts, where it can be told; ``stage`` in words;
    ``prediction`` or, of another kind of work, ``result`` once done; ``problem`` once failed.
    """

    state: str
    place: int = 0
    fraction: float = 0.0
    seconds_left: float | None = None
    stage: str = ""
    prediction: Prediction | None = None
    problem: str = ""
    result: object = None


@dataclass(slots=True)
class Job:
    """The service's own record of a job; only the service changes it, under its lock."""

    owner: str
    wish: Wish
    voxels: int
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    state: str = "queued"
    fraction: float = 0.0
    seconds_left: float | None = None
    stage: str = "Waiting"
    problem: str = ""
    result: object = None
    begun: float = 0.0

    @classmethod
    def write(cls, owner: str, stack: ImageStack, ask: Ask, room: Path) -> Job:
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
            about = write_stack(stack, folder)
        except OSError as problem:
            shutil.rmtree(folder, ignore_errors=True)
            raise PredictionError(
                f"The computer can't keep this image ({problem.strerror or 'the disk may be full'}). "
                "Free some disk space and try again."
            ) from problem
        return cls(owner, Wish(ask, folder, about), int(stack.voxels.size))

    @property
    def active(self) -> bool:
        """Whether it waits or runs."""
        return self.state in ("queued", "running")

    @property
    def pace_key(self) -> tuple[str, str]:
        """What tells how long a voxel takes: the kind of work and the model."""
        return self.wish.ask.kind, self.wish.ask.model

    @property
    def kept_bytes(self) -> int:
        """Memory of the result, by its largest part."""
        voxels = getattr(self.result, "voxels", None)
        return 0 if voxels is None else int(voxels.nbytes)

    def message(self) -> dict[str, object]:
        """What the worker needs to know: nothing about the person."""
        return {"kind": "work", "job": self.id, "wish": self.wish.message()}

    def begin(self) -> None:
        """Note that the worker has it now."""
        self.state, self.stage, self.begun = "running", "Starting", time.monotonic()

    def finish(self, state: str, problem: str = "") -> None:
        """End the job and delete its files."""
        self.state, self.problem, self.seconds_left = state, problem, None
        self.stage = ""
        self.erase()

    def take_result(self, about: dict[str, object]) -> None:
        """Load the result that the worker left, and delete the files."""
        try:
            self.result = module(self.wish.ask.kind).read(about, self.wish.folder)
        except (OSError, EOFError, ValueError, MemoryError):
            _LOG.warning("result lost", extra={"job": self.id})
            self.finish("failed", "The result could not be read back; memory or disk ran out. Predict again.")
            return
        self.fraction = 1.0
        self.finish("done")

    def erase(self) -> None:
        """Delete the files of the job."""
        shutil.rmtree(self.wish.folder, ignore_errors=True)

    def shown(self, place: int, seconds_left: float | None) -> JobState:
        """Return what its owner may see."""
        prediction = self.result if isinstance(self.result, Prediction) else None
        return JobState(
            self.state,
            place,
            self.fraction,
            seconds_left,
            self.stage,
            prediction,
            self.problem,
            self.result,
        )
