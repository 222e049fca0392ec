"""A fresh server and a real browser, for what the test client can't see."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.browser.viewing import tab, viewer_server

ROOT = Path(__file__).parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
FLAGS = (
    "--no-sandbox",
    # WebGL on the processor, for the 3-D view.
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SECONDS_TO_START = 90


@pytest.fixture(scope="session")
def chromium() -> Iterator[object]:
    """Return a running browser; skip where none is installed."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium or Chrome is installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """The address of the tests' own app, made of viewers."""
    with viewer_server() as running:
        yield running


@pytest.fixture
def page(chromium: object, address: str) -> Iterator[object]:
    """A fresh tab of the tests' own app."""
    with tab(chromium, address) as opened:
        yield opened


@pytest.fixture(scope="session")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """Start the app as a person would, and return its address; every call is a server nobody has visited."""
    running: list[subprocess.Popen] = []
    folder = tmp_path_factory.mktemp("server")

    def start() -> str:
        with socket.socket() as trial:
            trial.bind(("127.0.0.1", 0))
            port = trial.getsockname()[1]
        environment = {**os.environ, "LABELFREE_MODELS": str(folder / "models"), "LABELFREE_THREADS": "2"}
        environment.pop("PYTHONPATH", None)
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
        with (folder / f"{port}.log").open("wb") as log:
            running.append(
                subprocess.Popen(
                    command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
                )
            )
        address = f"http://127.0.0.1:{port}"
        give_up = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < give_up:
            try:
                with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                    return address
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        raise RuntimeError((folder / f"{port}.log").read_text())

    yield start
    for server in running:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait(10)


@pytest.fixture(scope="session")
def server(start_server: Callable[[], str]) -> str:
    """Address of one server for all tests that do not need a fresh one."""
    return start_server()
