"""
Many visitors on one server for a long time: upload, predict, look, leave.

    python benchmarks/soak/run.py [--visitors 20] [--minutes 30] [--json FILE] [--write]

It starts a server of its own on this computer, sends visitors who speak the websocket protocol, and stops
it again. One of them only looks, from before the others come until the end: moving the slider of the
Masks page tells what the others cost. Printed is a table: errors, seconds of a slider alone, among others
and while others predict, memory over time, and what is left once everybody is gone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parent))
from report import describe, write_page
from visitor import Visitor

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "labelfree_core" / "samples"
SEEN_BY_NOBODY = "private-name-of-a-visitor"
THINKING_S, LOOK_EVERY_S, SAMPLE_EVERY_S = 12.0, 2.0, 5.0
LONGEST_S = 600
# A tenth looks for leaks in a minute; the figures of people need 1.
PACE = float(os.environ.get("SOAK_PACE", "1"))


@dataclass(slots=True)
class Diary:
    """What happened, in seconds since the first visitor came."""

    begun: float = field(default_factory=time.monotonic)
    predicting: int = 0
    crowd: int = 0
    visits: int = 0
    predictions: list[float] = field(default_factory=list)
    slides: list[tuple[str, float]] = field(default_factory=list)
    draws: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    memory: list[dict[str, float]] = field(default_factory=list)
    left_over: dict[str, float] = field(default_factory=dict)

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.begun


async def main(given: argparse.Namespace) -> int:
    """Run it all, print the table, and say by the exit status whether anything went wrong."""
    with tempfile.TemporaryDirectory(prefix="soak-") as scratch:
        folder = Path(scratch)
        with server(folder, given) as (address, process):
            diary = Diary()
            watching = asyncio.create_task(watch(process, folder, diary))
            await crowd(address, folder, given, diary)
            diary.left_over = await after(process, folder, given.ttl)
            watching.cancel()
        diary.errors += from_log(folder)
    result = describe(diary, given)
    print(result["table"])
    if given.json:
        given.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if given.write:
        write_page(ROOT / "docs" / "performance.md", str(result["table"]))
    return 1 if diary.errors else 0


@contextmanager
def server(folder: Path, given: argparse.Namespace) -> Iterator[tuple[str, psutil.Process]]:
    """Run the app on a free port, with a folder of its own for what it leaves."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port = trial.getsockname()[1]
    (folder / "work").mkdir()
    environment = {**os.environ, "TMPDIR": str(folder / "work"), "LABELFREE_MODELS": str(folder / "models")}
    environment |= {"LABELFREE_THREADS": str(given.threads), "LABELFREE_LOG": "INFO"}
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    command += ["--server.disconnectedSessionTTL", str(given.ttl)]
    with (folder / "log").open("wb") as log:
        started = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        address = f"http://127.0.0.1:{port}"
        give_up = time.monotonic() + 120
        while time.monotonic() < give_up:
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=2).close()
                break
            except OSError:
                time.sleep(0.2)
        yield address, psutil.Process(started.pid)
    finally:
        started.send_signal(signal.SIGTERM)
        try:
            started.wait(20)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


async def crowd(address: str, folder: Path, given: argparse.Namespace, diary: Diary) -> None:
    """Send the one who looks, then after a while all the others, until the time is over."""
    uploads = []
    for sample in ("sparse-cells", "mitotic-field", "phase-plane", "brightfield-plane"):
        uploads.append(folder / f"{SEEN_BY_NOBODY}-{sample}.ome.tif")
        shutil.copy(SAMPLES / f"{sample}.ome.tif", uploads[-1])
    end = 60 * given.minutes
    alone = max(30.0, 0.05 * end)
    ready = asyncio.Event()
    looking = asyncio.create_task(look(address, uploads[0], end, ready, diary))
    await asyncio.wait([asyncio.create_task(ready.wait()), looking], return_when=asyncio.FIRST_COMPLETED)
    await asyncio.sleep(alone)
    diary.crowd = given.visitors - 1
    chance = random.Random(0)
    others = [stay(address, uploads, end, random.Random(chance.random()), diary) for _ in range(diary.crowd)]
    await asyncio.gather(looking, *others)


async def look(address: str, image: Path, end: float, ready: asyncio.Event, diary: Diary) -> None:
    """Predict once, then only move the slider; tell what that cost and who else was there."""
    visitor = Visitor(address)
    try:
        await prepare(visitor, image, diary)
        await visitor.go("masks")
        ready.set()
        step = 0
        while diary.now < end:
            step += 1
            before = diary.predicting
            seconds = await visitor.slide(0.2 + 0.6 * (step % 17) / 17)
            busy = before > 0 and diary.predicting > 0
            when = "predicting" if busy else "others" if diary.crowd else "alone"
            if busy or (before == 0 and diary.predicting == 0):  # a change in between is neither
                diary.slides.append((when, seconds))
            note(visitor, diary, "looking")
            await asyncio.sleep(LOOK_EVERY_S)
    except Exception as problem:
        diary.errors.append(f"looking: {type(problem).__name__}: {problem}")
    finally:
        await visitor.leave()


async def stay(address: str, images: list[Path], end: float, chance: random.Random, diary: Diary) -> None:
    """Come, work, go, and come again as somebody else, until the time is over."""
    await asyncio.sleep(chance.uniform(0, 30))
    while diary.now < end:
        visitor = Visitor(address)
        try:
            await asyncio.wait_for(visit(visitor, images, chance, diary), LONGEST_S)
            diary.visits += 1
        except Exception as problem:
            diary.errors.append(f"{diary.now:.0f} s: {type(problem).__name__}: {problem}")
            await asyncio.sleep(1)
        finally:
            await visitor.leave()
        await think(chance)


async def visit(visitor: Visitor, images: list[Path], chance: random.Random, diary: Diary) -> None:
    """Do what a person does; one in five closes the tab in the middle of a prediction."""
    hasty = chance.random() < 0.2
    await prepare(visitor, chance.choice(images), diary, thoughts=chance, hasty=hasty)
    if hasty:
        return
    for page in chance.sample(["masks", "compare", "models", "start"], 3):
        await think(chance)
        begun = time.perf_counter()
        await visitor.go(page)
        diary.draws.append(time.perf_counter() - begun)
        note(visitor, diary, page)
        for _ in range(3 if page == "masks" else 0):
            await think(chance)
            await visitor.slide(chance.uniform(0.1, 0.9))
            note(visitor, diary, page)


async def prepare(
    visitor: Visitor, image: Path, diary: Diary, *, thoughts: random.Random | None = None, hasty: bool = False
) -> None:
    """Open the app, upload, predict and wait for the result."""
    begun = time.perf_counter()
    await visitor.arrive()
    diary.draws.append(time.perf_counter() - begun)
    await think(thoughts)
    await visitor.upload(image)
    await visitor.until_shown("What was found in the file", 120)
    note(visitor, diary, "upload")
    await think(thoughts)
    await visitor.go("predict")
    await think(thoughts)
    diary.predicting += 1
    begun = time.perf_counter()
    try:
        await visitor.press("Predict")
        if hasty:
            await asyncio.sleep(1)
            return
        await visitor.until_shown("Image (OME-TIFF)", 300)
        diary.predictions.append(time.perf_counter() - begun)
    finally:
        diary.predicting -= 1
    note(visitor, diary, "predict")


async def think(chance: random.Random | None) -> None:
    """Wait as long as a person who looks at something."""
    if chance is not None:
        await asyncio.sleep(PACE * min(40.0, 2.0 + chance.expovariate(1 / THINKING_S)))


def note(visitor: Visitor, diary: Diary, where: str) -> None:
    """Write down what the page complains about."""
    diary.errors += [f"{diary.now:.0f} s, {where}: {words}" for words in visitor.complaints()]


async def watch(process: psutil.Process, folder: Path, diary: Diary) -> None:
    """Write down the memory of the server and of its worker."""
    while True:
        diary.memory.append({"s": round(diary.now, 1), **sizes(process, folder)})
        await asyncio.sleep(SAMPLE_EVERY_S)


def sizes(process: psutil.Process, folder: Path) -> dict[str, float]:
    """Resident memory in MiB, open files and threads of the server, and folders of sessions."""
    workers = 0
    for child in process.children(recursive=True):
        try:
            workers += child.memory_info().rss
        except psutil.Error:
            continue
    rooms = [path for path in (folder / "work").iterdir() if path.name.startswith("labelfree-visit-")]
    return {
        "server": round(process.memory_info().rss / 2**20, 1),
        "worker": round(workers / 2**20, 1),
        "files": process.num_fds() if os.name == "posix" else 0,
        "threads": process.num_threads(),
        "sessions": len(rooms),
    }


async def after(process: psutil.Process, folder: Path, ttl: int) -> dict[str, float]:
    """Wait until the server has forgotten everybody, or long enough, and see what is left."""
    give_up = time.monotonic() + 2 * ttl + 60
    found = sizes(process, folder)
    while found["sessions"] and time.monotonic() < give_up:
        await asyncio.sleep(2)
        found = sizes(process, folder)
    return found


def from_log(folder: Path) -> list[str]:
    """Find tracebacks in the server's log, each to its end, and names of files, which must not be there."""
    text = (folder / "log").read_text(encoding="utf-8", errors="replace")
    traces = re.findall(r"^Traceback .*\n(?: .*\n|\n)*.*", text, re.MULTILINE)
    found = [f"log: {trace}" for trace in traces]
    if SEEN_BY_NOBODY in text:
        found.append("log: it has the name of a visitor's file")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--threads", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    parser.add_argument("--ttl", type=int, default=120, help="seconds until a closed tab is forgotten")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    sys.exit(asyncio.run(main(parser.parse_args())))
