"""``--region``: what the file's names make sure is taken and said, the rest is offered."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from labelfree_core.cli import main
from labelfree_core.images.stack import ImageStack
from labelfree_core.images.writing import write_stack
from labelfree_core.inference.prediction import Prediction
from labelfree_core.models.cardfile import read_card, write_card
from tests.core.conftest import SIZE_UM, Cells, write_channels

Call = Callable[..., tuple[dict, str]]
SHAPE = (8, 64, 96)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    def run(*words: object) -> tuple[dict, str]:
        code = main([*map(str, words), "--json"])
        said = capsys.readouterr()
        assert code == 0, said.err
        return json.loads(said.out), said.err

    return run


@pytest.fixture
def files(folder: Path) -> Callable[[str], tuple[Path, Path]]:
    """Four nuclei, two of them in complete cells and labelled; all four are predicted."""

    def write(words: str) -> tuple[Path, Path]:
        _, y, x = np.indices(SHAPE)
        centres = ((16, 16), (46, 20), (16, 70), (46, 76))
        distance = [np.hypot(y - cy, x - cx) for cy, cx in centres]
        nuclei, cells = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
        for number in (0, 1):
            nuclei[distance[number] < 7] = number + 1
            cells[distance[number] < 14] = number + 1
        rng = np.random.default_rng(0)
        texture = gaussian_filter(rng.normal(size=SHAPE), 3) * 40_000
        light = (9000 + texture + rng.normal(0, 40, SHAPE)).clip(0, 60_000).astype(np.uint16)
        channels = {"Bright_100": light, f"SEG_DNA{words}": nuclei, f"SEG_Memb{words}": cells}
        made = (np.min(distance, axis=0) < 7) + rng.normal(0, 0.1, SHAPE)
        image = write_channels(folder / "field.ome.tif", channels, SIZE_UM)
        write_stack(folder / "made.ome.tif", ImageStack(made.astype(np.float32), SIZE_UM))
        return image, folder / "made.ome.tif"

    return write


def test_a_region_that_names_make_sure_is_taken_and_said(files: Callable, call: Call) -> None:
    image, made = files(" (complete cells only)")
    found, said = call("compare", image, made, "--observed-channel", "1")
    assert found["region"] == "SEG_Memb (complete cells only)"
    assert found["share"] < 0.3
    assert found["pearson_r"] > 0.9
    assert "elsewhere nobody looked: only those count. Add --region none" in said
    whole, _ = call("compare", image, made, "--observed-channel", "1", "--region", "none")
    assert whole["region"] is None
    assert whole["pearson_r"] < 0.8


def test_a_likely_region_is_offered_and_taken_when_asked(files: Callable, call: Call) -> None:
    image, made = files("")
    found, said = call("compare", image, made, "--observed-channel", "1")
    assert found["region"] is None
    assert "Add --region 2 (or --yes) to count only those" in said
    for words in (["--yes"], ["--region", "SEG_Memb"], ["--region", "2"]):
        assert call("compare", image, made, "--observed-channel", "1", *words)[0]["region"] == "SEG_Memb"


def test_differences_are_nothing_outside(files: Callable, call: Call, folder: Path) -> None:
    import tifffile

    image, made = files("")
    words = ["--observed-channel", "1", "--region", "2", "--differences", "d.ome.tif"]
    call("compare", image, made, *words)
    outside = tifffile.imread(image)[:, 2] == 0
    assert not tifffile.imread("d.ome.tif").transpose(1, 0, 2, 3)[:, outside].any()


def test_objects_outside_are_not_extra(files: Callable, call: Call, folder: Path) -> None:
    image, made = files(" (complete cells only)")
    words = ["objects", made, "--against", image, "--against-channel", "1", "--output", "o.csv"]
    found, _ = call(*words)
    assert (found["matched"], found["missed"], found["extra"]) == (2, 0, 0)
    assert len(list(csv.DictReader(Path("o.csv").read_text().splitlines()))) == 2
    assert call(*words, "--region", "none")[0]["extra"] == 2


def test_objects_alone_take_a_region_of_their_own_file(files: Callable, call: Call) -> None:
    image, _ = files("")
    words = ["objects", image, "--channel", "SEG_DNA", "--output", "o.csv"]
    assert call(*words)[0]["count"] == call(*words, "--region", "SEG_Memb")[0]["count"] == 2


def test_trust_takes_the_region_too(cells: Cells, call: Call, model_id: str, folder: Path) -> None:
    inside = np.zeros(cells.stain.shape, np.uint8)
    inside[..., :20] = 1
    channels = {"Bright_100": cells.light, "H3342": cells.stain, "region": inside}
    image = write_channels(folder / "field.ome.tif", channels, SIZE_UM)
    words = ["trust", image, "--model", model_id, "--observed", "H3342", "--spread", "none"]
    assert call(*words)[0]["share"] == 1
    assert call(*words, "--region", "region")[0]["share"] == pytest.approx(20 / 56)


def test_a_flat_prediction_is_a_finding_and_no_refusal(
    files: Callable, call: Call, model_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from labelfree_core.analysis import trust

    image, _ = files("")
    flat = ImageStack(np.zeros(SHAPE, np.float32), SIZE_UM)
    made = Prediction(flat.voxels, SIZE_UM, "input", "DNA", "m", "0" * 64, flat.origin)
    monkeypatch.setattr(trust, "predict", lambda *_, **__: made)
    words = ["trust", image, "--model", model_id, "--observed", "SEG_DNA", "--spread", "none"]
    found, _ = call(*words)
    assert found["pearson_r"] is None
    assert any(
        "could not be compared: Every voxel of the predicted image" in said for said in found["reasons"]
    )


def test_compare_says_that_the_image_was_trained_on(
    cells: Cells, call: Call, model_id: str, tiny_models: Path, request: pytest.FixtureRequest, folder: Path
) -> None:
    import dataclasses

    place = tiny_models / model_id
    card = read_card(place)
    request.addfinalizer(lambda: write_card(place, card))
    made, _ = call("predict", cells.file, "--model", model_id, "--output", "m.ome.tif")
    words = ["compare", cells.file, "m.ome.tif", "--observed-channel", "H3342"]
    assert call(*words)[0]["training_use"] == "unknown"
    write_card(place, dataclasses.replace(card, images={made["input_sha256"]: "trained"}))
    found, _ = call(*words)
    assert found["training_use"] == "trained"
    assert found["explanation"].endswith("was used to train this model: the score flatters it.")
