"""Pairs in, model out: nothing unknown counts, nothing held out is learned, a stopped training goes on."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy import ndimage

from labelfree_core.cli import main
from labelfree_core.errors import ImageError, ModelError
from labelfree_core.images.stack import ImageStack
from labelfree_core.images.writing import write_stack
from labelfree_core.models.card import ModelCard
from labelfree_core.models.cardfile import write_card
from labelfree_core.models.store import find_model
from labelfree_core.training.augment import Augmentation, draw
from labelfree_core.training.fit import FitSettings, TrainingStopped, fit, join_outputs, split_outputs
from labelfree_core.training.losses import segmentation_loss, stain_loss
from labelfree_core.training.pairs import Pair, load_pairs, read_table
from labelfree_core.training.registration import find_shift, judge
from labelfree_core.training.sampling import pool
from labelfree_core.training.targets import surface

CARD = ModelCard(
    "tiny-2d", "Tiny", "DNA", "bright-field", 2, "compact", {"widths": [4, 8]}, voxel_size_um=(0.5, 0.5)
)
SMALL = FitSettings(steps=6, batch=2, report_every=3, augmentation=Augmentation(patch_px=32))


def blobs(seed: int, shape: tuple[int, ...] = (96, 128)) -> tuple[np.ndarray, np.ndarray]:
    """An image whose target is its smooth bright part."""
    noise = np.random.default_rng(seed).normal(size=shape)
    target = ndimage.gaussian_filter(noise, 4)
    target = np.maximum(target / target.std(), 0).astype(np.float32)
    image = 100 + 10 * (ndimage.sobel(target) + 0.5 * target) + noise
    return image.astype(np.float32), target


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.csv"
    with path.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["image", "target", "group", "split"])
        for seed, split in enumerate(["train", "train", "held-out"]):
            for kind, voxels in zip(("image", "target"), blobs(seed), strict=True):
                write_stack(tmp_path / f"{kind}{seed}.ome.tif", ImageStack(voxels, (0.5, 0.5)))
            writer.writerow([f"image{seed}.ome.tif", f"target{seed}.ome.tif", f"day {seed}", split])
    return path


@pytest.fixture
def pairs(table: Path) -> tuple[Pair, ...]:
    return load_pairs(read_table(table), [CARD])


def test_a_table_gives_prepared_fields(pairs: tuple[Pair, ...]) -> None:
    assert [pair.held_out for pair in pairs] == [False, False, True]
    assert pairs[0].image.mean() == pytest.approx(0, abs=1e-4)
    assert pairs[0].image.std() == pytest.approx(1, abs=1e-3)
    assert pairs[0].targets.shape == (1, 96, 128)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a,b\n1,2\n", "image and target"),
        ("image,target\nnone.tif,none.tif\n", r"names none\.tif, which is not there"),
        ("image,target,kind\nx.tif,x.tif,magic\n", "kind 'magic'"),
        ("", "empty file"),
    ],
)
def test_a_wrong_table_says_what_is_wrong(tmp_path: Path, text: str, match: str) -> None:
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(ImageError, match=match):
        read_table(tmp_path / "p.csv")


def test_a_spatial_split_never_shares_a_column(table: Path) -> None:
    rows = [replace(read_table(table)[0], split="spatial")]
    left, right = load_pairs(rows, [CARD])
    whole = load_pairs([replace(rows[0], split="train")], [CARD])[0].image
    assert (left.held_out, right.held_out) == (False, True)
    assert left.image.shape[1] + right.image.shape[1] < whole.shape[1]
    assert_array_equal(right.image, whole[:, -right.image.shape[1] :])


def test_the_surface_of_touching_objects_runs_between_them() -> None:
    labels = np.zeros((9, 12), np.float32)
    labels[1:8, 1:6], labels[1:8, 6:11] = 1, 2
    outline = surface(labels)
    assert outline[4, 5]
    assert outline[4, 6]
    assert not outline[4, 3]
    assert not outline[0].any()


@pytest.mark.parametrize("loss", [stain_loss, segmentation_loss])
def test_what_is_unknown_never_counts(loss: object) -> None:
    torch.manual_seed(0)
    predicted, target = torch.rand(2, 1, 8, 8), torch.rand(2, 1, 8, 8)
    known = torch.zeros(2, 1, 8, 8)
    known[..., :4] = 1
    wrong = predicted.clone()
    wrong[..., 4:] = 100
    torch.testing.assert_close(loss(predicted, target, known), loss(wrong, target, known))


def test_a_patch_keeps_image_and_target_together() -> None:
    _, target = blobs(3)
    pair = Pair("a", "a", False, target, target[None], np.ones((1, *target.shape), bool))
    plain = Augmentation(
        patch_px=48, gain=0, offset=0, blur_px=0, noise=0, shading=0, inverted=0, nothing=0, curve=1
    )
    for seed in range(20):
        image, drawn, known = draw(pool([pair]), (0, 0), plain, np.random.default_rng(seed))
        assert np.corrcoef(image.ravel(), drawn.ravel())[0, 1] > 0.95
        assert known.all()


def test_a_stopped_training_goes_on_as_if_never_stopped(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(_: object) -> None:
        raise Stopped

    whole = fit(pairs, [CARD], tmp_path / "a", settings=SMALL)
    with pytest.raises(Stopped):
        fit(pairs, [CARD], tmp_path / "b", settings=SMALL, progress=stop)
    resumed = fit(pairs, [CARD], tmp_path / "b", settings=SMALL)
    for name, tensor in whole.items():
        torch.testing.assert_close(resumed[name], tensor, rtol=0, atol=0, msg=name)
    steps = [json.loads(line)["step"] for line in (tmp_path / "b" / "curve.jsonl").read_text().splitlines()]
    assert steps == [3, 6]


def test_a_training_by_time_is_stopped_early_and_given_more_time(
    pairs: tuple[Pair, ...], tmp_path: Path
) -> None:
    reports = []

    def stop(report: object) -> None:
        reports.append(report)
        raise TrainingStopped

    timed = replace(SMALL, minutes=1.0, report_seconds=0.05)
    kept = fit(pairs, [CARD], tmp_path, settings=timed, progress=stop)
    assert 0 < reports[0].fraction < 0.5
    torch.testing.assert_close(kept, dict(reports[0].network.state_dict()))
    fit(pairs, [CARD], tmp_path, settings=replace(timed, minutes=2.0), progress=stop)
    assert reports[1].step > reports[0].step
    assert reports[1].seconds > reports[0].seconds
    with pytest.raises(ModelError, match="other settings"):
        fit(pairs, [CARD], tmp_path, settings=replace(timed, learning_rate=1.0))


def test_other_settings_never_continue_a_checkpoint(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    fit(pairs, [CARD], tmp_path, settings=SMALL)
    with pytest.raises(ModelError, match="other settings"):
        fit(pairs, [CARD], tmp_path, settings=replace(SMALL, seed=5))


def test_training_learns(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    reports = []
    settings = replace(SMALL, steps=60, batch=4, report_every=30, learning_rate=2e-2)
    fit(pairs, [CARD], tmp_path, settings=settings, progress=reports.append)
    assert reports[-1].loss < reports[0].loss
    assert reports[-1].held_out_r["image2.ome"] > 0.5


def test_real_and_simulated_fields_are_scored_apart(pairs: tuple[Pair, ...]) -> None:
    from labelfree_core.models.build import build
    from labelfree_core.training.scoring import scored_card

    torch.manual_seed(0)
    state = build(CARD).state_dict()
    mixed = [*pairs, replace(pairs[2], simulated=True), replace(pairs[2], simulated=True)]
    card = scored_card(CARD, state, mixed, how="")
    assert [(score.metric, score.n, score.simulated) for score in card.scores] == [
        ("pearson_r", 1, False),
        ("dice", 1, False),
        ("pearson_r", 2, True),
        ("dice", 2, True),
    ]
    assert scored_card(CARD, state, pairs, how="").scores == card.scores[:2]


def test_a_network_of_two_outputs_is_cut_into_two_models() -> None:
    from labelfree_core.models.build import build

    torch.manual_seed(0)
    joint = build(replace(CARD, network={"widths": [4, 8], "n_out": 2})).eval()
    parts = split_outputs(joint.state_dict(), [CARD, CARD])
    x = torch.randn(1, 1, 16, 16)
    for at, part in enumerate(parts):
        single = build(CARD).eval()
        single.load_state_dict(part)
        torch.testing.assert_close(single(x)[:, 0], joint(x)[:, at])


def test_two_models_of_one_network_are_joined_again_and_strangers_are_refused() -> None:
    from labelfree_core.models.build import build

    torch.manual_seed(0)
    joint = build(replace(CARD, network={"widths": [4, 8], "n_out": 2})).state_dict()
    again = join_outputs(split_outputs(joint, [CARD, CARD]))
    assert again.keys() == joint.keys()
    assert all(torch.equal(again[name], joint[name]) for name in joint)
    with pytest.raises(ModelError, match="not the outputs of one network"):
        join_outputs([build(CARD).state_dict(), build(CARD).state_dict()])


def test_a_network_of_two_outputs_goes_on_from_its_two_models(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cards = [tmp_path / f"{name}.toml" for name in ("dna", "rim")]
    for card, name in zip(cards, ("dna", "rim"), strict=True):
        write_card(card, replace(CARD, id=name, structure=name))
    fields = table.read_text().splitlines()[1:]
    lines = [f"{field},{of}" for field in fields for of in ("dna", "rim")]
    table.write_text("image,target,group,split,structure\n" + "\n".join(lines) + "\n")
    words = ["train", str(table), "--steps", "1", "--batch", "1", "--patch", "32"]
    words += [word for card in cards for word in ("--card", str(card))]
    assert main([*words, "--output", str(tmp_path / "first")]) == 0
    starts = [word for name in ("dna", "rim") for word in ("--start", str(tmp_path / "first" / name))]
    assert main([*words, "--output", str(tmp_path / "last"), *starts[:2]]) == 1
    assert "one for each" in capsys.readouterr().err
    assert main([*words, "--output", str(tmp_path / "last"), *starts, "--all-fields"]) == 0
    for name in ("dna", "rim"):
        before, after = (find_model(tmp_path / when / name).card.scores for when in ("first", "last"))
        assert [score.median for score in after] == [score.median for score in before]


def discs(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Nuclei, and an image where each has a dark rim."""
    rng = np.random.default_rng(4)
    target = np.zeros((side, side), np.float32)
    y, x = np.mgrid[:side, :side]
    for _ in range(side * side // 1600):
        at, radius = rng.uniform(0, side, 2), rng.uniform(6, 11)
        target[np.hypot(y - at[0], x - at[1]) < radius] = 1
    rim = ndimage.gaussian_gradient_magnitude(target, 1.5)
    image = 1000 - 200 * rim + 30 * ndimage.gaussian_filter(target, 2) + rng.normal(0, 8, target.shape)
    return image.astype(np.float32), target


@pytest.mark.parametrize("moved", [(6, -4), (-9, 0), (0, 5)])
def test_a_shift_between_the_cameras_is_found_and_moved_back(table: Path, moved: tuple[int, int]) -> None:
    image, target = discs(320)
    found = find_shift(image, np.roll(target, moved, (0, 1)))
    assert (found.y_px, found.x_px) == pytest.approx(moved, abs=1)
    assert found.sure
    assert "lie" in judge(found, 0.5).what
    assert judge(found).level == "warning"
    field = ImageStack(np.roll(blobs(0)[1], moved, (0, 1)), (0.5, 0.5))
    write_stack(table.parent / "moved.ome.tif", field)
    row = read_table(table)[0]
    right = load_pairs([row], [CARD])[0]
    back = load_pairs([replace(row, target=table.parent / "moved.ome.tif", shift_px=moved)], [CARD])[0]
    assert 0.8 < back.known.mean() < 1
    np.testing.assert_allclose(back.targets[back.known], right.targets[back.known], atol=1e-5)


@pytest.mark.parametrize("side", [48, 200])
def test_what_lies_right_or_shows_nothing_is_no_shift(side: int) -> None:
    image, target = discs(side)
    assert not find_shift(image, target).sure
    noise = np.random.default_rng(5).normal(size=image.shape).astype(np.float32)
    nothing = find_shift(noise, target)
    assert not nothing.sure
    assert judge(nothing).level == "note"


def test_one_command_trains_scores_and_saves_a_model(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = tmp_path / "card.toml"
    write_card(card, CARD)
    words = ["train", str(table), "--card", str(card), "--output", str(tmp_path), "--steps", "4"]
    lines = table.read_text().splitlines()
    several = [f"{lines[0]},structure", *(f"{line},DNA" for line in lines[1:]), f"{lines[1]},membrane"]
    table.write_text("\n".join(several))
    assert main([*words, "--batch", "2", "--patch", "32", "--report-every", "2"]) == 0
    assert "no card for membrane" in capsys.readouterr().err
    saved = find_model(tmp_path / "tiny-2d").card
    assert {(score.metric, score.n) for score in saved.scores} == {("pearson_r", 1), ("dice", 1)}
    capsys.readouterr()
    words = [
        "evaluate",
        "--model",
        str(tmp_path / "tiny-2d"),
        "--data",
        str(table),
        "--only-held-out",
        "--json",
    ]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["n"] == 1
    assert found["median_pearson_r"] == pytest.approx(saved.scores[0].median, abs=0.02)
    assert 0.9 < found["images"][0]["ceiling"] <= 1
    assert main([*words[:-2], "--figure", str(tmp_path / "scores.html")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["image", "pearson", "r", "ceiling", "dice"]
    assert lines[-1].startswith("median")
    assert lines[-1].endswith("n = 3")
    page = (tmp_path / "scores.html").read_text(encoding="utf-8")
    assert "Lowest r" in page
    assert "Highest r" in page
    assert page.count("<tr><td>") == 3
    assert page.count("<img ") == 6
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")


def test_the_last_round_takes_every_field_and_keeps_the_score_from_before(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = tmp_path / "card.toml"
    write_card(card, CARD)
    words = ["train", str(table), "--card", str(card), "--steps", "2", "--batch", "2", "--patch", "32"]
    assert main([*words, "--output", str(tmp_path / "split"), "--all-fields"]) == 1
    assert "leaves none to score" in capsys.readouterr().err
    assert main([*words, "--output", str(tmp_path / "split")]) == 0
    start = tmp_path / "split" / "tiny-2d"
    last = [*words, "--output", str(tmp_path / "all"), "--start", str(start), "--all-fields"]
    assert main(last) == 0
    before, after = find_model(start).card.scores, find_model(tmp_path / "all" / "tiny-2d").card.scores
    assert [score.median for score in after] == [score.median for score in before]
    assert all("before its last round" in score.note for score in after)
