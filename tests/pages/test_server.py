"""A real server where the home can't be written to and no network is there: visits, losses and the end."""

from __future__ import annotations

import asyncio
import signal
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from . import serving
from .serving import Server, Visitor, predict, run, serve, until, visit

NAME = "patient-0815.ome.tif"
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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    (folder / "attempts").touch()
    (folder / "sitecustomize.py").write_text(
        textwrap.dedent(NO_NETWORK.format(attempts=str(folder / "attempts")))
    )
    with serve(folder) as running:
        yield running


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return serving.cells(tmp_path_factory.mktemp("cells") / NAME)


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
