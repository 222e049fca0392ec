"""The command line as its callers see it: exit code, one JSON document, one sentence, files."""

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from labelfree_core.cli import VERBS, main
from labelfree_core.images.samples import samples
from labelfree_core.models.store import find_model

ROOT = Path(__file__).parents[2]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]):
    """Run a command; return exit code, stdout and stderr."""

    def run(*words: object) -> tuple[int, str, str]:
        code = main([str(word) for word in words])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def document(call):
    """Run a command that has to succeed with ``--json``; return the document."""

    def run(*words: object) -> dict:
        code, out, err = call(*words, "--json")
        assert code == 0, err
        return json.loads(out)

    return run


@pytest.fixture
def refusal(call):
    """Run a command that has to fail; return its one sentence."""

    def run(*words: object) -> str:
        code, out, err = call(*words)
        assert code == 1, (out, err)
        last = err.strip().splitlines()[-1]
        assert last.startswith("labelfree: ")
        assert "Traceback" not in err
        assert "bug in labelfree" not in err
        return last

    return run


def save(path: Path, voxels: np.ndarray, **metadata: object) -> Path:
    tifffile.imwrite(path, voxels, photometric="minisblack", metadata=metadata or None)
    return path


# ---- info, check, models


def test_info_tells_axes_sizes_channels_and_proposal(document, cells) -> None:
    found = document("info", cells.file)
    assert found["shape"] == [12, 2, 40, 56]
    assert found["axes"] == "ZCYX"
    assert found["dtype"] == "uint16"
    assert found["voxel_size_um"] == pytest.approx([0.29] * 3)
    assert [(c["index"], c["name"], c["role"]) for c in found["channels"]] == [
        (0, "Bright_100", "transmitted"),
        (1, "H3342", "stain"),
    ]
    assert found["proposal"]["transmitted_channel"]["value"] == 0
    assert found["proposal"]["transmitted_channel"]["reason"]
    assert len(found["sha256"]) == 64
    assert found["simulated"] is False


def test_info_in_words_names_the_channels_and_draws_them(call, cells, folder) -> None:
    code, out, _ = call("info", cells.file, "--thumbnails", "thumbs.png")
    assert code == 0
    assert "Bright_100" in out
    with Image.open("thumbs.png") as picture:
        assert picture.width > 56


def test_check_examines_the_light_and_reports_each_finding_with_its_reason(document, cells) -> None:
    found = document("check", cells.file)
    assert found["examined_channel"] == {"index": 0, "name": "Bright_100"}
    assert found["level"] in ("ok", "note", "warning", "severe")
    assert all({"name", "level", "what", "effect", "advice"} <= set(each) for each in found["findings"])


def test_models_lists_cards_with_their_problems(document, call, model_id) -> None:
    found = {card["id"]: card for card in document("models")}
    assert found[model_id]["structure"] == "DNA"
    assert found[model_id]["problem"] == ""
    assert document("models", model_id)["sha256"] == found[model_id]["sha256"]
    assert model_id in call("models")[1]
    for each in found.values():  # nothing of a model that has not shown its use is left unsaid
        line = call("models", each["id"])[1]
        assert each["caution"] in line
        assert ("CAUTION" in line) is bool(each["caution"])
    assert "weights" not in call("models", model_id)[2]


def test_models_removes_what_a_person_added_and_nothing_else(document, call, model_id, tmp_path, monkeypatch):
    own = find_model(model_id).folder
    monkeypatch.setenv("LABELFREE_MODELS", str(tmp_path / "own"))
    shutil.copytree(own, tmp_path / "own" / model_id)
    assert document("models", model_id, "--remove") == {"removed": model_id}
    assert not (tmp_path / "own" / model_id).exists()
    shipped = next(card["id"] for card in document("models") if card["shipped"])
    for model, sentence in ((shipped, "came with the software"), (str(own), "There is no model"), ("", "id")):
        code, _, said = call("models", model, "--remove")
        assert code == 1
        assert sentence in said
    assert (own / "card.toml").is_file()


# ---- predict


def test_predict_writes_a_float_ome_tiff_on_the_inputs_grid(document, cells, model_id, folder) -> None:
    found = document("predict", cells.file, "--model", model_id, "--output", "dna.ome.tif")
    assert found["output"] == "dna.ome.tif"
    assert found["channel"] == {"index": 0, "name": "Bright_100"}
    assert found["units"] == "z-score of the training stain"
    with tifffile.TiffFile("dna.ome.tif") as file:
        series = file.series[0]
        assert (series.axes, series.shape, series.dtype) == ("ZYX", (12, 40, 56), np.float32)
        assert 'PhysicalSizeX="0.29"' in file.ome_metadata
    assert document("info", "dna.ome.tif")["voxel_size_um"] == pytest.approx([0.29] * 3)


def test_a_channel_that_its_name_gives_away_is_taken_and_said(call, cells, model_id, folder) -> None:
    code, out, err = call("predict", cells.file, "--model", model_id)
    assert code == 0
    assert "took 0" in err
    assert "Bright_100" in err
    assert (folder / f"cells_{model_id}.ome.tif").exists()
    assert model_id in out


def test_one_channel_with_its_voxel_size_needs_no_words(call, cells, model_id, folder, write_ome) -> None:
    single = write_ome(folder / "single.ome.tif", {"x": cells.light}, (0.29, 0.29, 0.29))
    code, _, err = call("predict", single, "--model", model_id)
    assert (code, err) == (0, "")


def test_an_unsure_channel_is_proposed_with_its_reason_not_taken(refusal, document, cells, model_id, folder):
    nameless = folder / "nameless.tif"
    both = np.stack([cells.light, cells.stain], axis=1)
    sizes = {f"PhysicalSize{axis}": 0.29 for axis in "ZYX"}
    tifffile.imwrite(nameless, both, ome=True, photometric="minisblack", metadata={"axes": "ZCYX", **sizes})
    said = refusal("predict", nameless, "--model", model_id)
    assert "--channel 0" in said
    assert "--yes" in said
    assert document("predict", nameless, "--model", model_id, "--yes")["channel"]["index"] == 0
    assert document("predict", nameless, "--model", model_id, "--channel", "1")["channel"]["index"] == 1


def test_a_channel_that_is_not_there_is_refused_in_a_file_with_one(
    refusal, model_id, cells, folder, write_ome
):
    single = write_ome(folder / "single.ome.tif", {"x": cells.light}, (0.29, 0.29, 0.29))
    assert "no channel is called 'GFP'" in refusal("predict", single, "--model", model_id, "--channel", "GFP")


def test_unnamed_planes_are_z_for_who_gives_three_sizes(refusal, document, model_id, cells, folder) -> None:
    tifffile.imwrite("bare.tif", cells.light)
    assert "--axes" in refusal("predict", "bare.tif", "--model", model_id)
    found = document("predict", "bare.tif", "--model", model_id, "--voxel-size", "0.29,0.29,0.29")
    assert found["shape"] == [12, 40, 56]


def test_a_time_series_is_asked_which_point_and_told_of_z(refusal, document, model_id, cells, folder) -> None:
    sizes = {f"PhysicalSize{axis}": 0.29 for axis in "YX"}
    rng = np.random.default_rng(0)
    series = rng.normal(500, 50, (6, 40, 56)).astype(np.float32)
    tifffile.imwrite("t.ome.tif", series, photometric="minisblack", metadata={"axes": "TYX", **sizes})
    said = refusal("predict", "t.ome.tif", "--model", model_id)
    assert "6 time points" in said
    assert "--axes ZYX" in said
    assert document("predict", "t.ome.tif", "--model", model_id, "--time", "2")["shape"] == [40, 56]
    as_stack = ("--axes", "ZYX", "--voxel-size", "0.29,0.29,0.29")
    assert document("predict", "t.ome.tif", "--model", model_id, *as_stack)["shape"] == [6, 40, 56]


def test_a_missing_voxel_size_is_asked_for(refusal, document, cells, model_id, folder) -> None:
    plain = save(folder / "plain.tif", cells.light, axes="ZYX")
    assert "--voxel-size" in refusal("predict", plain, "--model", model_id)
    found = document("predict", plain, "--model", model_id, "--voxel-size", "0.29,0.29,0.29")
    assert found["voxel_size_um"] == pytest.approx([0.29] * 3)


def test_predict_takes_the_path_of_a_model_folder(document, cells, tiny_models, model_id, folder) -> None:
    assert document("predict", cells.file, "--model", tiny_models / model_id)["model_id"] == model_id


def test_the_tutorials_crop_is_one_option(document, cells, model_id, folder) -> None:
    words = ("--grid", "model", "--fit", "crop")
    assert document("predict", cells.file, "--model", model_id, *words)["shape"] == [12, 40, 56]


def test_a_sheet_is_drawn_beside_the_prediction(call, cells, model_id, folder) -> None:
    words = ("--sheet", "sheet.png", "--observed-channel", "H3342")
    assert call("predict", cells.file, "--model", model_id, *words)[0] == 0
    with Image.open("sheet.png") as picture:
        assert picture.width == 1592


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (("--model", "nonsense"), "no model 'nonsense'"),
        (("--model", "MODEL", "--channel", "GFP"), "no channel is called 'GFP'"),
        (("--model", "MODEL", "--channel", "9"), "called '9'"),
        (("--model", "MODEL", "--time", "3"), "time point 3"),
        (("--model", "MODEL", "--voxel-size", "0,0,0"), "positive"),
        (("--model", "MODEL", "--axes", "ZYX"), "do not fit"),
        (("--model", "MODEL", "--fit", "crop"), "pad instead of crop"),
        (("--model", "MODEL", "--output", "nowhere/x.ome.tif"), "does not exist"),
        (("--model", "MODEL", "--output", "INPUT"), "never overwritten"),
        (("--model", "MODEL", "--output", "."), "is a folder"),
    ],
)
def test_what_can_be_mended_is_one_sentence(refusal, cells, model_id, folder, words, match) -> None:
    filled = [{"MODEL": model_id, "INPUT": str(cells.file)}.get(word, word) for word in words]
    assert match in refusal("predict", cells.file, *filled)


# ---- files that are no images


@pytest.mark.parametrize("verb", ["info", "check"])
def test_a_missing_file_is_one_sentence(refusal, verb, folder) -> None:
    assert "nothing.tif" in refusal(verb, "nothing.tif")


@pytest.mark.parametrize(
    "content", [b"", b"not an image at all", b"II*\x00\x08\x00\x00\x00", b"\x89PNG\r\n\x1a\n"]
)
@pytest.mark.parametrize("verb", [("info",), ("check",), ("mask", "--output", "m.tif")])
def test_a_broken_file_is_one_sentence(refusal, verb, content, folder) -> None:
    Path("broken.tif").write_bytes(content)
    assert "broken.tif" in refusal(verb[0], "broken.tif", *verb[1:])


def test_a_folder_is_no_image(refusal, folder) -> None:
    refusal("info", folder)


# ---- compare, gif, mask, clip, objects, sheet


@pytest.fixture
def pair(cells, folder) -> tuple[Path, Path]:
    """Two files of a single channel each; the second is 0.8 parts the first."""
    rng = np.random.default_rng(3)
    predicted = (0.8 * cells.stain + rng.normal(0, 2000, cells.stain.shape)).astype(np.float32)
    return save(folder / "stain.tif", cells.stain, axes="ZYX"), save(
        folder / "made.tif", predicted, axes="ZYX"
    )


def test_compare_reports_every_score(document, pair) -> None:
    found = document("compare", *pair)
    observed, predicted = (tifffile.imread(path).astype(float) for path in pair)
    assert found["pearson_r"] == pytest.approx(np.corrcoef(observed.ravel(), predicted.ravel())[0, 1])
    names = {"ssim", "nrmse", "psnr", "mae", "dice_otsu", "iou_otsu", "ceiling", "spectral_pcc", "units"}
    assert names <= set(found)
    assert found["n_voxels"] == observed.size


def test_compare_takes_channels_by_name_and_says_the_papers_score(document, cells) -> None:
    names = ("--observed-channel", "H3342", "--predicted-channel", "Bright_100", "--structure", "DNA")
    found = document("compare", cells.file, cells.file, *names)
    assert found["pearson_r"] < -0.9
    assert found["published_r"] == 0.65
    assert "0.65" in found["explanation"]


def test_compare_does_not_hold_a_simulated_image_against_the_paper(document) -> None:
    file = next(sample.path for sample in samples() if sample.simulated)
    names = ("--observed-channel", "H3342", "--predicted-channel", "H3342", "--structure", "DNA")
    found = document("compare", file, file, *names)
    assert found["published_r"] is None
    assert "published" not in found["explanation"]


def test_a_file_against_itself_is_perfect_and_in_words(call, pair) -> None:
    code, out, _ = call("compare", pair[0], pair[0])
    assert code == 0
    assert "pearson_r      1.0000" in out


def test_a_prediction_on_the_models_grid_is_compared_by_its_voxel_size(
    document, cells, model_id, folder, write_ome
) -> None:
    fine = write_ome(folder / "fine.ome.tif", {"BF": cells.light, "DAPI": cells.stain}, (0.29, 0.145, 0.145))
    made = document("predict", fine, "--model", model_id, "--grid", "model", "--output", "m.ome.tif")
    assert made["shape"] == [12, 20, 28]
    found = document("compare", fine, "m.ome.tif", "--observed-channel", "DAPI")
    assert found["shape"] == [12, 20, 28]
    assert "resampled" in found["notes"][0]


def test_compare_writes_and_draws_the_differences(call, pair) -> None:
    assert call("compare", *pair, "--differences", "d.ome.tif", "--picture", "d.png")[0] == 0
    assert tifffile.imread("d.ome.tif").shape == (12, 3, 40, 56)
    with Image.open("d.png") as picture:
        assert picture.width > 3 * 56


def test_bare_stacks_of_one_shape_are_compared(document, folder) -> None:
    rng = np.random.default_rng(0)
    tifffile.imwrite("a.tif", rng.normal(size=(5, 30, 30)))
    tifffile.imwrite("b.tif", rng.normal(size=(5, 30, 30)))
    assert document("compare", "a.tif", "b.tif")["n_voxels"] == 4500


def test_images_of_different_fields_are_refused(refusal, pair, folder) -> None:
    other = save(folder / "other.tif", np.arange(600.0, dtype=np.float32).reshape(2, 20, 15), axes="ZYX")
    assert "voxel size" in refusal("compare", pair[0], other)


def test_the_gif_has_two_frames_of_two_seconds(call, pair) -> None:
    assert call("gif", *pair, "--output", "blink.gif")[0] == 0
    with Image.open("blink.gif") as gif:
        assert (gif.n_frames, gif.info["duration"], gif.info["loop"]) == (2, 2000, 0)
        assert gif.size == (56, 40)


def test_the_mask_is_0_and_255_with_the_files_voxel_size(document, cells, folder) -> None:
    found = document("mask", cells.file, "--channel", "H3342", "--output", "mask.tif")
    written = tifffile.imread("mask.tif")
    assert written.dtype == np.uint8
    assert np.unique(written).tolist() == [0, 255]
    np.testing.assert_array_equal(written > 0, cells.stain > found["threshold"])
    assert found["fraction"] == pytest.approx((written > 0).mean())
    assert document("info", "mask.tif")["voxel_size_um"] == pytest.approx([0.29] * 3)


def test_a_threshold_is_strict_and_in_the_files_units(document, cells, folder) -> None:
    level = int(cells.stain[5, 20, 20])
    document("mask", cells.file, "--channel", "1", "--threshold", level, "--output", "mask.tif")
    np.testing.assert_array_equal(tifffile.imread("mask.tif") > 0, cells.stain > level)


def test_a_flat_image_has_no_mask(refusal, folder) -> None:
    flat = save(folder / "flat.tif", np.full((3, 9, 9), 7, np.uint16), axes="ZYX")
    assert "no threshold" in refusal("mask", flat, "--output", "mask.tif")


def test_clip_sets_the_outside_to_the_observed_minimum(document, pair) -> None:
    document("clip", *pair, "--output", "clipped.ome.tif")
    observed, predicted = (tifffile.imread(path) for path in pair)
    from skimage.filters import threshold_otsu

    expected = np.where(predicted > threshold_otsu(predicted), observed, observed.min())
    np.testing.assert_array_equal(tifffile.imread("clipped.ome.tif"), expected)


def test_objects_are_counted_and_measured(document, cells, folder) -> None:
    found = document("objects", cells.file, "--channel", "H3342", "--output", "o.csv")
    rows = list(csv.DictReader(io.StringIO(Path("o.csv").read_text())))
    assert found["count"] == len(rows) > 0
    assert float(rows[0]["volume_um3"]) == pytest.approx(int(rows[0]["voxels"]) * 0.29**3, rel=1e-4)
    assert float(rows[0]["mean_H3342"]) > 0


def test_objects_against_another_are_matched_missed_or_extra(document, pair, folder) -> None:
    truth = np.zeros((4, 40, 40), np.uint8)
    truth[:, 2:10, 2:10] = truth[:, 20:30, 20:30] = 255
    mine = np.zeros_like(truth)
    mine[:, 2:10, 3:10] = mine[:, 20:30, 2:10] = 255
    paths = save(folder / "mine.tif", mine, axes="ZYX"), save(folder / "truth.tif", truth, axes="ZYX")
    found = document("objects", paths[0], "--against", paths[1], "--output", "o.csv")
    assert {k: found[k] for k in ("count", "matched", "missed", "extra")} == {
        "count": 2,
        "matched": 1,
        "missed": 1,
        "extra": 1,
    }
    rows = list(csv.DictReader(io.StringIO(Path("o.csv").read_text())))
    assert sorted(row["status"] for row in rows) == ["extra", "matched", "missed"]
    assert len({row["label"] for row in rows}) == 3


def test_a_contact_sheet_holds_every_file(call, pair) -> None:
    assert call("sheet", *pair, "--output", "sheet.png", "--columns", "2")[0] == 0
    with Image.open("sheet.png") as picture:
        assert picture.size == (2 * 320 + 12, 246 + 12)


# ---- batch and rerun


def test_a_batch_goes_on_after_a_bad_file_and_keeps_what_is_done(call, cells, model_id, folder) -> None:
    Path("bad.tif").write_bytes(b"no image")
    words = ("batch", cells.file, "bad.tif", "--model", model_id, "--output-folder", "made")
    code, out, err = call(*words, "--observed-channel", "H3342", "--json")
    assert code == 1
    assert "1 of 2 predictions were not made" in err
    rows = json.loads(out)["rows"]
    assert [row["status"] for row in rows] == ["done", "failed"]
    assert rows[0]["pearson_r"] is not None
    assert "bad.tif" in rows[1]["problem"]
    assert (folder / "made" / f"contact_{model_id}.png").exists()
    again = json.loads(call(*words, "--json")[1])["rows"]
    assert [row["status"] for row in again] == ["kept", "failed"]


def test_rerun_makes_the_same_voxels_from_recipe_and_from_the_result(
    document, cells, model_id, folder
) -> None:
    document("predict", cells.file, "--model", model_id, "--output", "a.ome.tif", "--recipe", "a.json")
    for source in ("a.json", "a.ome.tif"):
        document("rerun", source, cells.file, "--output", "b.ome.tif")
        np.testing.assert_array_equal(tifffile.imread("b.ome.tif"), tifffile.imread("a.ome.tif"))


# ---- the program itself


def test_every_verb_helps_itself(capsys) -> None:
    for verb in VERBS:
        with pytest.raises(SystemExit) as left:
            main([verb, "--help"])
        assert left.value.code == 0
        assert "usage: labelfree " + verb in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        "",
        "fly",
        "info",
        "predict x.tif",
        "predict x.tif --model m --voxel-size a,b,c",
        "predict x.tif --model m --device tpu",
        "compare x.tif",
        "mask x.tif",
    ],
)
def test_wrong_usage_is_exit_2(words, capsys) -> None:
    with pytest.raises(SystemExit) as left:
        main(words.split())
    assert left.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_a_bug_is_named_as_one_without_a_traceback(call, cells, monkeypatch) -> None:
    def broken(path: object) -> None:
        raise KeyError("axes")

    monkeypatch.setattr("labelfree_core.images.reading.open_image", broken)
    code, _, err = call("info", cells.file)
    assert code == 1
    assert "bug in labelfree" in err
    assert "Traceback" not in err


def test_out_of_memory_is_one_sentence(refusal, cells, monkeypatch) -> None:
    def greedy(path: object) -> None:
        raise MemoryError

    monkeypatch.setattr("labelfree_core.images.reading.open_image", greedy)
    assert "not enough memory" in refusal("info", cells.file)


def test_the_module_is_the_same_program() -> None:
    words = [sys.executable, "-m", "labelfree_core", "info", "no-such-file.tif"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
