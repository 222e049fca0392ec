"""
Predictions for many people on one machine: a queue in front of one worker process.

A person sees only jobs submitted under their own owner string (a session's id), whatever
ids they try. Images and results live in a private folder until they are handed over.
"""

from __future__ import annotations

import atexit
import logging
import shutil
import threading
import time
from collections import deque
from pathlib import Path

from labelfree_core.errors import PredictionError
from labelfree_core.images.stack import ImageStack
from labelfree_core.inference.handover import Ask
from labelfree_core.inference.jobs import Job, JobState
from labelfree_core.inference.options import PredictOptions
from labelfree_core.inference.queueing import Book
from labelfree_core.inference.workerprocess import WorkerProcess
from labelfree_core.models.store import ModelEntry
from labelfree_core.scratch import own_folder
from labelfree_core.settings import Settings

__all__ = ["JobState", "PredictionService"]

_LOG = logging.getLogger(__name__)
_DEFAULTS = PredictOptions()
_PATIENCE_S = 0.9  # a person notices a second
_TICK_S = 0.05
_DIED = (
    "The system stopped the prediction, most likely because memory ran out. Close other programs, allow "
    "less memory so that smaller pieces are used, or crop the image, and predict again."
)
_BROKEN = "The prediction failed because of an error in this software; the log of the server says more."


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
        self._room = own_folder("room")
        self._lock = threading.Condition()
        self._book = Book(self._settings)
        self._left: deque[str] = deque()
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
        where = str(model.folder) if isinstance(model, ModelEntry) else str(model)
        return self.ask(owner, stack, Ask(where, options))

    def ask(self, owner: str, stack: ImageStack, ask: Ask) -> str:
        """
        Queue any kind of work on an image.

        Parameters
        ----------
        owner : str
            Who may see it; a session's id.
        stack : ImageStack
            Of a constant value and without memory of its own where only its shape matters.
        ask : Ask
            The kind of work, the model and the options.

        Returns
        -------
        job : str

        Raises
        ------
        PredictionError
            As :meth:`submit`.
        """
        with self._lock:
            if self._closed:
                raise PredictionError("The server is shutting down. Start it again, then predict.")
            self._book.check(owner, stack)
        job = Job.write(owner, stack, ask, self._room)  # a slow disk takes its time: not under the lock
        with self._lock:
            self._book.add(job)
            self._lock.notify_all()
        _LOG.info("job queued", extra={"job": job.id, "work": ask.kind, "voxels": job.voxels})
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
            return self._book.shown(self._book.own(job_id, owner))

    def cancel(self, job_id: str, owner: str) -> None:
        """
        Stop a job; the worker has 0.9 s to obey before it is replaced.

        Raises
        ------
        PredictionError
            If *owner* has no such job.
        """
        with self._lock:
            job = self._book.own(job_id, owner)
            if job.active:
                job.finish("cancelled")
            self._lock.notify_all()

    def release(self, job_id: str, owner: str) -> None:
        """Let go of a job that ended, once its result was taken over; one that waits or runs goes on."""
        with self._lock:
            self._book.release(job_id, owner)

    def forget(self, owner: str) -> None:
        """Stop and delete everything of *owner*, as when a person leaves."""
        with self._lock:
            self._book.forget(owner)
            self._lock.notify_all()

    def leave(self, owner: str) -> None:
        """Forget *owner* within a second; takes no lock, as finalizers run anywhere, even in this class."""
        self._left.append(owner)

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
        _LOG.info("queue closed")

    @property
    def worker_pid(self) -> int | None:
        """Number of the worker process, None while there is none."""
        worker = self._worker
        return worker.pid if worker is not None and worker.alive else None

    def _serve(self) -> None:
        """Run one job after the other until the service closes; the thread's whole life."""
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._closed or self._left or self._book.waiting(), timeout=1.0)
                if self._closed:
                    return
                self._forget_leavers()
                self._rest()
                job = next(iter(self._book.waiting()), None)
                if job is None:
                    continue
                self._book.begin(job)
            try:
                self._run(job)
            except Exception:  # a bug must cost one job, never everybody's queue
                _LOG.exception("job broke the queue", extra={"job": job.id})
                self._give_up(job)

    def _ready_worker(self) -> WorkerProcess:
        if self._worker is None or not self._worker.alive:
            self._worker = WorkerProcess(self._settings)
        return self._worker

    def _give_up(self, job: Job) -> None:
        """End a job and the worker after an error of this class."""
        if self._worker is not None:
            self._worker.end()
        with self._lock:
            job.finish("failed", _BROKEN)

    def _run(self, job: Job) -> None:
        """Follow one job on the worker to its end, or end the worker."""
        with self._lock:
            worker = self._ready_worker()
        worker.say(job.message())
        asked_at: float | None = None
        while True:
            message = worker.hear(_TICK_S)
            if message is not None and message["kind"] == "ended":
                worker.end()  # it may be dying still; the next job needs a new one
            with self._lock:
                if message is not None and self._hear(job, message):
                    break
                self._forget_leavers()  # a long job of one person must not keep the data of others who left
                if (self._closed or job.state == "cancelled") and asked_at is None:
                    asked_at = time.monotonic()
                    worker.say({"kind": "cancel", "job": job.id})
                if asked_at is not None and time.monotonic() - asked_at > _PATIENCE_S:
                    worker.end()
                    _LOG.info("worker replaced", extra={"job": job.id})
                    break
        if message is not None and message.get("spent"):
            worker.end(_PATIENCE_S)
        with self._lock:
            job.erase()
            self._idle_since = time.monotonic()
            self._book.learn(job)
            self._book.drop_old_results(job.owner)
        seconds = round(time.monotonic() - job.begun, 3)
        _LOG.info("job ended", extra={"job": job.id, "state": job.state, "seconds": seconds})

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
            job.take_result(message["about"])
        elif kind == "failed" and job.active:
            job.finish("failed", message["problem"])
        return bool(kind != "progress")

    def _forget_leavers(self) -> None:
        """Forget people who left, with a word or without."""
        while self._left:
            self._book.forget(self._left.popleft())
        self._book.forget_silent(60 * self._settings.idle_minutes)

    def _rest(self) -> None:
        """End a worker that nobody has needed for a while; all its memory goes back, the GPU's too."""
        idle = time.monotonic() - self._idle_since
        if self._worker is not None and not self._book.active and idle > 60 * self._settings.idle_minutes:
            self._worker.end(_PATIENCE_S)
            self._worker = None
            _LOG.info("idle worker ended")
