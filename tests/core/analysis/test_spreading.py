"""The worker of the pages predicts the views: the same numbers, with progress, and cancel stops them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from labelfree_core.analysis.spread import Spread, spread
from labelfree_core.analysis.trust import TrustOptions, trust
from labelfree_core.images.stack import ImageStack
from labelfree_core.inference.handover import Ask
from labelfree_core.inference.jobs import JobState
from labelfree_core.inference.options import PredictOptions, Progress
from labelfree_core.inference.service import PredictionService
from labelfree_core.settings import Settings
from tests.core.conftest import SIZE_UM, Cells

OPTIONS = PredictOptions(device="cpu")


@pytest.fixture(scope="module")
def service() -> Iterator[PredictionService]:
    running = PredictionService(Settings(threads=1))
    yield running
    running.shutdown()


def ended(service: PredictionService, job: str) -> JobState:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        state = service.job(job, "me")
        if state.state not in ("queued", "running"):
            return state
        time.sleep(0.02)
    raise AssertionError("the views took more than a minute")


def test_the_worker_answers_as_the_function_does(
    service: PredictionService, cells: Cells, model_id: str, tiny_models: Path
) -> None:
    stack = ImageStack(cells.light, SIZE_UM)
    ask = Ask(str(tiny_models / model_id), OPTIONS, "spread", {"extent": "full"})
    state = ended(service, service.ask("me", stack, ask))
    assert state.problem == ""
    found, wanted = state.result, spread(stack, model_id, extent="full", options=OPTIONS)
    assert isinstance(found, Spread)
    assert state.prediction is None
    np.testing.assert_allclose(found.map, wanted.map, atol=1e-5)
    np.testing.assert_allclose(found.mean, wanted.mean, atol=1e-5)
    assert (found.voxel_size_um, found.offset_um) == (wanted.voxel_size_um, wanted.offset_um)
    assert (found.views, found.share) == (8, 1.0)


def test_cancelled_views_stop(service: PredictionService, model_id: str, tiny_models: Path) -> None:
    large = ImageStack(np.random.default_rng(0).normal(9000, 90, (32, 400, 400)).astype(np.float32), SIZE_UM)
    ask = Ask(str(tiny_models / model_id), OPTIONS, "spread", {"extent": "full"})
    job = service.ask("me", large, ask)
    service.cancel(job, "me")
    assert ended(service, job).state == "cancelled"
    assert ended(service, job).result is None


def test_progress_counts_all_views(cells: Cells, model_id: str) -> None:
    told: list[Progress] = []
    spread(ImageStack(cells.light, SIZE_UM), model_id, options=OPTIONS, progress=told.append)
    fractions = [now.fraction for now in told]
    assert fractions == sorted(fractions)
    assert fractions[0] < 0.25
    assert fractions[-1] == pytest.approx(1)
    assert told[-1].stage == "View 4 of 4"
    assert told[-1].seconds_left == pytest.approx(0)


def test_a_report_takes_views_that_are_there(cells: Cells, model_id: str) -> None:
    stack = ImageStack(cells.light, SIZE_UM)
    views = spread(stack, model_id, options=OPTIONS)
    report = trust(stack, model_id, options=TrustOptions("none", views=views))
    assert report.spread is views
    assert report.disagreement == views.typical
