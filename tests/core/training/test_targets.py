"""Each kind of target says what it knows, and nothing else."""

import csv
from pathlib import Path

import numpy as np
import pytest

from labelfree_core.errors import ImageError
from labelfree_core.images.writing import write_channels
from labelfree_core.models.card import ModelCard
from labelfree_core.training.pairs import Pair, load_for_training, load_pairs, read_table
from labelfree_core.training.targets import enclosed

SIZE_UM = (0.29, 0.29, 0.29)
CARDS = [
    ModelCard(f"{name}-3d", name, name, "bright-field", 3, "compact", {}, SIZE_UM)
    for name in ("DNA", "lamin B1", "nucleoli")
]
SHAPE = (24, 40, 48)


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cell in planes 8 to 13, with a nucleus, its rim, and mitochondria beside it; the last is undrawn."""
    folder = tmp_path_factory.mktemp("field")
    cell, nucleus, rim, mitochondria = (np.zeros(SHAPE, np.uint16) for _ in range(4))
    cell[8:14, 5:35, 5:40] = 1
    nucleus[8:14, 12:28, 12:28] = 1
    rim[8:14, 12:28, 12:28] = 1
    rim[8:14, 14:26, 14:26] = 0
    rim[8:14, 20:22, 12:14] = 0  # a gap of two pixels
    mitochondria[8:14, 6:10, 30:38] = 1
    light = np.random.default_rng(0).integers(900, 1100, SHAPE).astype(np.uint16)
    stain = (nucleus * 800 + mitochondria * 100).astype(np.uint16)
    channels = {"Bright": light, "cell": cell, "nucleus": nucleus, "rim": rim, "mito": mitochondria}
    write_channels(folder / "field.ome.tif", {**channels, "clean": stain}, SIZE_UM)
    return folder


def load(folder: Path, *lines: dict[str, str]) -> Pair:
    fields = ["image", "target", "image_channel", "target_channel", "known_channel", "structure", "kind"]
    fields += ["split", "empty_beyond_um", "weight"]
    with (folder / "pairs.csv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, fields)
        writer.writeheader()
        for line in lines:
            name = "field.ome.tif"
            writer.writerow(
                {"image": name, "target": name, "image_channel": "Bright", "structure": "DNA", **line}
            )
    return load_pairs(read_table(folder / "pairs.csv"), CARDS)[0]


def test_a_segmentation_counts_where_it_is_known(field: Path) -> None:
    pair = load(field, {"target_channel": "nucleus", "known_channel": "cell", "kind": "segmentation"})
    assert pair.targets[0][10, 20, 20] == 1
    assert pair.targets[0][10, 8, 8] == 0
    assert pair.known[0][10, 8, 8]
    assert not pair.known[0][10, 2, 2]
    assert not pair.known[1:].any()


def test_closed_rims_are_nuclei_and_say_nothing_else(field: Path) -> None:
    pair = load(field, {"target_channel": "rim", "kind": "rings"})
    assert pair.known[0][10, 20, 20]
    assert pair.targets[0][10, 20, 20] == 1
    assert not pair.known[0][10, 8, 8]
    assert not pair.known[0][2].any()


def test_open_lines_enclose_nothing() -> None:
    lines = np.zeros((1, 40, 40), bool)
    lines[0, 10, 5:30] = lines[0, 10:30, 5] = True
    assert not enclosed(lines).any()


def test_what_fills_in_never_overrules_what_was_known(field: Path) -> None:
    dna = {"target_channel": "nucleus", "known_channel": "cell", "kind": "segmentation"}
    pair = load(field, dna, {"target_channel": "nucleus", "kind": "not"})
    assert pair.targets[0][10, 20, 20] == 1
    alone = load(field, {"target_channel": "mito", "kind": "not"})
    assert alone.known[0][10, 8, 34]
    assert alone.targets[0][10, 8, 34] == 0
    assert not alone.known[0][10, 20, 20]


def test_outside_a_nucleus_is_no_nucleolus(field: Path) -> None:
    line = {"target_channel": "nucleus", "known_channel": "cell", "kind": "outside", "structure": "nucleoli"}
    pair = load(field, line)
    assert pair.known[2][10, 8, 8]
    assert not pair.known[2][10, 20, 20]
    assert not pair.targets[2].any()


def test_planes_far_from_everything_drawn_are_empty_of_every_structure(field: Path) -> None:
    pair = load(field, {"target_channel": "nucleus", "kind": "occupied", "empty_beyond_um": "0.9"})
    empty = np.flatnonzero(pair.known[1].all((1, 2)))
    np.testing.assert_array_equal(empty, [*range(5), *range(17, 24)])
    assert not pair.known[:, 5:17].any()
    assert not pair.targets.any()


def test_a_level_is_one_where_it_is_bright(field: Path) -> None:
    pair = load(field, {"target_channel": "clean", "kind": "level"})
    assert pair.targets[0][10, 20, 20] == pytest.approx(1, abs=1e-3)
    assert pair.targets[0][10, 8, 34] == pytest.approx(1 / 8, abs=1e-3)
    assert pair.targets[0][2].max() == 0


def test_a_held_out_field_is_scored_by_its_targets_alone(field: Path) -> None:
    load(
        field,
        {"target_channel": "nucleus", "known_channel": "cell", "kind": "segmentation", "split": "held-out"},
        {"target_channel": "mito", "kind": "not", "empty_beyond_um": "0.9", "split": "held-out"},
    )
    (pair,) = load_for_training(read_table(field / "pairs.csv"), CARDS)
    assert pair.held_out
    assert not pair.known[0][2].any()
    assert not pair.known[0][10, 2, 2]


def test_a_number_that_is_none_is_named_with_its_line(field: Path) -> None:
    with pytest.raises(ImageError, match=r"Line 2 of pairs\.csv has 'often'"):
        load(field, {"target_channel": "nucleus", "weight": "often"})
