"""Times told before a run: from processor time, so that a busy machine does not lengthen them."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from labelfree_core.images.stack import ImageStack
from labelfree_core.inference import estimating
from labelfree_core.inference.cost import Cost
from labelfree_core.inference.engine import Engine
from labelfree_core.inference.handover import Ask, Wish
from labelfree_core.inference.options import Estimate, PredictOptions
from labelfree_core.inference.predict import estimate
from labelfree_core.inference.service import PredictionService
from labelfree_core.inference.speed import Pace, fit, measure
from labelfree_core.models.compact import Compact2d
from labelfree_core.models.store import ModelEntry
from labelfree_core.settings import Settings
from tests.core.inference.conftest import shake

ROOT = Path(__file__).parents[3]


@pytest.fixture
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_the_line_goes_through_both_trials() -> None:
    pace = fit((1e9, 0.5), (5e9, 1.3))
    assert pace.seconds(1e9) == pytest.approx(0.5)
    assert pace.seconds(5e9) == pytest.approx(1.3)
    assert pace.seconds(10e9, pieces=4) == pytest.approx(4 * 0.3 + 2.0)


def test_a_disturbed_small_trial_gives_way_to_the_large_one() -> None:
    assert fit((1e9, 2.0), (5e9, 1.0)) == Pace(0.0, 0.2e-9)


class Machine:
    """An engine whose runs take exactly 0.1 s and 1 s for each GFLOP on a clock of its own."""

    device, ndim, divisor = "cpu", 2, (8, 8)

    def __init__(self) -> None:
        self.now = 0.0

    def cost(self, shape: tuple[int, ...]) -> Cost:
        return Cost(int(np.prod(shape)) * 100_000, 0)

    def run(self, image: np.ndarray) -> np.ndarray:
        self.now += 0.1 + self.cost(image.shape).flops / 1e9
        return image


@pytest.mark.usefixtures("one_thread")
def test_overhead_and_speed_are_told_apart() -> None:
    machine = Machine()
    pace = measure(machine, lambda: machine.now)  # type: ignore[arg-type]
    assert pace.seconds_a_piece == pytest.approx(0.1)
    assert pace.seconds_a_flop == pytest.approx(1e-9)


def test_more_threads_are_faster_but_not_by_their_number() -> None:
    machine, threads = Machine(), torch.get_num_threads()
    try:
        torch.set_num_threads(4)
        pace = measure(machine, lambda: machine.now)  # type: ignore[arg-type]
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(threads)
    assert 2 < 1e-9 / pace.seconds_a_flop < 4


def test_waiting_for_a_busy_machine_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    engine = Engine(shake(Compact2d(widths=(8, 16))))
    true_run = engine.run

    def interrupted(image: np.ndarray) -> np.ndarray:
        time.sleep(0.4)
        return true_run(image)

    monkeypatch.setattr(engine, "run", interrupted)
    assert measure(engine).seconds_a_piece < 0.2


def test_a_prediction_corrects_the_time_of_the_next() -> None:
    torch.manual_seed(0)
    engine = Engine(shake(Compact2d(widths=(8, 16))))
    told = engine.pace().seconds(1e9)
    engine.learn(int(1e9), 1, 1.6 * told)
    assert engine.pace().seconds(1e9) == pytest.approx(1.6 * told)
    engine.learn(int(1e9), 1, 100 * told)  # one that had to wait for others counts little
    assert engine.pace().seconds(1e9) == pytest.approx(2 * 1.6 * told)


def test_the_pages_need_no_pytorch_to_tell_a_time() -> None:
    code = "import sys, labelfree_core.inference.estimating; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_the_worker_tells_what_the_library_tells(
    make_model: Callable[..., ModelEntry], make_stack: Callable[..., ImageStack], tmp_path: Path
) -> None:
    entry, stack = make_model(), make_stack((5, 16, 16))
    np.save(tmp_path / "input.npy", stack.voxels)
    about = {
        "voxel_size_um": list(stack.voxel_size_um or ()),
        "origin": asdict(stack.origin),
        "units": stack.units,
        "shape": list(stack.shape),
    }
    wish = Wish(Ask(str(entry.folder), PredictOptions(device="cpu"), "estimate"), tmp_path, about)
    sent = json.loads(json.dumps(estimating.answer(wish, lambda _progress: None)))
    found = estimating.read(sent, tmp_path)
    wanted = estimate(stack, entry, options=PredictOptions(device="cpu"))
    assert found.seconds == pytest.approx(wanted.seconds)
    assert (found.tiles, found.device, found.warnings) == (wanted.tiles, wanted.device, wanted.warnings)
    assert any("mirrored planes" in warning for warning in found.warnings)


def test_the_service_passes_the_question_to_its_worker(make_model: Callable[..., ModelEntry]) -> None:
    service = PredictionService(Settings(threads=1))
    try:
        entry = make_model()
        shape_only = ImageStack(np.broadcast_to(np.zeros((), np.uint16), (8, 64, 64)), (0.29, 0.29, 0.29))
        job = service.ask("ann", shape_only, Ask(str(entry.folder), PredictOptions(device="cpu"), "estimate"))
        for _ in range(1200):
            state = service.job(job, "ann")
            if state.state not in ("queued", "running"):
                break
            time.sleep(0.05)
        assert state.problem == ""
        assert isinstance(state.result, Estimate)
        assert state.result.seconds > 0
    finally:
        service.shutdown()
