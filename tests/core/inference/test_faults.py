"""Disk full, a worker or a graphics processor that dies: what was made stays, and the person is told."""

import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from labelfree_core.errors import PredictionError
from labelfree_core.images.stack import ImageStack
from labelfree_core.inference import engines, lost, running
from labelfree_core.inference.options import PredictOptions
from labelfree_core.inference.predict import predict
from labelfree_core.inference.service import JobState, PredictionService
from labelfree_core.models.store import ModelEntry
from labelfree_core.settings import Settings

Make = Callable[..., ModelEntry]
Stack = Callable[..., ImageStack]
Limit = Callable[[int], AbstractContextManager[None]]
ROOT = Path(__file__).parents[3]
OPTIONS = PredictOptions(device="cpu")
CUDA_ERROR = "CUDA error: unspecified launch failure"
posix = pytest.mark.skipif(sys.platform != "linux", reason="uses /dev/full and limits of Linux")


@pytest.fixture(scope="module")
def service() -> Iterator[PredictionService]:
    started = PredictionService(Settings(threads=1))
    yield started
    started.shutdown()


def wait(service: PredictionService, job: str) -> JobState:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        state = service.job(job, "ann")
        if state.state not in ("queued", "running"):
            return state
        time.sleep(0.02)
    raise AssertionError(f"still {state.state}")


@posix
def test_no_room_for_the_image_is_a_sentence_and_earlier_results_stay(
    service: PredictionService, make_model: Make, make_stack: Stack, files_up_to: Limit
) -> None:
    entry = make_model()
    done = service.submit("ann", make_stack((4, 16, 16)), entry, OPTIONS)
    assert wait(service, done).state == "done"
    with (
        files_up_to(10_000),
        pytest.raises(PredictionError, match=r"can't keep this image .*Free some disk space"),
    ):
        service.submit("ann", make_stack((16, 64, 64)), entry, OPTIONS)
    assert service.job(done, "ann").prediction is not None
    assert wait(service, service.submit("ann", make_stack((16, 64, 64)), entry, OPTIONS)).state == "done"
    assert list(service._room.iterdir()) == []  # nothing half-written is left


@posix
def test_no_room_for_the_result_is_a_sentence_and_the_next_one_works(
    service: PredictionService, make_model: Make, make_stack: Stack
) -> None:
    entry = make_model()
    with service._lock:  # the worker has to wait until its disk is full
        job = service.submit("ann", make_stack((4, 16, 16)), entry, OPTIONS)
        folder = service._book._jobs[job].wish.folder
        (folder / "output.npy").symlink_to("/dev/full")
    state = wait(service, job)
    assert state.state == "failed"
    assert "could not keep the result (No space left on device). Free some disk space" in state.problem
    assert state.prediction is None
    assert wait(service, service.submit("ann", make_stack((4, 16, 16)), entry, OPTIONS)).state == "done"


@posix
def test_a_result_cut_short_is_never_taken_for_one(
    service: PredictionService, make_model: Make, make_stack: Stack
) -> None:
    with service._lock:
        job = service.submit("ann", make_stack((4, 16, 16)), make_model(), OPTIONS)
        folder = service._book._jobs[job].wish.folder
        (folder / "output.npy").symlink_to("/dev/null")  # it seems to be written and is empty
    state = wait(service, job)
    assert state.state == "failed"
    assert "could not be read back" in state.problem


def test_the_worker_may_be_stopped_by_the_system_at_any_moment(
    service: PredictionService, make_model: Make, make_stack: Stack
) -> None:
    entry, stack = make_model(), make_stack((8, 96, 96))
    for delay in (0.0, 0.01, 0.05, 0.2):
        job = service.submit("ann", stack, entry, OPTIONS)
        time.sleep(delay)
        if service.worker_pid is not None:
            psutil.Process(service.worker_pid).kill()
        state = wait(service, job)
        assert state.state == "done" or "predict again" in state.problem
    assert wait(service, service.submit("ann", stack, entry, OPTIONS)).state == "done"


# --- the graphics processor


@pytest.fixture
def failing_once(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the first run of a network fail as it does when a GPU falls off the bus."""
    monkeypatch.setattr(lost, "_gone", threading.Event())
    devices: list[str] = []
    real = running.run

    def run(engine: object, *arguments: object, **options: object) -> running.Run:
        devices.append(engine.device)
        if len(devices) == 1:
            raise torch.AcceleratorError(CUDA_ERROR)
        return real(engine, *arguments, **options)

    monkeypatch.setattr(running, "run", run)
    return devices


def test_a_lost_gpu_gives_the_result_of_the_processor_and_says_so(
    failing_once: list[str], make_model: Make, make_stack: Stack
) -> None:
    entry, stack = make_model(), make_stack((6, 40, 44))
    found = predict(stack, entry)
    assert found.notes[-1] == lost.NOTE
    assert found.device == "cpu"
    assert lost.gone()
    again = predict(stack, entry)
    np.testing.assert_array_equal(found.voxels, again.voxels)


def test_after_a_loss_nobody_asks_for_the_gpu_again(
    failing_once: list[str], make_model: Make, make_stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry, stack = make_model(), make_stack((6, 40, 44))
    predict(stack, entry)
    monkeypatch.setattr(engines, "choose_device", lambda device: pytest.fail("asked for a device"))
    assert predict(stack, entry).device == "cpu"


@pytest.mark.usefixtures("failing_once")
def test_an_error_that_is_no_loss_stays_an_error(
    make_model: Make, make_stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*_: object, **__: object) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(running, "run", run)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        predict(make_stack((6, 40, 44)), make_model())
    assert not lost.gone()


INJECTED = f"""
    import sys
    if "labelfree_core.inference.worker" in " ".join(sys.orig_argv):
        import torch
        from labelfree_core.inference import running
        real, calls = running.run, []
        def run(*arguments, **options):
            calls.append(1)
            if len(calls) == 1:
                raise torch.AcceleratorError("{CUDA_ERROR}")
            return real(*arguments, **options)
        running.run = run
"""


def test_a_worker_that_lost_its_gpu_delivers_and_is_replaced(
    tmp_path: Path, make_model: Make, make_stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(textwrap.dedent(INJECTED))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    service = PredictionService(Settings(threads=1))
    try:
        service.warm()
        first = service.worker_pid
        state = wait(service, service.submit("ann", make_stack((4, 16, 16)), make_model(), OPTIONS))
        assert state.state == "done", state.problem
        assert state.prediction is not None
        assert state.prediction.notes[-1] == lost.NOTE
        end = time.monotonic() + 10
        while service.worker_pid == first and time.monotonic() < end:
            time.sleep(0.02)
        assert service.worker_pid != first
    finally:
        service.shutdown()


# --- clocks


def test_no_duration_is_measured_with_a_clock_that_can_be_set() -> None:
    """A time of day that jumps must not make anybody wait or be forgotten: only the logs may ask for it."""
    files = [*(ROOT / "labelfree_core").rglob("*.py"), *(ROOT / "pages").rglob("*.py")]
    asking = [
        path.relative_to(ROOT).as_posix()
        for path in files
        if any(word in path.read_text(encoding="utf-8") for word in ("time.time(", "datetime.now", "utcnow"))
    ]
    assert asking == []


# --- outputs


WRITER = """
    import os, sys
    from labelfree_core.images import writing
    os.fsync = lambda number: (print("written", flush=True), sys.stdin.read())
    writing.write_bytes(sys.argv[1], b"new" * 1_000_000)
"""


@pytest.mark.parametrize("older", [b"old", None])
def test_who_is_killed_in_the_middle_of_writing_leaves_the_file_as_it_was(
    tmp_path: Path, older: bytes | None
) -> None:
    target = tmp_path / "result.ome.tif"
    if older is not None:
        target.write_bytes(older)
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(target)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "written\n"
        writer.kill()
    assert (target.read_bytes() if target.exists() else None) == older


@posix
def test_a_full_disk_leaves_the_older_file_and_nothing_else(tmp_path: Path, files_up_to: Limit) -> None:
    from labelfree_core.errors import ImageError
    from labelfree_core.images.writing import write_bytes

    target = tmp_path / "result.ome.tif"
    target.write_bytes(b"old")
    with files_up_to(1000), pytest.raises(ImageError, match=r"File too large\. Choose a folder"):
        write_bytes(target, b"new" * 1_000_000)
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
