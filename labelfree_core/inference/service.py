"""
Predictions for many people on one machine: a queue in front of one worker process.

A person sees only jobs submitted under their own owner string (a session's id), whatever
ids they try. Images and results live in a private folder until they are handed over.
"""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

import psutil

from labelfree_core.errors import PredictionError
from labelfree_core.images.stack import ImageStack
from labelfree_core.inference.jobs import Job, JobState
from labelfree_core.inference.options import PredictOptions
from labelfree_core.inference.workerprocess import WorkerProcess
from labelfree_core.models.store import ModelEntry
from labelfree_core.settings import Settings

__all__ = ["JobState", "PredictionService"]

_LOG = logging.getLogger(__name__)
_DEFAULTS = PredictOptions()
_PATIENCE_S = 0.9  # a person notices a second
_TICK_S = 0.05
_PREFIX = "labelfree-room-"
_DIED = (
    "The system stopped the prediction, most likely because memory ran out. Close other programs, allow "
    "less memory so that smaller pieces are used, or crop the image, and predict again."
)


class PredictionService:
    """
    One worker process behind a queue.

    Parameters
    ----------
    settings : Settings, optional
        Limits; read from the environment if not given.

    Examples
    --------
    >>> service = PredictionService()
    >>> job = service.submit("session-1", stack, "dna-brightfield-3d")  # doctest: +SKIP
    >>> service.job(job, "session-1").state  # doctest: +SKIP
    'queued'
    >>> service.shutdown()
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or Settings.read()
        _sweep()
        # Readable by this user only; the number tells a later server that this one is gone.
        self._room = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        self._lock = threading.Condition()
        self._jobs: dict[str, Job] = {}
        self._seen: dict[str, float] = {}
        self._worker: WorkerProcess | None = None
        self._idle_since = time.monotonic()
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="labelfree-queue", daemon=True)
        self._thread.start()
        atexit.register(self.shutdown)

    def submit(
        self,
        owner: str,
        stack: ImageStack,
        model: ModelEntry | str | Path,
        options: PredictOptions = _DEFAULTS,
    ) -> str:
        """
        Queue a prediction.

        Parameters
        ----------
        owner : str
            Who may see it; a session's id.
        stack : ImageStack
        model : ModelEntry, str or path
            Model, its id or its folder.
        options : PredictOptions

        Returns
        -------
        job : str
            The id for :meth:`job` and :meth:`cancel`.

        Raises
        ------
        PredictionError
            If the person or everybody together has too much waiting, or the image is too large.
        """
        self._check(owner, stack)
        where = str(model.folder) if isinstance(model, ModelEntry) else str(model)
        job = Job.write(owner, stack, where, options, self._room)
        with self._lock:
            self._jobs[job.id] = job
            self._seen[owner] = time.monotonic()
            self._lock.notify_all()
        _LOG.info("job queued", extra={"job": job.id, "voxels": int(stack.voxels.size)})
        return job.id

    def job(self, job_id: str, owner: str) -> JobState:
        """
        Return the state of a job.

        Raises
        ------
        PredictionError
            If *owner* has no such job (any more).
        """
        with self._lock:
            job = self._own(job_id, owner)
            waiting = [other.id for other in self._jobs.values() if other.active]
            place = waiting.index(job.id) if job.state == "queued" else 0
            return job.shown(place)

    def cancel(self, job_id: str, owner: str) -> None:
        """
        Stop a job; the worker has 0.9 s to obey before it is replaced.

        Raises
        ------
        PredictionError
            If *owner* has no such job.
        """
        with self._lock:
            job = self._own(job_id, owner)
            if job.active:
                job.finish("cancelled")
            self._lock.notify_all()

    def forget(self, owner: str) -> None:
        """Stop and delete everything of *owner*, as when a person leaves."""
        with self._lock:
            for job in [job for job in self._jobs.values() if job.owner == owner]:
                if job.active:
                    job.finish("cancelled")
                job.erase()
                del self._jobs[job.id]
            self._seen.pop(owner, None)
            self._lock.notify_all()

    def warm(self) -> None:
        """Start the worker now, so that the first prediction need not wait for it."""
        with self._lock:
            self._ready_worker()
            self._idle_since = time.monotonic()

    def shutdown(self) -> None:
        """Stop the worker, delete all files. May be called again."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._lock.notify_all()
        self._thread.join(timeout=5)
        if self._worker is not None:
            self._worker.end(_PATIENCE_S)
        shutil.rmtree(self._room, ignore_errors=True)
        atexit.unregister(self.shutdown)

    @property
    def worker_pid(self) -> int | None:
        """Number of the worker process, None while there is none."""
        worker = self._worker
        return worker.pid if worker is not None and worker.alive else None

    def _own(self, job_id: str, owner: str) -> Job:
        self._seen[owner] = time.monotonic()
        job = self._jobs.get(job_id)
        if job is None or job.owner != owner:  # one sentence for both: ids of others can't be probed
            raise PredictionError(
                "This prediction is no longer here; it was finished or forgotten. Predict again."
            )
        return job

    def _check(self, owner: str, stack: ImageStack) -> None:
        limits = self._settings
        with self._lock:
            if self._closed:
                raise PredictionError("The server is shutting down. Start it again, then predict.")
            active = [job for job in self._jobs.values() if job.active]
            mine = sum(job.owner == owner for job in active)
        if mine >= limits.queue_per_user:
            raise PredictionError(
                f"You already have {mine} predictions waiting or running, and {limits.queue_per_user} are "
                "allowed at once. Wait for one to finish, or cancel one."
            )
        if len(active) >= limits.queue:
            raise PredictionError(
                f"{len(active)} predictions are waiting on this server already. Try again in a few minutes."
            )
        if stack.voxels.size > limits.max_mvoxels * 1e6:
            raise PredictionError(
                f"The image has {stack.voxels.size / 1e6:.0f} million voxels and this server takes "
                f"{limits.max_mvoxels:.0f} million. Crop it, or use the command line on your own computer."
            )

    def _serve(self) -> None:
        """Run one job after the other until the service closes; the thread's whole life."""
        while True:
            with self._lock:
                self._lock.wait_for(self._has_work, timeout=1.0)
                if self._closed:
                    return
                self._tidy()
                job = next((job for job in self._jobs.values() if job.state == "queued"), None)
                if job is None:
                    continue
                job.state, job.stage = "running", "Starting"
                worker = self._ready_worker()
            self._run(job, worker)

    def _has_work(self) -> bool:
        return self._closed or any(job.state == "queued" for job in self._jobs.values())

    def _ready_worker(self) -> WorkerProcess:
        if self._worker is None or not self._worker.alive:
            self._worker = WorkerProcess(self._settings)
        return self._worker

    def _run(self, job: Job, worker: WorkerProcess) -> None:
        """Follow one job on the worker to its end, or end the worker."""
        worker.say(job.message())
        asked_at: float | None = None
        while True:
            message = worker.hear(_TICK_S)
            if message is not None and message["kind"] == "ended":
                worker.end()  # it may be dying still; the next job needs a new one
            with self._lock:
                if message is not None and self._hear(job, message):
                    break
                if (self._closed or job.state == "cancelled") and asked_at is None:
                    asked_at = time.monotonic()
                    worker.say({"kind": "cancel", "job": job.id})
                if asked_at is not None and time.monotonic() - asked_at > _PATIENCE_S:
                    worker.end()
                    _LOG.info("worker replaced", extra={"job": job.id})
                    break
        with self._lock:
            job.erase()
            self._idle_since = time.monotonic()
            self._drop_old_results(job.owner)
        _LOG.info("job ended", extra={"job": job.id, "state": job.state})

    def _hear(self, job: Job, message: dict) -> bool:
        """Take note of one message; True where it ends the job."""
        kind = message["kind"]
        if kind == "ended":
            if job.active:
                job.finish("failed", _DIED)
            return True
        if message.get("job") != job.id:
            return False
        if kind == "progress" and job.active:
            job.fraction, job.seconds_left = message["fraction"], message["seconds_left"]
            job.stage = message["stage"]
        elif kind == "done" and job.active:
            job.take_result(message["prediction"])
        elif kind == "failed" and job.active:
            job.finish("failed", message["problem"])
        return bool(kind != "progress")

    def _drop_old_results(self, owner: str) -> None:
        done = [job for job in self._jobs.values() if job.owner == owner and not job.active]
        for job in done[: -self._settings.results]:
            del self._jobs[job.id]

    def _tidy(self) -> None:
        """Forget people who left without a word, and end a worker that nobody needs."""
        limit, now = 60 * self._settings.idle_minutes, time.monotonic()
        for owner in [owner for owner, seen in self._seen.items() if now - seen > limit]:
            self.forget(owner)
        busy = any(job.active for job in self._jobs.values())
        if self._worker is not None and not busy and now - self._idle_since > limit:
            self._worker.end(_PATIENCE_S)
            self._worker = None


def _sweep() -> None:
    """Delete what servers left behind that were killed before they could."""
    for room in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        number = room.name.removeprefix(_PREFIX).split("-")[0]
        if number.isdigit() and not psutil.pid_exists(int(number)):
            shutil.rmtree(room, ignore_errors=True)
