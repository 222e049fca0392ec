"""What the pages have worked out stays within bytes, for one person and for everybody together."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.components import shelves
from pages.components.session import Session
from pages.components.shelves import MIB, Everybody, Kind, Shelf, size_of

from .conftest import words

Open = Callable[..., AppTest]
ONE = np.zeros(MIB, np.uint8)


@pytest.fixture
def everybody(monkeypatch: pytest.MonkeyPatch) -> Iterator[Everybody]:
    """A server on which nobody keeps anything yet."""
    fresh = Everybody()
    monkeypatch.setattr(shelves, "everybody", lambda: fresh)
    return fresh


@pytest.mark.usefixtures("everybody")
def test_what_was_not_used_for_longest_goes_and_the_newest_stays() -> None:
    shelf = Shelf()
    for key in "abc":
        shelf.put(key, ONE.copy(), 3)
    assert shelf.take("a") is not None  # now "b" waits longest
    shelf.put("d", ONE.copy(), 3)
    assert [key in shelf for key in "abcd"] == [True, False, True, True]
    assert shelf.size == 3 * MIB
    shelf.put("e", np.zeros(5 * MIB, np.uint8), 3)  # more than is allowed, and still there
    assert [key in shelf for key in "acde"] == [False, False, False, True]
    with pytest.raises(KeyError):
        shelf.take("b")


@pytest.mark.usefixtures("everybody")
def test_of_what_a_slider_makes_only_the_last_few_stay() -> None:
    shelf, counted = Shelf(), Kind("counted", 2)
    shelf.put("image", ONE.copy(), 100)
    for key in "abc":
        shelf.put(key, ONE.copy(), 100, kind=counted)
    assert [key in shelf for key in ("image", *"abc")] == [True, False, True, True]
    assert shelf.size == 3 * MIB


@pytest.mark.usefixtures("everybody")
def test_everybody_together_stays_within_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELFREE_ALL_CACHES_MIB", "4")
    ann, bob = Shelf(), Shelf()
    for key in "abc":
        ann.put(key, ONE.copy(), 100)
    for key in "abc":
        bob.put(key, ONE.copy(), 100)
    assert ann.size + bob.size == 4 * MIB
    assert [key in ann for key in "abc"] == [False, False, True]
    assert [key in bob for key in "abc"] == [True, True, True]
    bob.put("d", np.zeros(9 * MIB, np.uint8), 100)
    assert (len(ann), len(bob)) == (0, 1)


def test_who_is_gone_takes_no_room(everybody: Everybody) -> None:
    ann, bob = Session(), Session()
    ann.shelf.put("a", ONE.copy(), 100)
    bob.shelf.put("a", ONE.copy(), 100)
    bob.channels.put("b", ONE.copy(), 100)
    bob.close()
    assert bob.shelf.size + bob.channels.size == 0
    del ann
    gc.collect()
    assert sum(shelf.size for shelf in everybody.shelves) == 0


def test_memory_is_counted_once_and_a_part_keeps_the_whole() -> None:
    assert size_of((ONE, {"again": ONE}, ONE[:3])) == MIB
    assert size_of([b"x" * 5000, "words"]) == 5000
    assert size_of(None) == size_of(1.5) > 0


@pytest.mark.parametrize("page", ["compare", "masks", "trust", "predict"])
def test_pages_say_the_same_when_hardly_anything_may_be_kept(
    predicted: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    before = words(predicted(page))
    monkeypatch.setenv("LABELFREE_CACHE_MIB", "0.001")
    monkeypatch.setenv("LABELFREE_ALL_CACHES_MIB", "0.001")
    app = predicted(page)
    app.run()
    assert not app.exception
    assert words(app) == before
    assert len(app.session_state["work"].shelf) <= 1


def test_channels_of_an_image_go_with_it(open_app: Open) -> None:
    app = open_app("predict", sample="cells")
    work = app.session_state["work"]
    before = work.channels.size
    assert before > 0
    work.show(work.image)
    assert work.channels.size == 0
