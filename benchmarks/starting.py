"""
Measure how soon the app is there: its import, a server's start, and the first page of a session.

    python benchmarks/starting.py [--write]

Processor time, so that other work on the machine does not count, and seconds of the clock beside it. The
first session of a server pays for what is loaded on demand; the second one is warm. With --write the
table goes into docs/performance.md.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(Path(__file__).parent / "soak"))
from visitor import Visitor  # noqa: E402 - after its folder is known

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- starting begin -->", "<!-- starting end -->"
IMPORT = """
import sys, time, importlib, pathlib
for path in sorted(pathlib.Path("pages/components").glob("*.py")):
    importlib.import_module("pages.components." + path.stem)
assert "torch" not in sys.modules
print(time.process_time())
"""
IMPORT_CORE = "import sys, time, labelfree_core; print(time.process_time())"
PAGES = ("predict", "compare", "trust", "masks")


def main() -> None:
    """Time everything, print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    rows = {
        "`import labelfree_core`": imported(IMPORT_CORE),
        "import of Streamlit and all parts of the pages, without PyTorch": imported(IMPORT),
        **served(),
    }
    lines = ["| step | processor time, s | clock, s |", "|---|---|---|"]
    lines += [f"| {step} | {cpu:.2f} | {wall:.2f} |" for step, (cpu, wall) in rows.items()]
    table = "\n".join(lines)
    print(table)
    if given.write:
        text = PAGE.read_text(encoding="utf-8")
        head, tail = text.split(BEGIN)[0], text.split(END)[1]
        PAGE.write_text(f"{head}{BEGIN}\n{table}\n{END}{tail}", encoding="utf-8")


def imported(code: str) -> tuple[float, float]:
    """Time of a fresh Python that imports something: the quickest of three."""
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
        )
        times.append((float(done.stdout.split()[-1]), time.perf_counter() - begun))
    return min(times)


def served() -> dict[str, tuple[float, float]]:
    """Times of a server until it answers, and of pages in its first two sessions."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port = trial.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    begun = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    try:
        address, process = f"http://127.0.0.1:{port}", psutil.Process(server.pid)
        until_healthy(address)
        rows = {"a server until it answers": (cpu_seconds(process), time.perf_counter() - begun)}
        rows |= asyncio.run(sessions(address, process))
    finally:
        server.terminate()
        server.wait()
    return rows


def until_healthy(address: str) -> None:
    """Wait for the server."""
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        try:
            urllib.request.urlopen(f"{address}/_stcore/health", timeout=2).close()
            return
        except OSError:
            time.sleep(0.02)
    raise SystemExit("the server did not start")


async def sessions(address: str, process: psutil.Process) -> dict[str, tuple[float, float]]:
    """Open two sessions, one after the other, and the pages in the second."""
    rows = {}
    for title in ("first session: the first page", "second session: the first page"):
        visitor = Visitor(address)
        rows[title] = await timed(visitor.arrive(), process)
    for page in PAGES:
        rows[f"second session: the page {page}, without an image"] = await timed(visitor.go(page), process)
    await visitor.leave()
    return rows


async def timed(step: object, process: psutil.Process) -> tuple[float, float]:
    """Processor time of the server, without its worker, and seconds until all is drawn."""
    cpu, wall = cpu_seconds(process), time.perf_counter()
    await step  # type: ignore[misc]
    return cpu_seconds(process) - cpu, time.perf_counter() - wall


def cpu_seconds(process: psutil.Process) -> float:
    """Processor time of a process so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    main()
