"""What the viewer's browser tests share: its own server, tabs, and a look at what is painted."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
# The app's pages have other components beside the viewer.
HOST = (
    "[...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')]"
    ".map((part) => part.shadowRoot?.labelfreeViewer).find(Boolean)"
)


@contextmanager
def viewer_server() -> Iterator[str]:
    """A server with the tests' own app."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app = str(Path(__file__).with_name("viewer_app.py"))
    command = [sys.executable, "-m", "streamlit", "run", app, "--server.port", str(port)]
    command += ["--server.headless", "true", "--server.address", "127.0.0.1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1).close()
                break
            except OSError:
                time.sleep(0.25)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def open_tab(browser, address, *, script: str = "", **options):
    context = browser.new_context(viewport={"width": 1280, "height": 860}, **options)
    context.add_init_script(script)
    context.problems = []
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.on("pageerror", lambda error: context.problems.append(str(error)))
    page.goto(address)
    drawn(page)
    return page


@contextmanager
def tab(browser, address, **options) -> Iterator[object]:
    """A fresh tab and session with the viewer drawn, until it is closed; any script error fails."""
    page = open_tab(browser, address, **options)
    yield page
    problems = page.context.problems
    page.context.close()
    assert problems == []


def drawn(page) -> None:
    page.wait_for_function(f"() => {HOST}?.frames > 0 && !{HOST}.volumes.partial")


def seen(page, path: str):
    """One value of the viewer's inner state."""
    return page.evaluate(f"() => {HOST}.s.{path}")


def until(page, condition: str) -> None:
    page.wait_for_function(f"() => {{ const v = {HOST}; return v && v.s && ({condition}); }}")


def focus(page) -> None:
    page.locator(".lfv .stage").focus()


def pixel(page, x: int, y: int) -> list[int]:
    """The colour of one voxel (x, y) of the first panel, read from the painted canvas."""
    return page.evaluate(
        """([x, y]) => { const v = HOST, area = v.layout.panels[0].areas[0];
        const ratio = v.canvas.width / v.stageSize.width, scale = v.layout.fit * v.s.zoom;
        const at = (n, size, start, centre) => (start + size / 2 + (n + 0.5 - centre) * scale) * ratio;
        const place = [at(x, area.w, area.x, v.s.cx), at(y, area.h, area.y, v.s.cy)];
        return [...v.context.getImageData(...place.map(Math.round), 1, 1).data].slice(0, 3); }""".replace(
            "HOST", HOST
        ),
        [x, y],
    )


def ringed(page, selector: str, look: str | None = None) -> list[bool]:
    """Whether the focus is seen above, below, left and right of a control, or of the part that shows it."""
    margin = 4
    control = page.locator(selector).first
    control.scroll_into_view_if_needed()
    box = page.locator(look or selector).first.bounding_box()
    clip = {"x": box["x"] - margin, "y": box["y"] - margin}
    clip |= {side: box[side] + 2 * margin for side in ("width", "height")}

    def picture() -> np.ndarray:
        return np.asarray(Image.open(BytesIO(page.screenshot(clip=clip))).convert("RGB"), np.int16)

    before = picture()
    control.focus()
    page.wait_for_timeout(500)
    changed = np.abs(picture() - before).max(axis=2) > 40
    down, across = (size // 2 for size in changed.shape)
    sides = (changed[:8, across], changed[-8:, across], changed[down, :8], changed[down, -8:])
    return [bool(side.any()) for side in sides]
