"""A real server where the home can't be written to and no network is there: visits, losses and the end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from labelfree_core.images.writing import write_channels

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "soak"))
from visitor import Visitor

ROOT = Path(__file__).parents[2]

# Nothing can be made there, not even by root.
NO_HOME = "/sys/nowhere"
NAME = "patient-0815.ome.tif"
FORGOTTEN_AFTER_S = 4
NO_NETWORK = """
    import socket
    real = socket.socket.connect
    def connect(self, address):
        if self.family == socket.AF_UNIX or str(address[0]).startswith(("127.", "localhost", "::1")):
            return real(self, address)
        with open({attempts!r}, "a") as seen:
            seen.write(f"{{address}}\\n")
        raise OSError(101, "Network is unreachable")
    socket.socket.connect = connect
"""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="a home that can't be written to, and signals"
)


@dataclass(frozen=True)
class Server:
    """A running server and where it leaves what it has to leave somewhere."""

    address: str
    process: subprocess.Popen
    folder: Path

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def sessions(self) -> list[Path]:
        return [path for path in self.work.iterdir() if not path.name.startswith("labelfree-room-")]

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    (folder / "work").mkdir()
    (folder / "attempts").touch()
    (folder / "sitecustomize.py").write_text(
        textwrap.dedent(NO_NETWORK.format(attempts=str(folder / "attempts")))
    )
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port = trial.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    environment |= {"HOME": NO_HOME, "TMPDIR": str(folder / "work"), "PYTHONPATH": str(folder)}
    environment |= {"LABELFREE_THREADS": "1", "LABELFREE_LOG": "INFO"}
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    command += ["--server.disconnectedSessionTTL", str(FORGOTTEN_AFTER_S)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    running = Server(f"http://127.0.0.1:{port}", process, folder)
    try:
        until(lambda: answers(running.address), 90)
        yield running
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    z, y, x = np.indices((16, 48, 64))
    nucleus = np.exp(-((((z - 8) / 5) ** 2 + ((y - 24) / 12) ** 2 + ((x - 30) / 12) ** 2) ** 3))
    light = 9000 - 1500 * nucleus + np.random.default_rng(3).normal(0, 60, nucleus.shape)
    stain = 400 + 3000 * nucleus + np.random.default_rng(4).normal(0, 40, nucleus.shape)
    path = tmp_path_factory.mktemp("cells") / NAME
    channels = {"Bright_100": light.astype(np.uint16), "H3342": stain.astype(np.uint16)}
    write_channels(path, channels, (0.29, 0.29, 0.29))
    return path


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2) as answer:
            return answer.read() == b"ok"
    except OSError:
        return False


def until(happened: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


async def predict(visitor: Visitor, image: Path) -> None:
    await visitor.arrive()
    await visitor.upload(image)
    await visitor.until_shown("What was found in the file", 60)
    await visitor.go("predict")
    await visitor.press("Predict")
    await visitor.until_shown("Image (OME-TIFF)", 180)


def run(story: Coroutine[Any, Any, None]) -> None:
    """Run a story in a thread of its own: the browser tests leave an event loop running in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, story).result()


def visit(story: Callable[[Visitor], Awaitable[None]], address: str) -> None:
    async def whole() -> None:
        visitor = Visitor(address)
        try:
            await story(visitor)
            assert visitor.complaints() == []
        finally:
            await visitor.leave()

    run(whole())


def test_a_visitor_gets_a_result_and_nothing_is_asked_of_another_computer(
    server: Server, cells: Path
) -> None:
    visit(lambda visitor: predict(visitor, cells), server.address)
    assert (server.folder / "attempts").read_text() == ""


def test_a_lost_connection_loses_no_result(server: Server, cells: Path) -> None:
    async def story(visitor: Visitor) -> None:
        await predict(visitor, cells)
        await visitor.lose()
        visitor.shown.clear()
        await visitor.arrive()
        await visitor.until_shown("Image (OME-TIFF)", 60)

    visit(story, server.address)


def test_a_closed_tab_leaves_no_file_and_no_job(server: Server, cells: Path) -> None:
    async def story(visitor: Visitor) -> None:
        await visitor.arrive()
        await visitor.upload(cells)
        await visitor.until_shown("What was found in the file", 60)
        await visitor.go("predict")
        await visitor.press("Predict")
        assert server.sessions

    visit(story, server.address)
    until(lambda: not server.sessions, 60)
    rooms = list(server.work.glob("labelfree-room-*"))
    assert len(rooms) == 1
    until(lambda: not list(rooms[0].iterdir()), 30)


def test_asked_to_end_it_ends_clean_with_a_visitor_still_there(server: Server, cells: Path) -> None:
    workers = psutil.Process(server.process.pid).children(recursive=True)
    assert workers

    async def story() -> None:
        visitor = Visitor(server.address)
        await predict(visitor, cells)
        server.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(server.process.wait, 20)
        await visitor.leave()

    run(story())
    gone, alive = psutil.wait_procs(workers, timeout=10)
    assert len(gone) == len(workers)
    assert not alive
    assert list(server.work.iterdir()) == []
    assert "Traceback" not in server.log
    assert NAME not in server.log
    assert '"event": "job ended"' in server.log
