"""One person's image and results stay within the memory that the server allows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from labelfree_core.errors import ImageError
from labelfree_core.images import samples
from labelfree_core.images.stack import ImageStack, Origin
from labelfree_core.inference.prediction import Prediction
from pages.components import opening, room
from pages.components.session import BatchItem, Look, ResultKey, Session

from .conftest import SHAPE, SIZE_UM, Worker, prediction_for, press, views_of, words

Open = Callable[..., AppTest]
IMAGE = 2 * 2 * int(np.prod(SHAPE))  # two channels of uint16
RESULT = 8 * int(np.prod(SHAPE))  # the small world predicts in float64


def allow(monkeypatch: pytest.MonkeyPatch, size: float) -> None:
    monkeypatch.setenv("LABELFREE_SESSION_MIB", repr(size / room.MIB))


def made(name: str) -> tuple[ResultKey, Prediction]:
    stack = ImageStack(np.arange(np.prod(SHAPE), dtype=np.uint16).reshape(SHAPE), SIZE_UM, Origin(name))
    return ResultKey(name, "dna", "input"), prediction_for(stack, "dna", "DNA")


def with_image() -> Session:
    work = Session()
    known = next(each for each in samples.samples() if each.id == "cells")
    work.show(opening.open_path(work, known.path, known.path.name))
    return work


def kept(work: Session) -> list[str]:
    return [key.image for key in work.predictions]


@pytest.mark.usefixtures("worker")
def test_the_oldest_results_go_and_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    allow(monkeypatch, IMAGE + 2 * RESULT)
    work = with_image()
    assert room.image_bytes(work.image) == IMAGE
    for name in ("first", "second"):
        work.keep(*made(name))
    assert kept(work) == ["first", "second"]
    assert not work.dropped
    work.keep(*made("third"))
    assert kept(work) == ["second", "third"]
    assert "the oldest result was dropped: DNA by dna for first." in room.sentence(work)
    assert "predict again to get it back" in room.sentence(work)
    work.keep(*made("first"))  # predicted again: now the second is the oldest
    assert kept(work) == ["third", "first"]
    assert list(work.dropped) == ["DNA by dna for second"]


@pytest.mark.usefixtures("worker")
def test_the_newest_result_and_the_open_image_stay_whatever_they_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    allow(monkeypatch, IMAGE)
    work = with_image()
    work.keep(*made("first"))
    work.keep(*made("second"))
    assert kept(work) == ["second"]
    assert work.image is not None


@pytest.mark.usefixtures("worker")
def test_an_image_that_is_opened_makes_older_results_go(monkeypatch: pytest.MonkeyPatch) -> None:
    allow(monkeypatch, 3 * RESULT)
    work = Session()
    for name in ("first", "second", "third"):
        work.keep(*made(name))
    assert kept(work) == ["first", "second", "third"]
    work.show(with_image().image)
    assert kept(work) == ["second", "third"]
    assert list(work.dropped) == ["DNA by dna for first"]


def test_results_of_a_batch_and_looks_count_and_go_in_the_order_they_came(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    allow(monkeypatch, 3 * RESULT)
    work, (key, newest) = Session(), made("newest")
    item, look = BatchItem("in a batch"), Look()
    work.batch.append(item)
    work.looks[key] = look
    item.prediction = made("in a batch")[1]
    room.make(work, item.prediction)
    look.spread, look.extent = views_of(newest.stack), "full"
    room.make(work, look.spread)
    assert item.prediction is not None
    work.keep(key, newest)
    assert item.prediction is None
    assert "in a batch: its prediction was dropped" in item.problem
    assert look.spread is not None
    work.keep(*made("one more"))
    assert (look.spread, look.extent) == (None, "")
    assert kept(work) == ["newest", "one more"]


def test_a_long_list_is_cut_short() -> None:
    work = Session()
    work.dropped.update(dict.fromkeys("abcde"))
    assert "the oldest results were dropped: a, b, c and 2 more. " in room.sentence(work)


@pytest.mark.usefixtures("worker")
def test_an_image_that_takes_all_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    allow(monkeypatch, IMAGE - 1)
    with pytest.raises(ImageError, match=r"cells\.ome\.tif takes 0 MiB of memory, and one person is allowed"):
        with_image()


def test_the_page_says_what_was_dropped_until_the_next_prediction(
    open_app: Open, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(monkeypatch, IMAGE + RESULT)
    app = press(open_app("predict", sample="cells"), "Predict")
    assert "To make room" not in words(app)
    assert worker.released == list(worker.jobs)  # else the queue would hold what the session lets go
    app.session_state["work"].keep(*made("another"))
    app.run()
    assert "the oldest result was dropped" in words(app)
    assert "DNA by dna-test-3d for cells.ome.tif" in words(app)
    worker.looks_needed = 1000
    press(app, "Predict").run()
    assert not app.exception
    assert "To make room" not in words(app)
