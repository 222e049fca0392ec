"""
How quickly the viewer answers in a real browser.

    python benchmarks/viewer/run.py [--chromium /usr/bin/chromium] [--shape 64,224,336] [--json FILE]

Prints, for planes, threshold and swipe: milliseconds from the input event to the painted frame (median,
95th percentile) and the frames painted while a slider is dragged for three seconds; then the bytes sent,
the time from a result to its first frame, the growth of the browser's memory over 500 steps and the
reruns they cause.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
FLAGS = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"]
VIEWER = "document.querySelector('[data-testid=stBidiComponentIsolated]').shadowRoot.labelfreeViewer"

# An input event's own time stamp against the moment after the next painted frame.
LISTEN = """() => {
  const v = VIEWER;
  window.samples = [];
  const note = (event) => {
    const began = event.timeStamp, seen = v.frames;
    const wait = () => {
      if (v.frames === seen) return requestAnimationFrame(wait);
      const channel = new MessageChannel();
      channel.port1.onmessage = () => window.samples.push(performance.now() - began);
      channel.port2.postMessage(0);
    };
    requestAnimationFrame(wait);
  };
  for (const type of ['keydown', 'input']) v.root.addEventListener(type, note, { capture: true });
}""".replace("VIEWER", VIEWER)


@contextmanager
def server() -> Iterator[str]:
    """Run the benchmark's app on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(Path(__file__).with_name("app.py"))]
    command += [
        "--server.port",
        str(port),
        "--server.headless",
        "true",
        "--browser.gatherUsageStats",
        "false",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1)
                break
            except OSError:
                time.sleep(0.25)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def first_frame(page: Page, address: str) -> tuple[float, float]:
    """Seconds from the click, with the volumes at hand, to the first frame and to all planes."""
    page.goto(address)
    button = page.get_by_role("button", name="Show")
    button.wait_for(timeout=120_000)
    started = time.perf_counter()
    button.click()
    page.wait_for_function(
        "() => document.querySelector('[data-testid=stBidiComponentIsolated]')"
        "?.shadowRoot?.labelfreeViewer?.frames > 0",
        timeout=120_000,
        polling=20,
    )
    first = time.perf_counter() - started
    page.wait_for_function(f"() => !{VIEWER}.volumes.partial", timeout=300_000, polling=20)
    return round(first, 2), round(time.perf_counter() - started, 2)


def latency(page: Page, keys: tuple[str, str], *, presses: int = 60) -> dict[str, float]:
    """Press keys one after another and see how long each takes to show."""
    page.evaluate("window.samples = []")
    for press in range(presses):
        page.keyboard.press(keys[press // 20 % 2])
        page.wait_for_timeout(60)
    samples = sorted(page.evaluate("window.samples"))
    return {
        "n": len(samples),
        "median_ms": round(statistics.median(samples), 1),
        "p95_ms": round(samples[int(0.95 * (len(samples) - 1))], 1),
    }


def drag_frames(page: Page, slider: str, *, seconds: float = 3.0) -> int:
    """Drag a slider to and fro and count the painted frames."""
    box = page.locator(slider).bounding_box()
    assert box is not None, slider
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.2, y)
    page.mouse.down()
    before, started = page.evaluate(f"{VIEWER}.frames"), time.perf_counter()
    while (passed := time.perf_counter() - started) < seconds:
        page.mouse.move(box["x"] + box["width"] * (0.2 + 0.6 * abs((passed % 2) - 1)), y)
        page.wait_for_timeout(8)
    frames = page.evaluate(f"{VIEWER}.frames") - before
    page.mouse.up()
    return int(frames)


def heap_mb(page: Page) -> float:
    """Memory of the page's scripts after a collection, in MB."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("HeapProfiler.enable")
    devtools.send("HeapProfiler.collectGarbage")
    usage = devtools.send("Runtime.getHeapUsage")
    devtools.detach()
    return float(usage["usedSize"] + usage.get("backingStorageSize", 0)) / 1e6


def mode(page: Page, name: str) -> None:
    """Switch the viewer and let the first picture of that mode be drawn."""
    page.locator(f".lfv .modes input[value='{name}']").check(force=True)
    page.wait_for_timeout(600)
    page.locator(".lfv .stage").focus()


def measure(page: Page, address: str) -> dict[str, object]:
    """Do all measurements in one open page."""
    received: list[int] = []
    figures: dict[str, object] = {"first_and_all_s": [first_frame(page, address) for _ in range(3)]}
    # Only now: watching a frame of megabytes slows it down.
    page.on("websocket", lambda ws: ws.on("framereceived", lambda frame: received.append(len(frame))))
    first_frame(page, address)
    figures["bytes_mb"] = round(max(received) / 1e6, 2)
    page.evaluate(LISTEN)
    for name, keys, slider in (
        ("side", ("ArrowRight", "ArrowLeft"), ".lfv .planes input[aria-label='Plane']"),
        ("threshold", ("]", "["), ".lfv .options input[aria-label='predicted']"),
        ("swipe", ("]", "["), ".lfv .options input[aria-label='Edge']"),
    ):
        mode(page, name)
        figures[name] = {**latency(page, keys), "drag_frames": drag_frames(page, slider)}
    mode(page, "side")
    received.clear()
    before = heap_mb(page)
    for step in range(500):
        page.keyboard.press("ArrowRight" if step // 50 % 2 else "ArrowLeft")
    page.wait_for_timeout(1500)
    figures["heap_mb"] = [round(before, 1), round(heap_mb(page), 1)]
    figures["bytes_of_500_steps"] = sum(received)
    figures["reruns"] = page.get_by_text("runs ").inner_text()
    return figures


def main() -> None:
    """Run it all and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--shape", default="64,224,336")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with server() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        figures = measure(page, f"{address}/?shape={options.shape}")
        browser.close()
    z, y, x = (int(n) for n in options.shape.split(","))
    figures["shape"] = options.shape
    figures["raw_8_bit_mb"] = round(2 * z * y * x / 1e6, 2)
    figures["load"] = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    print(json.dumps(figures, indent=2))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
