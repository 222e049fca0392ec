"""Two people on one server, and what happens to one when the other, the worker or the disk fails."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch

from labelfree_core.models.build import build
from labelfree_core.models.store import save_model

from . import serving
from .serving import Server, Visitor, open_image, predict, run, serve, until, visit
from .test_hostile_models import CARD, package
from .test_hostile_uploads import PAGES, check_sentence, plain

SECRET = "anns-patient-0815"
# With the slow model this takes some seconds, so that there is a middle.
LARGE = (24, 256, 288)
SLOW = replace(CARD, id="slow-3d", title="Slow", structure="slowness", network={"mult_chan": 32, "depth": 3})

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals, and disks made for the test")


class Listener(Visitor):
    """A visitor who writes down all that the server says."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.heard: list[bytes] = []

    def _take(self, message: object) -> None:
        self.heard.append(message.SerializeToString())
        super()._take(message)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one large network, which takes its time."""
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    save_model(folder / SLOW.id, build(SLOW).state_dict(), SLOW)
    return folder


@pytest.fixture
def server(tmp_path: Path, models: Path) -> Iterator[Server]:
    with serve(tmp_path, LABELFREE_MODELS=str(models)) as running:
        yield running


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return serving.cells(tmp_path_factory.mktemp("small") / "small.ome.tif")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return serving.cells(tmp_path_factory.mktemp("large") / f"{SECRET}.ome.tif", LARGE)


async def begin(visitor: Visitor, image: Path) -> None:
    """Ask for a prediction and wait until the worker is in the middle of it."""
    await get_ready(visitor, image)
    await visitor.tick(f"{SLOW.structure} · {SLOW.title}")
    await visitor.press("Predict")
    await visitor.until(lambda: in_the_middle(visitor), 120, "the middle of a prediction")


def results(visitor: Visitor) -> int:
    return sum("Image (OME-TIFF)" in words for words in visitor.words())


def in_the_middle(visitor: Visitor) -> bool:
    return any(re.search(rf"{SLOW.id}.*: [1-9][0-9]?%", words) for words in visitor.words())


async def get_ready(visitor: Visitor, image: Path) -> None:
    await visitor.arrive()
    await open_image(visitor, image)
    await visitor.go("predict")


def test_two_people_hear_nothing_of_each_other(server: Server, small: Path, tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(package(tmp_path, {}))

    async def story() -> None:
        ann, bob = Visitor(server.address), Listener(server.address)
        try:
            await ann.arrive()
            await open_image(ann, small, f"{SECRET}.ome.tif")
            await ann.go("models")
            await ann.upload(tmp_path / "model", f"{SECRET}-model.zip")
            await ann.press("Add")
            assert any(f"{SECRET}-model" in words for words in ann.words())
            await predict(bob, small)
            for page in PAGES:
                await ann.go(page)
                await bob.go(page)
            assert ann.complaints() == bob.complaints() == []
        finally:
            await ann.leave()
            await bob.leave()
        assert len(bob.heard) > 10
        assert not [frame for frame in bob.heard if SECRET.encode() in frame]

    run(story())


def test_who_leaves_in_the_middle_frees_the_worker_for_the_next(
    server: Server, small: Path, large: Path
) -> None:
    async def story() -> None:
        ann, bob = Visitor(server.address), Visitor(server.address)
        try:
            await get_ready(bob, small)
            await begin(ann, large)
            await bob.press("Predict")
            assert in_the_middle(ann)
            await ann.leave()
            await bob.until_shown("Image (OME-TIFF)", 120)
            assert bob.complaints() == []
            await asyncio.to_thread(until, lambda: len(server.sessions) == 1, 60)
            await asyncio.to_thread(until, lambda: server.waiting == [], 30)  # forgotten within a second
        finally:
            await bob.leave()

    run(story())


def test_who_loses_the_connection_in_the_middle_finds_the_result(server: Server, large: Path) -> None:
    async def story(visitor: Visitor) -> None:
        await begin(visitor, large)
        await visitor.lose()
        visitor.shown.clear()
        await asyncio.sleep(1)
        await visitor.arrive()
        await visitor.until(lambda: results(visitor) == 2, 120, "both results")

    visit(story, server.address)


def test_who_leaves_in_the_middle_of_a_training_ends_it(server: Server, small: Path) -> None:
    async def story(visitor: Visitor) -> None:
        await begin_training(visitor, small)
        assert len(server.children("training.trainer")) == 1

    visit(story, server.address)
    until(lambda: not server.sessions, 60)
    until(lambda: len(psutil.Process(server.process.pid).children(recursive=True)) == 0, 20)


def test_a_worker_killed_in_the_middle_costs_one_prediction(server: Server, small: Path, large: Path) -> None:
    async def story() -> None:
        ann, bob = Visitor(server.address), Visitor(server.address)
        try:
            await get_ready(bob, small)
            await begin(ann, large)
            await bob.press("Predict")
            assert in_the_middle(ann)
            (worker,) = server.children("inference.worker")
            worker.kill()
            await ann.until(ann.complaints, 30, "a sentence")
            (said,) = ann.complaints()
            check_sentence(said)
            assert "memory ran out" in said
            await bob.until_shown("Image (OME-TIFF)", 120)
            assert bob.complaints() == []
            await open_again(ann, small)
        finally:
            await ann.leave()
            await bob.leave()

    run(story())


async def open_again(visitor: Visitor, image: Path) -> None:
    """Go on after a trouble, with another image."""
    await visitor.go("start")
    await open_image(visitor, image)
    await visitor.go("predict")
    await visitor.press("Predict")
    await visitor.until_shown("Image (OME-TIFF)", 120)


async def begin_training(visitor: Visitor, image: Path) -> None:
    await visitor.arrive()
    await open_image(visitor, image)
    await visitor.go("train")
    await visitor.press(f"Add {image.name}")
    await visitor.press("Start training")


def test_asked_to_end_in_the_middle_it_leaves_nothing(server: Server, small: Path, large: Path) -> None:
    async def story() -> None:
        ann, bob = Visitor(server.address), Visitor(server.address)
        await begin_training(bob, small)
        await bob.until_shown("updates, about", 120)
        await begin(ann, large)
        children = psutil.Process(server.process.pid).children(recursive=True)
        assert len(children) == 2
        server.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(server.process.wait, 20)
        assert psutil.wait_procs(children, timeout=10)[1] == []
        await ann.leave()
        await bob.leave()

    run(story())
    assert list(server.work.iterdir()) == []
    assert "Traceback" not in server.log


def test_the_next_server_deletes_what_a_killed_one_left(server: Server, small: Path) -> None:
    async def story() -> None:
        await predict(Visitor(server.address), small)
        server.process.kill()
        await asyncio.to_thread(server.process.wait, 20)

    run(story())
    left = list(server.work.iterdir())
    assert len(left) == 2  # the visitor's folder, and the room between pages and worker
    alive = server.work / f"labelfree-visit-{os.getpid()}-alive"
    alive.mkdir()
    with serve(server.folder, server.work) as again:
        visit(lambda visitor: visitor.arrive(), again.address)
        assert not [path for path in left if path.exists()]
        assert alive.is_dir()


# --- disks


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user can't mount a disk of its own")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_is_a_sentence_and_what_was_there_stays(tmp_path: Path, tiny: Path, small: Path) -> None:
    # So small that it reaches the app in memory, and too large for what is left of the disk.
    medium = serving.cells(tmp_path / "medium.ome.tif", (20, 100, 100))

    async def story(visitor: Visitor) -> None:
        await predict(visitor, small)
        fill(tiny, leave=200_000)
        await visitor.go("start")
        assert any("disk of this server is nearly full" in words for words in visitor.words())
        await visitor.upload(medium)
        (said,) = visitor.complaints()
        check_sentence(said)
        assert "No space left on device" in said
        await visitor.go("predict")
        assert visitor.complaints() == []
        await visitor.until_shown("Image (OME-TIFF)", 20)
        fill(tiny, leave=0)
        await visitor.press("Predict")
        await visitor.until(visitor.complaints, 60, "a sentence")
        (said,) = visitor.complaints()
        check_sentence(said)
        await visitor.until_shown("Image (OME-TIFF)", 20)
        for page in PAGES:
            await visitor.go(page)
            assert visitor.complaints() == [] or page in ("start", "predict")  # what did not work there
        await visitor.go("train")
        await visitor.press(f"Add {small.name}")
        await visitor.press("Start training")
        (said,) = visitor.complaints()
        check_sentence(said)
        assert "can't keep the pairs for a training (No space left on device)" in plain(said)
        (tiny / "filler").unlink()
        await visitor.press("Start training")
        assert visitor.complaints() == []
        await visitor.press("Cancel")
        await visitor.go("predict")
        await visitor.press("Predict")
        await visitor.until(lambda: not visitor.complaints(), 120, "a result")

    with serve(tmp_path, tiny) as server:
        visit(story, server.address)
        assert "Traceback" not in server.log


def fill(disk: Path, *, leave: int) -> None:
    """Write one file until only so many bytes are left."""
    room = os.statvfs(disk)
    free = room.f_bavail * room.f_frsize
    with (disk / "filler").open("ab") as filler:
        filler.write(bytes(max(0, free - leave)))


def test_a_server_without_any_room_says_so_to_a_new_visitor(tmp_path: Path) -> None:
    blocked = tmp_path / "work"

    async def story(visitor: Visitor) -> None:
        await visitor.arrive()
        (said,) = visitor.complaints()
        check_sentence(said)
        assert "No temporary folder can be written" in said

    with serve(tmp_path, blocked) as server:
        visit(lambda visitor: visitor.arrive(), server.address)
        until(lambda: not server.sessions, 60)
        blocked.rmdir()
        visit(story, server.address, complains=True)


def test_models_that_can_not_be_kept_are_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(package(tmp_path, {}))
    (tmp_path / "occupied").write_text("no folder")

    async def story(visitor: Visitor) -> None:
        await visitor.arrive()
        await visitor.go("models")
        await visitor.upload(tmp_path / "model", "mine.zip")
        await visitor.tick("Keep it on this computer for later visits")
        await visitor.press("Add")
        (said,) = visitor.complaints()
        assert "Traceback" not in said
        assert "can't be written (Not a directory)" in plain(said)
        assert "LABELFREE_MODELS" in plain(said)

    with serve(tmp_path, LABELFREE_MODELS=str(tmp_path / "occupied")) as server:
        visit(story, server.address, complains=True)
