"""``labelfree check`` as a person meets it: every channel with its reason, the voxel size, pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from labelfree_core.cli import main

SHAPE = (6, 200, 260)
NUCLEUS_PX = 40.0
Write = Callable[..., Path]


@pytest.fixture
def nuclei() -> np.ndarray:
    """Round nuclei of 40 pixels: 0.3 um a pixel, if they are 12 um across."""
    _, y, x = np.indices(SHAPE)
    stain = np.full(SHAPE, 200, np.uint16)
    for centre in ((40, 40), (40, 130), (45, 215), (140, 50), (150, 140), (150, 220)):
        stain[np.hypot(y - centre[0], x - centre[1]) < NUCLEUS_PX / 2] = 4000
    return stain + np.random.default_rng(0).integers(0, 40, SHAPE, dtype=np.uint16)


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def run(*words: object) -> str:
        assert main(["check", *(str(word) for word in words)]) == 0
        return capsys.readouterr().out

    return run


def channels(nuclei: np.ndarray) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {"Bright_100": rng.normal(9000, 200, SHAPE).astype(np.uint16), "DAPI": nuclei}


def test_every_channel_is_told_with_its_reason_and_how_sure_it_is(
    check: Callable[..., str], write_ome: Write, nuclei: np.ndarray, tmp_path: Path
) -> None:
    text = check(write_ome(tmp_path / "a.ome.tif", channels(nuclei), (0.29, 0.29, 0.29)))
    assert "channel 0 Bright_100: transmitted bright-field (its name is 'Bright_100'; confidence 95%)" in text
    assert "channel 1 DAPI: stain DNA (its name is 'DAPI'; confidence 95%)" in text
    assert "ok: voxel size: The voxel size of 0.29 x 0.29 x 0.29 um" in text


@pytest.mark.parametrize(
    ("size", "what"),
    [
        (None, "The voxel size is not known."),
        ((1.0, 1.0, 1.0), "exactly 1 um on every axis is what software writes"),
        ((25400.0, 25400.0, 25400.0), "coarser than any microscope"),
        ((352.7777, 352.7777, 352.7777), "72 dots per inch"),
        ((0.00029, 0.000108, 0.000108), "if the number is in mm, it is 0.108 um"),
    ],
)
def test_a_missing_or_improbable_size_is_questioned_with_a_proposal_from_the_nuclei(
    check: Callable[..., str],
    write_ome: Write,
    nuclei: np.ndarray,
    tmp_path: Path,
    size: tuple[float, ...] | None,
    what: str,
) -> None:
    path = write_ome(tmp_path / "a.ome.tif", channels(nuclei), size)
    found = json.loads(check(path, "--json"))
    (finding,) = (each for each in found["findings"] if each["name"] == "voxel size")
    assert finding["level"] == "warning"
    assert what in finding["what"]
    assert "suggests 0.29 um a pixel, likely 0.17 to 0.49 um" in finding["advice"]
    assert found["pixel_size_estimate"]["pixel_um"] == 0.29


def test_beyond_four_times_the_models_size_the_refusal_says_what_would_work(
    check: Callable[..., str], write_ome: Write, nuclei: np.ndarray, tmp_path: Path, model_id: str
) -> None:
    path = write_ome(tmp_path / "a.ome.tif", channels(nuclei), (0.29, 0.065, 0.065))
    text = check(path, "--model", model_id)
    assert "severe: voxel size: Your voxels are 0.29 x 0.065 x 0.065 um" in text
    assert "4.5 times off" in text
    assert "pixels between 0.072 and 1.2 um would work" in text


def test_what_was_found_is_drawn_on_one_sheet_and_nothing_where_there_is_nothing(
    check: Callable[..., str], write_ome: Write, nuclei: np.ndarray, tmp_path: Path
) -> None:
    light = channels(nuclei)
    light["Bright_100"] = np.minimum(light["Bright_100"], 9100)
    check(write_ome(tmp_path / "a.ome.tif", light, (0.29,) * 3), "--pictures", tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as sheet:
        assert sheet.width > 1000
    small = {"Bright_100": light["Bright_100"][:, :20, :20]}
    path = write_ome(tmp_path / "b.ome.tif", small, (0.29,) * 3)
    assert main(["check", str(path), "--pictures", str(tmp_path / "b.png")]) == 1
    assert not (tmp_path / "b.png").exists()
