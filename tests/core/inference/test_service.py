"""Many people, one worker: a queue, privacy, cancel in a second, and a worker that may die."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from labelfree_core.errors import PredictionError
from labelfree_core.images.stack import ImageStack
from labelfree_core.inference.options import PredictOptions
from labelfree_core.inference.service import _PATIENCE_S, JobState, PredictionService
from labelfree_core.models.store import ModelEntry
from labelfree_core.settings import Settings

Make = Callable[..., ModelEntry]
Stack = Callable[..., ImageStack]
ROOT = Path(__file__).parents[3]
OPTIONS = PredictOptions(device="cpu")


@pytest.fixture(scope="module")
def service() -> Iterator[PredictionService]:
    running = PredictionService(Settings(threads=1, queue_per_user=3))
    yield running
    running.shutdown()


def wait(service: PredictionService, job: str, owner: str, seconds: float = 60) -> JobState:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        state = service.job(job, owner)
        if state.state not in ("queued", "running"):
            return state
        time.sleep(0.02)
    raise AssertionError(f"still {state.state} at {state.fraction:.0%} after {seconds} s")


def wait_until_predicting(service: PredictionService, job: str, owner: str) -> None:
    end = time.monotonic() + 60
    while service.job(job, owner).fraction < 0.06:
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def long_job(make_model: Make, make_stack: Stack) -> tuple[ImageStack, ModelEntry]:
    """Tens of seconds of work."""
    return make_stack((32, 512, 512)), make_model(id="large", network={"mult_chan": 24, "depth": 2})


def test_a_prediction_arrives_as_the_same_numbers(
    service: PredictionService, make_model: Make, make_stack: Stack
) -> None:
    from labelfree_core.inference.predict import predict

    entry, stack = make_model(), make_stack((6, 40, 44))
    state = wait(service, service.submit("ann", stack, entry, OPTIONS), "ann")
    assert state.state == "done", state.problem
    assert state.fraction == 1
    assert state.prediction is not None
    direct = predict(stack, entry, options=OPTIONS)
    np.testing.assert_allclose(state.prediction.voxels, direct.voxels, atol=1e-4)
    assert state.prediction.notes == direct.notes
    assert state.prediction.origin == stack.origin


def test_nobody_sees_the_job_of_another(
    service: PredictionService, make_model: Make, make_stack: Stack
) -> None:
    job = service.submit("ann", make_stack((4, 16, 16)), make_model(), OPTIONS)
    for ask in (service.job, service.cancel):
        with pytest.raises(PredictionError, match="no longer here"):
            ask(job, "eve")
    service.forget("eve")
    assert wait(service, job, "ann").state == "done"


def test_what_is_wrong_with_an_image_arrives_as_the_sentence(
    service: PredictionService, make_model: Make, make_stack: Stack
) -> None:
    flat = make_stack((4, 16, 16)).with_voxels(np.full((4, 16, 16), 7, np.uint16))
    state = wait(service, service.submit("ann", flat, make_model(), OPTIONS), "ann")
    assert state.state == "failed"
    assert "shutter" in state.problem or "same" in state.problem or "about 7" in state.problem


def test_a_person_can_not_fill_the_queue(
    service: PredictionService, make_stack: Stack, long_job: tuple[ImageStack, ModelEntry]
) -> None:
    stack, entry = long_job
    jobs = [service.submit("bob", stack, entry, OPTIONS) for _ in range(3)]
    with pytest.raises(PredictionError, match="You already have 3 predictions"):
        service.submit("bob", make_stack(), entry, OPTIONS)
    assert service.job(jobs[2], "bob").place >= 1
    service.forget("bob")
    with pytest.raises(PredictionError, match="no longer here"):
        service.job(jobs[0], "bob")


def test_cancel_frees_the_worker_for_the_next_person(
    service: PredictionService,
    make_model: Make,
    make_stack: Stack,
    long_job: tuple[ImageStack, ModelEntry],
) -> None:
    job = service.submit("ann", *long_job, OPTIONS)
    wait_until_predicting(service, job, "ann")
    folder = service._book._jobs[job].wish.folder
    service.cancel(job, "ann")
    assert service.job(job, "ann").state == "cancelled"
    assert not folder.exists()
    after = service.submit("bob", make_stack((4, 16, 16)), make_model(), OPTIONS)
    assert wait(service, after, "bob").state == "done"
    assert _PATIENCE_S < 1  # what a worker gets that does not obey


def test_a_worker_killed_by_the_system_costs_one_job_and_no_more(
    service: PredictionService,
    make_model: Make,
    make_stack: Stack,
    long_job: tuple[ImageStack, ModelEntry],
) -> None:
    job = service.submit("ann", *long_job, OPTIONS)
    wait_until_predicting(service, job, "ann")
    assert service.worker_pid is not None
    psutil.Process(service.worker_pid).kill()
    state = wait(service, job, "ann")
    assert state.state == "failed"
    assert "most likely because memory ran out" in state.problem
    after = service.submit("ann", make_stack((4, 16, 16)), make_model(), OPTIONS)
    assert wait(service, after, "ann").state == "done"


def test_shutdown_leaves_no_process_and_no_file(make_model: Make, make_stack: Stack) -> None:
    service = PredictionService(Settings(threads=1))
    wait(service, service.submit("ann", make_stack((4, 16, 16)), make_model(), OPTIONS), "ann")
    pid, room = service.worker_pid, service._room
    service.shutdown()
    assert not psutil.pid_exists(pid or 0)
    assert not room.exists()
    with pytest.raises(PredictionError, match="shutting down"):
        service.submit("ann", make_stack(), make_model())


def test_people_who_left_are_forgotten_and_an_idle_worker_ends(make_model: Make, make_stack: Stack) -> None:
    service = PredictionService(Settings(threads=1, idle_minutes=0.05))
    try:
        job = service.submit("ann", make_stack((4, 16, 16)), make_model(), OPTIONS)
        wait(service, job, "ann")
        end = time.monotonic() + 20
        while (service.worker_pid or service._book) and time.monotonic() < end:
            time.sleep(0.1)
        assert service.worker_pid is None
        with pytest.raises(PredictionError, match="no longer here"):
            service.job(job, "ann")
    finally:
        service.shutdown()


SCRIPT = """
    import sys, threading, time
    from pathlib import Path
    with Path(sys.argv[1]).open("a") as seen:       # no guard: as in an app, whose script is __main__
        seen.write("run\\n")
    import numpy as np
    from labelfree_core.images.stack import ImageStack
    from labelfree_core.inference.service import PredictionService

    def visit():
        service = PredictionService()
        stack = ImageStack(np.random.default_rng(0).normal(size=(4, 16, 16)), (0.29,) * 3)
        job = service.submit("ann", stack, sys.argv[2])
        while service.job(job, "ann").state in ("queued", "running"):
            time.sleep(0.05)
        print(service.job(job, "ann").state, "torch" in sys.modules, "streamlit" in sys.modules)

    thread = threading.Thread(target=visit)
    thread.start()
    thread.join()
"""


def test_it_works_from_a_thread_of_an_unguarded_main_script(tmp_path: Path, make_model: Make) -> None:
    script, seen = tmp_path / "app.py", tmp_path / "seen.txt"
    script.write_text(textwrap.dedent(SCRIPT))
    command = [sys.executable, str(script), str(seen), str(make_model().folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LABELFREE_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.split() == ["done", "False", "False"], done.stderr
    assert seen.read_text() == "run\n"  # the worker did not run the app again
    assert "leaked" not in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_a_worker_whose_server_was_killed_ends_by_itself(tmp_path: Path) -> None:
    code = """
        import time
        from labelfree_core.inference.service import PredictionService
        service = PredictionService()
        service.warm()
        print(service.worker_pid, flush=True)
        time.sleep(60)
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", textwrap.dedent(code)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        worker = psutil.Process(int(server.stdout.readline()))
        server.send_signal(signal.SIGKILL)
    psutil.wait_procs([worker], timeout=20)
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE


def test_who_closed_the_tab_is_forgotten_and_the_running_job_stopped(
    service: PredictionService,
    make_model: Make,
    make_stack: Stack,
    long_job: tuple[ImageStack, ModelEntry],
) -> None:
    job = service.submit("dan", *long_job, OPTIONS)
    wait_until_predicting(service, job, "dan")
    folder = service._book._jobs[job].wish.folder
    after = service.submit("ann", make_stack((4, 16, 16)), make_model(), OPTIONS)
    service.leave("dan")
    assert wait(service, after, "ann").state == "done"  # long before the other would have ended
    assert not folder.exists()
    with pytest.raises(PredictionError, match="no longer here"):
        service.job(job, "dan")


def test_results_of_who_left_go_while_another_predicts(
    service: PredictionService,
    make_model: Make,
    make_stack: Stack,
    long_job: tuple[ImageStack, ModelEntry],
) -> None:
    done = service.submit("eva", make_stack((4, 16, 16)), make_model(), OPTIONS)
    wait(service, done, "eva")
    busy = service.submit("ann", *long_job, OPTIONS)
    wait_until_predicting(service, busy, "ann")
    service.leave("eva")
    end = time.monotonic() + 5
    while done in service._book._jobs and time.monotonic() < end:
        time.sleep(0.02)
    assert done not in service._book._jobs
    assert service.job(busy, "ann").state == "running"
    service.cancel(busy, "ann")


def test_an_error_of_the_queue_itself_costs_one_job_and_no_more(
    service: PredictionService, make_model: Make, make_stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bool:
        raise KeyError("a bug")

    with monkeypatch.context() as during:
        during.setattr(service, "_hear", broken)
        job = service.submit("ann", make_stack((4, 16, 16)), make_model(), OPTIONS)
        state = wait(service, job, "ann")
    assert state.state == "failed"
    assert "an error in this software" in state.problem
    after = service.submit("ann", make_stack((4, 16, 16)), make_model(), OPTIONS)
    assert wait(service, after, "ann").state == "done"
