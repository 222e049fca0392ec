"""A training for the page: a process of its own, watched, stopped, continued, kept, gone with its person."""

import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from scipy import ndimage

from labelfree_core.analysis.familiarity import features_of, load_familiarity
from labelfree_core.errors import ModelError
from labelfree_core.images.stack import ImageStack, Origin
from labelfree_core.models.entries import list_models
from labelfree_core.models.importing import import_model
from labelfree_core.models.store import load_network
from labelfree_core.settings import Settings
from labelfree_core.training.newcard import new_card
from labelfree_core.training.service import TrainingService, keep_model
from labelfree_core.training.task import GivenPair, TrainingTask

Trainers = Callable[[], list[psutil.Process]]
Limit = Callable[[int], AbstractContextManager[None]]
PATIENCE_S = 120


def pair(seed: int, split: str = "train") -> GivenPair:
    target = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(96, 120)), 4)
    target = np.maximum(target / target.std(), 0)
    image = 1000 + 100 * ndimage.sobel(target) + 80 * target
    size = (0.5, 0.5)
    stacks = [ImageStack((v * 100).astype(np.float32), size) for v in (image, target)]
    return GivenPair(f"field {seed}.tif", f"{seed:064x}", *stacks, split=split)


def task(pairs: list[GivenPair], minutes: float) -> TrainingTask:
    card = new_card("My nuclei", "DNA", "bright-field", pairs, start=None)
    card = replace(card, network={"widths": [4, 8]})
    return TrainingTask(card, "", minutes)


@pytest.fixture
def service() -> Iterator[TrainingService]:
    running = TrainingService(Settings(threads=1))
    yield running
    running.shutdown()


def wait(service: TrainingService, owner: str, until: Callable[[object], bool]) -> object:
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        state = service.state(owner)
        if until(state) or not state.active:
            return state
        time.sleep(0.1)
    raise AssertionError(f"nothing happened in {PATIENCE_S} s: {state}")


def test_a_training_is_watched_stopped_continued_and_kept(service: TrainingService, tmp_path: Path) -> None:
    pairs = [pair(0), pair(1, "held-out")]
    service.start("me", tmp_path / "run", task(pairs, 10), pairs)
    with pytest.raises(ModelError, match="still running"):
        service.start("me", tmp_path / "again", task(pairs, 10), pairs)
    with pytest.raises(ModelError, match="other people"):
        service.start("you", tmp_path / "yours", task(pairs, 10), pairs)
    assert service.state("you") is None
    (tmp_path / "run" / "stop").touch()  # at the first report
    first = wait(service, "me", lambda state: not state.active)
    assert first.state == "done", first.problem
    assert first.step > 0
    assert len(first.curve) == 1
    pictures = service.pictures("me")
    assert pictures.name == "field 1.tif"
    assert pictures.before is None
    assert pictures.now.shape == pictures.observed.shape == pictures.image.shape
    assert np.ptp(pictures.now) > 0

    service.more("me", 0.02)
    last = wait(service, "me", lambda state: not state.active)
    assert last.state == "done", last.problem
    assert last.step > first.step
    assert {(metric, n) for metric, _, n in last.scores} == {("pearson_r", 1), ("dice", 1)}

    entry, package = service.model("me")
    kept = [keep_model(entry, tmp_path / "models") for _ in range(2)]
    assert [model.card.id for model in list_models([tmp_path / "models"])] == ["my-nuclei", "my-nuclei-2"]
    assert all(not model.problem for model in kept)
    load_network(kept[1])
    card = kept[0].card
    assert "field 0.tif" in card.training
    assert card.images["0" * 64] == "trained"
    assert card.images[f"{1:064x}"] == "held-out"
    assert card.scores[0].n == 1
    assert f"{1:064x}" in (kept[0].folder / "pairs.csv").read_text()
    with zipfile.ZipFile(package) as archive:
        assert "rdf.yaml" in archive.namelist()
    assert import_model(package, folder=tmp_path / "elsewhere").card.training == card.training


def test_a_model_of_simulated_pairs_never_claims_a_score_on_real_images(
    service: TrainingService, tmp_path: Path
) -> None:
    drawn = Origin("scene.ome.tif", simulated=True)
    pairs = [
        replace(given, image=replace(given.image, origin=drawn)) for given in (pair(0), pair(1, "held-out"))
    ]
    service.start("me", tmp_path / "run", task(pairs, 0.01), pairs)
    assert wait(service, "me", lambda state: not state.active).state == "done"
    card = service.model("me")[0].card
    assert card.simulated
    assert card.scores
    assert all(score.simulated for score in card.scores)
    assert "simulated images only" in card.caution
    assert "need not hold for real cells" in " ".join(card.limits)


def test_it_goes_on_from_a_model_and_names_it(service: TrainingService, tmp_path: Path) -> None:
    pairs = [pair(0, "spatial")]
    service.start("me", tmp_path / "run", task(pairs, 0.01), pairs)
    assert wait(service, "me", lambda state: not state.active).state == "done"
    start = keep_model(service.model("me")[0], tmp_path / "models")
    card = new_card("Better", "DNA", "bright-field", pairs, start=start.card)
    service.start("me", tmp_path / "next", TrainingTask(card, str(start.folder), 0.01), pairs)
    done = wait(service, "me", lambda state: not state.active)
    assert done.state == "done", done.problem
    assert -1 <= done.before_r <= 1
    assert service.pictures("me").before is not None
    assert {metric for metric, _, _ in done.scores} == {"pearson_r", "dice", "before"}
    found = service.model("me")[0].card
    assert "already learnt from a field" in " ".join(found.limits)
    assert found.images["0" * 64] == "part"
    assert start.card.sha256 in found.training
    assert "flatters" in " ".join(found.limits)


def test_a_model_of_five_pairs_knows_what_they_look_like_and_one_of_four_does_not(
    service: TrainingService, tmp_path: Path
) -> None:
    pairs = [*(pair(seed) for seed in range(4)), pair(4, "held-out")]
    known = []
    for number, given in enumerate((pairs, pairs[1:])):
        service.start("me", tmp_path / f"run{number}", task(given, 0.01), given)
        assert wait(service, "me", lambda state: not state.active).state == "done"
        kept = keep_model(service.model("me")[0], tmp_path / "models")
        known.append(load_familiarity(kept.folder, kept.card))
    fitted, none = known
    assert none is None
    assert fitted.fields == 5
    mine = [fitted.familiarity(features_of(pair(seed).image, kept.card)) for seed in range(5)]
    noise = np.random.default_rng(0).normal(1000, 50, (96, 120)).astype(np.float32)
    strange = fitted.familiarity(features_of(ImageStack(noise, (0.5, 0.5)), kept.card))
    assert sorted(mine)[1] >= 0.5
    assert strange < 0.12
    assert max(fitted.familiarity(features_of(pair(seed).target, kept.card)) for seed in range(5)) < 0.5


def test_who_leaves_takes_the_training_along(
    service: TrainingService, tmp_path: Path, trainers: Trainers
) -> None:
    pairs = [pair(0), pair(1, "held-out")]
    service.start("me", tmp_path / "run", task(pairs, 10), pairs)
    (child,) = trainers()
    service.forget("me")
    assert service.state("me") is None
    assert not child.is_running()
    assert not (tmp_path / "run").exists()


def test_a_training_that_was_killed_says_so(
    service: TrainingService, tmp_path: Path, trainers: Trainers
) -> None:
    pairs = [pair(0), pair(1, "held-out")]
    service.start("me", tmp_path / "run", task(pairs, 10), pairs)
    (child,) = trainers()
    child.kill()
    state = wait(service, "me", lambda state: not state.active)
    assert state.state == "failed"
    assert "memory ran out" in state.problem


@pytest.mark.parametrize(
    ("splits", "minutes", "match"),
    [
        ([], 1, "1 to 20 pairs, and there are 0"),
        (["train"] * 21, 1, "there are 21"),
        (["held-out"], 1, "Leave at least one"),
        (["train"], 1, "No pair is kept for the score"),
        (["train", "held-out"], 500, "may take up to 120"),
    ],
)
def test_what_can_not_be_trained_says_why(
    service: TrainingService, tmp_path: Path, splits: list[str], minutes: float, match: str
) -> None:
    pairs = [replace(pair(0), split=split) for split in splits]
    with pytest.raises(ModelError, match=match):
        service.start("me", tmp_path / "run", task(pairs or [pair(0)], minutes), pairs)


def test_pairs_that_are_too_large_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    small = TrainingService(Settings(max_mvoxels=0.01))
    pairs = [pair(0, "spatial")]
    with pytest.raises(ModelError, match="allowed"):
        small.start("me", tmp_path / "run", task(pairs, 1), pairs)
    assert not (tmp_path / "run").exists()
    small.shutdown()


def test_a_training_that_takes_too_much_memory_ends_with_a_sentence(
    tmp_path: Path, trainers: Trainers
) -> None:
    small = TrainingService(Settings(threads=1, training_mib=64))
    pairs = [pair(0), pair(1, "held-out")]
    small.start("me", tmp_path / "run", task(pairs, 10), pairs)
    state = wait(small, "me", lambda state: not state.active)
    assert state.state == "failed"
    assert "more than the 64 MiB of memory" in state.problem
    assert trainers() == []
    small.shutdown()


def test_a_training_may_take_what_a_prediction_may() -> None:
    sized = TrainingService(Settings(memory_mib=10))
    assert sized._allowed_bytes() == 10 * 2**20
    assert TrainingService(Settings(memory_mib=10, training_mib=20))._allowed_bytes() == 20 * 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="a disk that is always full is a file of Linux")
def test_a_full_disk_ends_a_training_with_a_sentence(
    service: TrainingService, tmp_path: Path, trainers: Trainers
) -> None:
    pairs = [pair(0), pair(1, "held-out")]
    service.start("me", tmp_path / "run", task(pairs, 10), pairs)
    (tmp_path / "run" / "state.part").symlink_to("/dev/full")  # whatever it has to say
    state = wait(service, "me", lambda state: not state.active)
    assert state.state == "failed"
    assert "disk of this computer is full" in state.problem
    assert service.state("me") == state
    with pytest.raises(ModelError, match="No space left on device"):
        service.more("me", 1)


@pytest.mark.skipif(sys.platform != "linux", reason="a disk that is always full is a file of Linux")
def test_pairs_that_do_not_fit_on_the_disk_leave_nothing(
    service: TrainingService, tmp_path: Path, files_up_to: Limit
) -> None:
    pairs = [pair(0), pair(1, "held-out")]
    with files_up_to(10_000), pytest.raises(ModelError, match="Free some disk space"):
        service.start("me", tmp_path / "run", task(pairs, 1), pairs)
    assert list(tmp_path.iterdir()) == []
    assert service.state("me") is None
    service.start("me", tmp_path / "run", task(pairs, 1), pairs)
    service.forget("me")
