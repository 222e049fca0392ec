"""The page tells what a prediction will take, and asks the worker for it instead of computing itself."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from labelfree_core.images.stack import ImageStack
from labelfree_core.inference.handover import Ask
from labelfree_core.inference.jobs import JobState
from labelfree_core.inference.options import Estimate
from pages.components import cached
from tests.pages.conftest import Worker, words

ask_the_worker = cached.estimate  # before the small world puts something quick in its place


class Clerk(Worker):
    """A worker that does not tell the time at once."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[Ask, tuple[int, ...]]] = []
        self.busy = 100
        self.problem = ""

    def ask(self, owner: str, stack: ImageStack, ask: Ask) -> str:
        self.asked.append((ask, stack.shape))
        return "about the time"

    def job(self, job: str, owner: str) -> JobState:
        if job != "about the time":
            return super().job(job, owner)
        self.busy -= 1
        if self.busy >= 0:
            return JobState("running")
        if self.problem:
            return JobState("failed", problem=self.problem)
        return JobState("done", result=Estimate(95.0, 3 * 10**8, 1, "cpu", ("The voxels differ.",)))


@pytest.fixture
def clerk(monkeypatch: pytest.MonkeyPatch, worker: Worker) -> Clerk:
    standing_in = Clerk()
    monkeypatch.setattr(cached, "service", lambda: standing_in)
    monkeypatch.setattr(cached, "estimate", ask_the_worker)
    return standing_in


def test_the_time_and_the_warnings_appear_when_the_worker_has_told(
    clerk: Clerk, open_app: Callable[..., AppTest]
) -> None:
    app = open_app("predict", sample="cells")
    assert "Working out how long this takes" in words(app)
    clerk.busy = 0
    app.run()
    assert "About 2 min" in words(app)
    assert "The voxels differ." in words(app)
    app.run()
    assert [(ask.kind, Path(ask.model).name, shape) for ask, shape in clerk.asked] == [
        ("estimate", "dna-test-3d", (8, 48, 64))
    ]


def test_what_the_worker_refuses_is_a_sentence(clerk: Clerk, open_app: Callable[..., AppTest]) -> None:
    clerk.busy, clerk.problem = 0, "The voxels are eight times too large."
    app = open_app("predict", sample="cells")
    app.run()
    assert "The voxels are eight times too large." in words(app)
    assert not app.exception
