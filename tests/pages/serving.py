"""A real server on this computer, and stories of visitors who come to it."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from labelfree_core.images.writing import write_channels

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "soak"))
from visitor import Visitor

__all__ = ["FORGOTTEN_AFTER_S", "ROOT", "Server", "Visitor", "predict", "run", "serve", "until", "visit"]

ROOT = Path(__file__).parents[2]
# Nothing can be made there, not even by root.
NO_HOME = "/sys/nowhere"
FORGOTTEN_AFTER_S = 4


@dataclass(frozen=True)
class Server:
    """A running server and where it leaves what it has to leave somewhere."""

    address: str
    process: subprocess.Popen
    folder: Path
    work: Path

    @property
    def sessions(self) -> list[Path]:
        return [path for path in self.work.iterdir() if path.name.startswith("labelfree-visit-")]

    @property
    def waiting(self) -> list[Path]:
        """What lies between the pages and the worker."""
        return list(self.work.glob("labelfree-room-*/*"))

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def children(self, program: str) -> list[psutil.Process]:
        """Processes of the server that run a part of the software: "inference.worker", "training.trainer"."""
        found = []
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # it is ending
                found += [child] if any(program in word for word in child.cmdline()) else []
        return found


@contextmanager
def serve(folder: Path, work: Path | None = None, **variables: str) -> Iterator[Server]:
    """Run the app without a home, with its temporary files in *work*; stop it in the end."""
    work = work or folder / "work"
    work.mkdir(exist_ok=True)
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port = trial.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    environment |= {"HOME": NO_HOME, "TMPDIR": str(work), "PYTHONPATH": str(folder)}
    environment |= {"LABELFREE_THREADS": "1", "LABELFREE_LOG": "INFO", **variables}
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    command += ["--server.disconnectedSessionTTL", str(FORGOTTEN_AFTER_S)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        until(lambda: answers(address), 90)
        yield Server(address, process, folder, work)
    finally:
        process.kill()
        process.wait()


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2) as answer:
            return answer.read() == b"ok"
    except OSError:
        return False


def until(happened: Callable[[], object], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def cells(path: Path, shape: tuple[int, int, int] = (16, 48, 64)) -> Path:
    """Write a small image of a nucleus in transmitted light and stained."""
    z, y, x = (2 * np.indices(shape) / np.reshape(shape, (3, 1, 1, 1)) - 1) * 1.6
    nucleus = np.exp(-((z**2 + y**2 + x**2) ** 3))
    light = 9000 - 1500 * nucleus + np.random.default_rng(3).normal(0, 60, shape)
    stain = 400 + 3000 * nucleus + np.random.default_rng(4).normal(0, 40, shape)
    channels = {"Bright_100": light.astype(np.uint16), "H3342": stain.astype(np.uint16)}
    write_channels(path, channels, (0.29, 0.29, 0.29))
    return path


async def open_image(visitor: Visitor, image: Path, name: str = "") -> None:
    await visitor.upload(image, name)
    await visitor.until_shown("What was found in the file", 60)


async def predict(visitor: Visitor, image: Path) -> None:
    await visitor.arrive()
    await open_image(visitor, image)
    await visitor.go("predict")
    await visitor.press("Predict")
    await visitor.until_shown("Image (OME-TIFF)", 180)


def run(story: Coroutine[Any, Any, None]) -> None:
    """Run a story in a thread of its own: the browser tests leave an event loop running in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, story).result()


def visit(story: Callable[[Visitor], Awaitable[None]], address: str, *, complains: bool = False) -> None:
    """Let one visitor come, do something, and leave, without a complaint of the page where none is due."""

    async def whole() -> None:
        visitor = Visitor(address)
        try:
            await story(visitor)
            assert complains or visitor.complaints() == []
        finally:
            await visitor.leave()

    run(whole())
