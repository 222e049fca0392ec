"""Who waits for what, who comes next, and how long it will take: the book of the service."""

from __future__ import annotations

import time

from labelfree_core.errors import PredictionError
from labelfree_core.images.stack import ImageStack
from labelfree_core.inference.jobs import Job, JobState
from labelfree_core.settings import Settings

# Answers that somebody waits for at the screen and that take a moment go first.
QUICK = frozenset({"estimate"})


class Book:
    """
    All jobs of one server. Every call is made under the service's lock.

    Parameters
    ----------
    limits : Settings
        How much one person, and everybody, may have waiting and kept.
    """

    def __init__(self, limits: Settings) -> None:
        self._limits = limits
        self._jobs: dict[str, Job] = {}
        self._seen: dict[str, float] = {}
        self._served: dict[str, int] = {}
        self._pace: dict[tuple[str, str], float] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def active(self) -> list[Job]:
        """Jobs that wait or run, as they came."""
        return [job for job in self._jobs.values() if job.active]

    def check(self, owner: str, stack: ImageStack) -> None:
        """
        See whether there is room for one more.

        Raises
        ------
        PredictionError
            If the person or everybody together has too much waiting, or the image is too large.
        """
        limits, active = self._limits, self.active
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
                f"{limits.max_mvoxels:g} million. Crop it, or use the command line on your own computer."
            )

    def add(self, job: Job) -> None:
        """Put a job at the end of its owner's."""
        self._jobs[job.id] = job
        self._seen[job.owner] = time.monotonic()

    def own(self, job_id: str, owner: str) -> Job:
        """
        Return a job of this person, and note that they are there.

        Raises
        ------
        PredictionError
            If they have no such job.
        """
        self._seen[owner] = time.monotonic()
        job = self._jobs.get(job_id)
        if job is None or job.owner != owner:  # one sentence for both: ids of others can't be probed
            raise PredictionError(
                "This prediction is no longer here; it was finished or forgotten. Predict again."
            )
        return job

    def waiting(self) -> list[Job]:
        """Jobs in the order in which they will run: people take turns, whoever waited longest first."""
        turns: dict[str, int] = {}
        keyed = []
        for number, job in enumerate(self._jobs.values()):
            if job.state != "queued":
                continue
            turn = turns.setdefault(job.owner, 0)
            turns[job.owner] += 1
            served = self._served.get(job.owner, -1)
            keyed.append(((job.wish.ask.kind not in QUICK, turn, served, number), job))
        return [job for _, job in sorted(keyed, key=lambda pair: pair[0])]

    def begin(self, job: Job) -> None:
        """Note that it is this person's turn."""
        self._served[job.owner] = max(self._served.values(), default=-1) + 1
        job.begin()

    def learn(self, job: Job) -> None:
        """Remember how long a finished job took, to tell the next person."""
        if job.state == "done" and job.voxels:
            self._pace[job.pace_key] = (time.monotonic() - job.begun) / job.voxels

    def shown(self, job: Job) -> JobState:
        """Return what its owner may see; in the queue its place and the time until it starts."""
        if job.state != "queued":
            return job.shown(0, job.seconds_left)
        order = self.waiting()
        before = [other for other in self._jobs.values() if other.state == "running"]
        before += order[: order.index(job)]
        return job.shown(len(before), self._seconds(before))

    def _seconds(self, jobs: list[Job]) -> float | None:
        """Tell how long these will take together; None where one of them is not known."""
        total = 0.0
        for job in jobs:
            pace = self._pace.get(job.pace_key)
            if job.seconds_left is not None:
                total += job.seconds_left
            elif pace is not None:
                total += pace * job.voxels * (1 - job.fraction)
            else:
                return None
        return total

    def release(self, job_id: str, owner: str) -> None:
        """Let go of a job that ended; nothing happens to somebody else's, or to one that waits or runs."""
        job = self._jobs.get(job_id)
        if job is not None and job.owner == owner and not job.active:
            del self._jobs[job_id]

    def forget(self, owner: str) -> None:
        """Stop and delete everything of one person."""
        for job in [job for job in self._jobs.values() if job.owner == owner]:
            if job.active:
                job.finish("cancelled")
            job.erase()
            del self._jobs[job.id]
        self._seen.pop(owner, None)
        self._served.pop(owner, None)

    def forget_silent(self, seconds: float) -> None:
        """Forget people who have not asked for anything for so long."""
        now = time.monotonic()
        for owner in [owner for owner, seen in self._seen.items() if now - seen > seconds]:
            self.forget(owner)

    def drop_old_results(self, owner: str) -> None:
        """Keep the newest results of one person, by number and by memory; the newest always."""
        done = [job for job in self._jobs.values() if job.owner == owner and not job.active]
        room = self._limits.results_mib * 2**20
        for newer, job in enumerate(reversed(done)):
            room -= job.kept_bytes
            if newer and (newer >= self._limits.results or room < 0):
                del self._jobs[job.id]
