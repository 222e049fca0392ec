"""A score of an image that a model was trained on is no proof: the model's card knows its images."""

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from labelfree_core.cli import main
from labelfree_core.errors import ModelError
from labelfree_core.images.fingerprint import fingerprint
from labelfree_core.images.reading import open_image
from labelfree_core.images.stack import ImageStack, Origin
from labelfree_core.images.writing import write_stack
from labelfree_core.models.build import build
from labelfree_core.models.card import ModelCard
from labelfree_core.models.cardfile import format_card, parse_card
from labelfree_core.models.entries import ModelEntry
from labelfree_core.models.seen import training_sentence, training_use, training_use_of
from labelfree_core.models.store import find_model, list_models, save_model
from labelfree_core.training.pairs import read_table
from labelfree_core.training.seen import images_seen

ROOT = Path(__file__).parents[3]
CARD = ModelCard("tiny-2d", "Tiny", "DNA", "bright-field", 2, "fnet", {"mult_chan": 2, "depth": 1})


def image(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4000, (24, 32)).astype(np.uint16)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.csv"
    with path.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["image", "target", "split"])
        for seed, split in enumerate(["train", "held-out", "spatial"]):
            write_stack(tmp_path / f"{seed}.ome.tif", ImageStack(image(seed), (0.5, 0.5)))
            writer.writerow([f"{seed}.ome.tif", f"{seed}.ome.tif", split])
    return path


@pytest.mark.parametrize(("seed", "use"), list(enumerate(["trained", "held-out", "part", "not listed"])))
def test_an_image_is_known_by_its_file_and_by_its_voxels(table: Path, seed: int, use: str) -> None:
    card = dataclasses.replace(CARD, images=images_seen(read_table(table)))
    path = table.parent / f"{seed}.ome.tif"
    if seed < 3:
        assert training_use(card, open_image(path).sha256) == use
    elsewhere = ImageStack(image(seed).astype(np.float32)[None], (1.0, 0.5, 0.5), Origin("other.tif"))
    assert training_use_of(ModelEntry(card, path.parent), elsewhere) == use
    assert bool(training_sentence(use)) == (use != "not listed")


def test_a_changed_pixel_makes_another_image() -> None:
    changed = image(0)
    changed[3, 4] += 1
    assert fingerprint(changed) != fingerprint(image(0))


def test_a_card_without_a_list_knows_nothing() -> None:
    assert training_use(CARD, "00") == "unknown"
    assert training_use(dataclasses.replace(CARD, images={"00": "trained"}), "") == "not listed"


def test_what_was_trained_on_once_stays_so(table: Path) -> None:
    rows = read_table(table)
    later = images_seen(rows, before=dict.fromkeys(images_seen(rows), "trained"))
    assert set(later.values()) == {"trained"}
    assert set(images_seen(rows, all_fields=True).values()) == {"trained"}


def test_a_card_keeps_its_images_and_refuses_other_words() -> None:
    card = dataclasses.replace(CARD, images={"00ff": "part"})
    assert parse_card(format_card(card)) == card
    with pytest.raises(ModelError, match=r"'images' is 'used'; it has to be one of held-out, part, trained"):
        parse_card(format_card(dataclasses.replace(CARD, images={"00ff": "used"})))


def test_calibrate_lists_the_images_on_the_card(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = table.parent / CARD.id
    save_model(folder, build(CARD).state_dict(), CARD)
    main(["calibrate", "--model", str(folder), "--pairs", str(table), "--only", "images"])
    assert "listed 3 images" in capsys.readouterr().err
    assert find_model(folder).card.images == images_seen(read_table(table))


def test_shipped_cards_list_the_images_of_their_tables() -> None:
    missing = []
    for table in sorted((ROOT / "training").glob("*.csv")):
        with table.open(newline="") as handle:
            files = {row["sha256"] for row in csv.DictReader(handle) if row.get("sha256")}
        for entry in list_models([ROOT / "weights"]):
            if entry.card.id.endswith(table.stem) and not entry.card.simulated:
                missing += [entry.card.id] if files - set(entry.card.images) else []
    assert not missing, f"run `labelfree calibrate --only images` for {missing}"
