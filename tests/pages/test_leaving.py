"""What is left of a visitor whose session ends."""

from __future__ import annotations

import gc
import re
import time
import weakref
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.components import adding, leaving, opening
from pages.components.session import Session

from .conftest import Worker, press

Open = Callable[..., AppTest]


def test_a_session_that_ends_leaves_the_queue_and_no_file(open_app: Open, worker: Worker) -> None:
    worker.looks_needed = 1000
    app = press(open_app("predict", sample="cells"), "Predict")
    work = app.session_state["work"]
    owner, folder = work.owner, work.path
    assert work.jobs
    assert folder.is_dir()
    assert worker.left == []
    del app, work  # as the server does some time after the tab was closed
    gc.collect()
    assert worker.left == [owner]
    assert not folder.exists()


def test_the_queue_tells_when_it_is_ones_turn(open_app: Open, worker: Worker) -> None:
    worker.looks_needed = 1000
    worker.ahead = (2, 95.0)
    app = press(open_app("predict", sample="cells"), "Predict")
    shown = [element.proto.text for element in app.get("progress")]
    assert [re.sub(r"[*\\]", "", text) for text in shown] == [
        "DNA (dna-test-3d): 2 others come first, starts in about 2 min"
    ]


class Connections:
    """Stands for Streamlit's runtime: who is connected."""

    def __init__(self, *numbers: str) -> None:
        self.numbers = set(numbers)

    def is_active_session(self, number: str) -> bool:
        return number in self.numbers


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> Connections:
    here = Connections("ann", "bob")
    monkeypatch.setattr(leaving.runtime, "exists", lambda: True)
    monkeypatch.setattr(leaving.runtime, "get_instance", lambda: here)
    return here


def test_a_tab_that_stays_away_is_closed_and_the_others_are_not(connections: Connections) -> None:
    watch, ann, bob = leaving.Watch(), Session(), Session()
    watch.add("ann", ann)
    watch.add("bob", bob)
    said = []
    ann.farewell.append(weakref.finalize(ann, said.append, ann.owner))
    connections.numbers.discard("ann")
    watch.look_once(60)
    assert not ann.closed  # a lost connection may come back
    watch.look_once(0)
    assert ann.closed
    assert not ann.path.exists()
    assert said == [ann.owner]
    assert not bob.closed
    assert bob.path.is_dir()


def test_who_comes_back_in_time_finds_everything(connections: Connections) -> None:
    watch, ann = leaving.Watch(), Session()
    watch.add("ann", ann)
    connections.numbers.discard("ann")
    watch.look_once(60)
    connections.numbers.add("ann")
    watch.look_once(0)
    connections.numbers.discard("ann")
    watch.look_once(60)
    assert not ann.closed


def test_a_moment_away_between_two_looks_closes_nothing(
    connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch, ann, clock = leaving.Watch(), Session(), [100.0]
    monkeypatch.setattr(leaving, "time", SimpleNamespace(monotonic=lambda: clock[0], sleep=time.sleep))
    watch.add("ann", ann)
    watch.look_once(4)
    connections.numbers.discard("ann")  # just before the next look, which comes after more than four seconds
    clock[0] += 5
    watch.look_once(4)
    assert not ann.closed
    clock[0] += 5
    watch.look_once(4)
    assert ann.closed


def test_the_watch_keeps_no_session_alive(connections: Connections) -> None:
    watch, ann = leaving.Watch(), Session()
    watch.add("ann", ann)
    folder = ann.path
    del ann
    gc.collect()
    assert not folder.exists()
    connections.numbers.clear()
    watch.look_once(60)
    assert not watch._guests


def test_garbage_is_collected_after_somebody_looked_at_a_page(connections: Connections) -> None:
    watch, ann, ring = leaving.Watch(), Session(), Ring()
    gone = weakref.ref(ring)
    gc.disable()  # so that nothing else collects it
    try:
        del ring
        watch.tidy()
        assert gone() is not None  # nobody looked at anything
        watch.add("ann", ann)
        watch.tidy()
        assert gone() is None
    finally:
        gc.enable()
    assert not st.get_option("runner.postScriptGC")


class Ring:
    """What only a garbage collector frees."""

    def __init__(self) -> None:
        self.itself = self


def test_who_comes_back_too_late_begins_anew(open_app: Open) -> None:
    app = open_app("predict", sample="cells")
    before = app.session_state["work"]
    before.close()
    app.run()
    assert not app.exception
    assert app.session_state["work"] is not before


def test_one_person_can_not_fill_the_disk(open_app: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELFREE_UPLOADS_MIB", "0.01")
    app = open_app()
    app.file_uploader[0].set_value(("cells.tif", bytes(20_000), "image/tiff")).run()
    assert not app.exception
    assert "this server allows one person 0 MB" in app.error[0].value
    work = app.session_state["work"]
    assert [path for path in work.path.rglob("*") if path.is_file()] == []


def test_a_full_disk_at_an_upload_is_a_sentence(open_app: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    app = open_app()
    monkeypatch.setattr(opening.shutil, "copyfileobj", full)
    app.file_uploader[0].set_value(("cells.tif", b"II*\0", "image/tiff")).run()
    assert not app.exception
    assert "No space left on device" in app.error[0].value


def test_a_folder_that_somebody_deleted_is_a_sentence(open_app: Open) -> None:
    app = open_app()
    app.session_state["work"].path.rmdir()
    app.run()
    assert not app.exception
    app.file_uploader[0].set_value(("cells.tif", b"II*\0", "image/tiff")).run()
    assert not app.exception
    assert "No such file or directory" in app.error[0].value


@pytest.mark.parametrize(
    ("address", "headers", "setting", "offered"),
    [
        ("127.0.0.1", {}, "true", True),
        ("127.0.0.1", {"X-Forwarded-For": "10.0.0.7"}, "true", False),
        ("0.0.0.0", {}, "true", False),
        ("127.0.0.1", {}, "false", False),
    ],
)
def test_a_model_is_kept_for_others_on_onesown_computer_only(
    monkeypatch: pytest.MonkeyPatch, address: str, headers: dict[str, str], setting: str, offered: bool
) -> None:
    monkeypatch.setenv("LABELFREE_KEEP_MODELS", setting)
    monkeypatch.setattr(adding.st, "get_option", lambda name: address)
    monkeypatch.setattr(adding.st, "context", SimpleNamespace(headers=headers))
    assert adding.own_computer() is offered
