"""Trainings for the web page: one process each, one for each person, few at once."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from labelfree_core.errors import ModelError
from labelfree_core.inference.memory import budget
from labelfree_core.models.cardfile import write_card
from labelfree_core.models.entries import ModelEntry, read_entry
from labelfree_core.settings import Settings
from labelfree_core.training.ending import sentence
from labelfree_core.training.task import (
    MOST_PAIRS,
    STOP,
    TASK,
    GivenPair,
    Pictures,
    TrainingState,
    TrainingTask,
    read_pictures,
    read_state,
    read_task,
    write_json,
    write_state,
    write_task,
)

_ROOT = Path(__file__).resolve().parents[2]


@dataclass(slots=True)
class _Run:
    """The training of one person."""

    folder: Path
    process: subprocess.Popen[bytes]
    allowed_bytes: int

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    @property
    def works(self) -> bool:
        """Whether it trains; a process that is done takes a moment to leave."""
        return self.alive and read_state(self.folder).active

    def end(self) -> None:
        assert self.process.stdin is not None  # it was opened as a pipe
        with suppress(OSError):
            self.process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=0.5)
        if self.alive:
            self.process.kill()
        self.process.wait()


class TrainingService:
    """
    Starts, follows and ends trainings; a person sees only their own.

    Parameters
    ----------
    settings : Settings, optional
        Limits; read from the environment if not given.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings.read()
        self._lock = threading.RLock()
        self._runs: dict[str, _Run] = {}
        atexit.register(self.shutdown)

    def start(self, owner: str, folder: Path, task: TrainingTask, pairs: Sequence[GivenPair]) -> None:
        """
        Begin a training in a new *folder*; an ended one of this person is forgotten.

        Raises
        ------
        ModelError
            If there are no or too many pairs, one is too large, or too much is running.
        """
        self._check_pairs(pairs, task)
        with self._lock:
            self._check_room(owner)
            self.forget(owner)
            write_task(folder, task, pairs)
            allowed = self._allowed_bytes()
            try:
                self._runs[owner] = _Run(folder, self._process(folder, allowed), allowed)
            except OSError as problem:
                shutil.rmtree(folder, ignore_errors=True)
                raise _no_room(problem) from problem

    def more(self, owner: str, minutes: float) -> None:
        """
        Continue an ended training for some more minutes.

        Raises
        ------
        ModelError
            If there is none, it still runs, or the limit is reached.
        """
        with self._lock:
            run = self._own(owner)
            self._check_room(owner)
            task = read_task(run.folder)
            self._check_minutes(minutes)
            run.end()
            state = read_state(run.folder)
            # What was stopped early is continued from the time it really took.
            longer = state.seconds / 60 + minutes
            try:
                write_json(run.folder / TASK, {"start": task.start, "minutes": longer, "seed": task.seed})
                (run.folder / STOP).unlink(missing_ok=True)
                write_state(run.folder, replace(state, state="starting", problem="", scores=()))
                shutil.rmtree(run.folder / "model", ignore_errors=True)
                run.allowed_bytes = self._allowed_bytes()
                run.process = self._process(run.folder, run.allowed_bytes)
            except OSError as problem:
                raise _no_room(problem) from problem

    def state(self, owner: str) -> TrainingState | None:
        """Say where the training of a person stands; None where there is none."""
        run = self._runs.get(owner)
        if run is None:
            return None
        alive = run.alive  # asked first: what it wrote last was written before it ended
        state = read_state(run.folder)
        if state.active and not alive:
            problem = sentence(run.process.returncode, run.allowed_bytes)
            state = replace(state, state="failed", problem=problem)
            with suppress(OSError):  # on a full disk it is worked out again at the next look
                write_state(run.folder, state)
        return state

    def pictures(self, owner: str) -> Pictures | None:
        """Return the newest pictures of a person's training."""
        run = self._runs.get(owner)
        return None if run is None else read_pictures(run.folder)

    def stop(self, owner: str) -> None:
        """
        End a training at its next report, and make a model of what it has learnt.

        Raises
        ------
        ModelError
            If there is none, or the disk is full.
        """
        with self._lock:
            try:
                (self._own(owner).folder / STOP).touch()
            except OSError as problem:
                raise _no_room(problem) from problem

    def model(self, owner: str) -> tuple[ModelEntry, Path] | None:
        """Return the finished model and its package, where there is one."""
        state = self.state(owner)
        if state is None or state.state != "done":
            return None
        folder = self._runs[owner].folder / "model"
        package = next(folder.glob("*.zip"))
        return read_entry(package.with_suffix("")), package

    def forget(self, owner: str) -> None:
        """End the training of a person and delete its files, as when they leave."""
        with self._lock:
            run = self._runs.pop(owner, None)
        if run is not None:
            run.end()
            shutil.rmtree(run.folder, ignore_errors=True)

    def shutdown(self) -> None:
        """End all trainings. May be called again."""
        for owner in list(self._runs):
            self.forget(owner)
        atexit.unregister(self.shutdown)

    def _own(self, owner: str) -> _Run:
        if owner not in self._runs:
            raise ModelError("There is no training here any more. Start it again.")
        return self._runs[owner]

    def _check_room(self, owner: str) -> None:
        running = [who for who, run in self._runs.items() if run.works]
        if owner in running:
            raise ModelError("Your training is still running. Stop it first, or wait until it is done.")
        if len(running) >= self.settings.trainings:
            raise ModelError(
                f"{len(running)} training{'s' * (len(running) != 1)} of other people are running on this "
                f"computer, and {self.settings.trainings} may at once. Try again in a few minutes."
            )

    def _check_minutes(self, minutes: float) -> None:
        if not 0 < minutes <= self.settings.training_minutes:
            raise ModelError(
                f"{minutes:.0f} minutes were asked for; here a training may take up to "
                f"{self.settings.training_minutes:.0f}. Take less, or use `labelfree train` on your own "
                "computer."
            )

    def _check_pairs(self, pairs: Sequence[GivenPair], task: TrainingTask) -> None:
        self._check_minutes(task.minutes)
        if not 1 <= len(pairs) <= MOST_PAIRS:
            raise ModelError(f"A training here takes 1 to {MOST_PAIRS} pairs, and there are {len(pairs)}.")
        if all(pair.split == "held-out" for pair in pairs):
            raise ModelError("Every pair is kept for the score. Leave at least one to learn from.")
        if all(pair.split == "train" for pair in pairs):
            raise ModelError("No pair is kept for the score. Keep one, or a part of one.")
        voxels = sum(pair.image.voxels.size for pair in pairs)
        if voxels > self.settings.max_mvoxels * 1e6:
            raise ModelError(
                f"The pairs have {voxels / 1e6:.0f} million voxels together, and "
                f"{self.settings.max_mvoxels:.0f} million are allowed. Bring fewer, or crop them."
            )

    def _allowed_bytes(self) -> int:
        """Memory of one training: its own limit, else that of a prediction."""
        mib = self.settings.training_mib or self.settings.memory_mib
        return budget(settings=replace(self.settings, memory_mib=mib))

    def _process(self, folder: Path, allowed_bytes: int) -> subprocess.Popen[bytes]:
        folders = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, **self.settings.environment(), "PYTHONPATH": os.pathsep.join(folders)}
        # PyTorch makes a folder of its own where it is imported to train; it goes with the training.
        environment["TORCHINDUCTOR_CACHE_DIR"] = str(folder / "torch")
        if self.settings.threads is not None:
            environment["OMP_NUM_THREADS"] = str(self.settings.threads)
        with (folder / "log.txt").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "labelfree_core.training.trainer", str(folder), str(allowed_bytes)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=os.name == "posix",
            )


def _no_room(problem: OSError) -> ModelError:
    return ModelError(
        f"The computer can't go on with the training ({problem.strerror or 'disk error'}). Free some disk "
        "space, then try again."
    )


def keep_model(entry: ModelEntry, folder: Path) -> ModelEntry:
    """
    Copy a finished model into a folder of models, under an id that is free there.

    Parameters
    ----------
    entry : ModelEntry
    folder : path
        Made where it does not exist.

    Raises
    ------
    ModelError
        If the folder can't be written.
    """
    name, number = entry.card.id, 2
    while (folder / name).exists():
        name, number = f"{entry.card.id}-{number}", number + 1
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A model appears whole: hidden until it is.
        shutil.copytree(entry.folder, folder / f".{name}")
        write_card(folder / f".{name}", replace(entry.card, id=name))
        (folder / f".{name}").rename(folder / name)
    except OSError as problem:
        shutil.rmtree(folder / f".{name}", ignore_errors=True)
        raise ModelError(
            f"The model can't be kept in {folder} ({problem.strerror or 'disk error'}). Download it instead."
        ) from problem
    return read_entry(folder / name)
