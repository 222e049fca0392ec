"""Who comes next, how long it takes, and what is kept: the book of the service, without a worker."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from labelfree_core.errors import PredictionError
from labelfree_core.images.stack import ImageStack
from labelfree_core.inference.handover import Ask, Wish, read_stack, write_stack
from labelfree_core.inference.jobs import Job
from labelfree_core.inference.prediction import Prediction
from labelfree_core.inference.queueing import Book
from labelfree_core.settings import Settings


@pytest.fixture
def book() -> Book:
    return Book(Settings(queue=5, results=3, results_mib=1))


@pytest.fixture
def add(book: Book, tmp_path: Path) -> Callable[..., Job]:
    def make(owner: str, *, kind: str = "predict", voxels: int = 1000) -> Job:
        job = Job(owner, Wish(Ask("model", kind=kind), tmp_path / "none", {}), voxels)
        book.add(job)
        return job

    return make


def result(megabytes: float, stack: ImageStack) -> Prediction:
    voxels = np.zeros((1, 1, int(megabytes * 2**18)), np.float32)
    return Prediction(voxels, (1.0, 1.0, 1.0), "input", "DNA", "m", "0", stack.origin)


def test_people_take_turns(book: Book, add: Callable[..., Job]) -> None:
    ann = [add("ann") for _ in range(3)]
    bob = add("bob")
    assert book.waiting() == [ann[0], bob, ann[1], ann[2]]
    book.begin(ann[0])
    assert book.waiting() == [bob, ann[1], ann[2]]
    ann[0].finish("done")
    cleo = add("cleo")
    assert book.waiting() == [bob, cleo, ann[1], ann[2]]  # ann was served already, the others never


def test_an_estimate_does_not_wait_for_predictions(book: Book, add: Callable[..., Job]) -> None:
    first, quick = add("ann"), add("bob", kind="estimate")
    assert book.waiting() == [quick, first]


def test_the_queue_tells_place_and_time_once_a_like_prediction_was_made(
    book: Book, add: Callable[..., Job]
) -> None:
    first, second, third = add("ann"), add("bob"), add("cleo", voxels=2000)
    assert book.shown(third).place == 2
    assert book.shown(third).seconds_left is None
    book.begin(first)
    first.begun -= 10  # it took 10 s
    first.state = "done"
    book.learn(first)
    assert book.shown(third).seconds_left == pytest.approx(10, abs=0.5)  # bob's, as large as ann's
    book.begin(second)
    second.seconds_left = 4.0
    assert book.shown(third).place == 1
    assert book.shown(third).seconds_left == 4.0
    assert book.shown(second).seconds_left == 4.0


def test_a_full_queue_is_a_sentence(
    book: Book, add: Callable[..., Job], make_stack: Callable[..., ImageStack]
) -> None:
    for owner in "abcde":
        add(owner)
    with pytest.raises(PredictionError, match="5 predictions are waiting on this server"):
        book.check("f", make_stack())


def test_an_image_too_large_for_the_server_is_a_sentence(make_stack: Callable[..., ImageStack]) -> None:
    book = Book(Settings(max_mvoxels=0.001))
    with pytest.raises(PredictionError, match=r"this server takes 0\.001 million"):
        book.check("ann", make_stack())


def test_results_are_kept_by_number_and_by_memory(
    book: Book, add: Callable[..., Job], make_stack: Callable[..., ImageStack]
) -> None:
    jobs = [add("ann") for _ in range(4)]
    for job in jobs:
        job.result, job.state = result(0.1, make_stack()), "done"
    book.drop_old_results("ann")
    with pytest.raises(PredictionError, match="no longer here"):
        book.own(jobs[0].id, "ann")
    assert all(book.own(job.id, "ann") is job for job in jobs[1:])
    large = add("ann")
    large.result, large.state = result(1.5, make_stack()), "done"
    book.drop_old_results("ann")
    assert len(book) == 1  # the newest stays, however large
    assert book.own(large.id, "ann").shown(0, None).prediction is large.result


def test_a_result_that_was_taken_over_is_let_go_by_its_owner_alone(
    book: Book, add: Callable[..., Job], make_stack: Callable[..., ImageStack]
) -> None:
    job, waiting = add("ann"), add("ann")
    job.result, job.state = result(0.1, make_stack()), "done"
    book.release(job.id, "bob")
    book.release(waiting.id, "ann")
    assert book.own(job.id, "ann") is job
    assert book.own(waiting.id, "ann") is waiting
    book.release(job.id, "ann")
    with pytest.raises(PredictionError, match="no longer here"):
        book.own(job.id, "ann")


def test_silent_people_are_forgotten_by_a_clock_that_can_not_be_set(
    book: Book, add: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = add("ann")
    monkeypatch.setattr("time.time", lambda: 4e9)  # the computer's clock jumps by decades
    book.forget_silent(60)
    assert book.own(job.id, "ann") is job
    book._seen["ann"] -= 61
    book.forget_silent(60)
    assert job.state == "cancelled"
    assert len(book) == 0


def test_a_stand_in_of_one_value_takes_no_room_on_the_disk(tmp_path: Path) -> None:
    empty = ImageStack(np.broadcast_to(np.zeros((), np.uint16), (65, 624, 924)), (0.29,) * 3)
    about = write_stack(empty, tmp_path)
    assert (tmp_path / "input.npy").stat().st_size < 1000
    back = read_stack(about, tmp_path)
    assert back.voxels.shape == (65, 624, 924)
    assert back.voxels.dtype == np.uint16
