"""The trust report: its level, its reasons, and what it does without files or with an impossible image."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable

import numpy as np
import pytest

from labelfree_core.analysis import calibration
from labelfree_core.analysis.trust import Evidence, TrustOptions, trust
from labelfree_core.analysis.verdicts import of_objects, of_scores, where_it_differs
from labelfree_core.cli import main
from labelfree_core.images.fingerprint import fingerprint
from labelfree_core.images.stack import ImageStack, Origin
from labelfree_core.inference.prediction import Prediction
from labelfree_core.models.card import Score
from labelfree_core.models.store import find_model
from tests.core.conftest import SIZE_UM, Cells


@pytest.fixture
def stack(cells: Cells) -> ImageStack:
    return ImageStack(cells.light, SIZE_UM)


def prediction_of(voxels: np.ndarray) -> Prediction:
    units = "z-score of the training stain"
    origin = ImageStack(voxels, SIZE_UM).origin
    return Prediction(voxels.astype(np.float32), SIZE_UM, "input", "DNA", "m", "0" * 64, origin, units=units)


def test_without_files_it_says_what_is_not_known(stack: ImageStack, model_id: str) -> None:
    report = trust(stack, model_id)
    assert report.familiarity is None
    assert report.expected_error is None
    assert report.level in ("amber", "red")
    assert any("keeps no familiarity file" in reason for reason in report.reasons)
    assert any("not calibrated" in reason for reason in report.reasons)
    assert report.spread is not None
    json.dumps(report.as_dict(), allow_nan=False)


def test_an_image_of_the_wrong_scale_is_red_and_nothing_is_predicted(cells: Cells, model_id: str) -> None:
    report = trust(ImageStack(cells.light, (0.29, 3.0, 3.0)), model_id)
    assert report.level == "red"
    assert report.spread is None
    assert "3" in report.reasons[0]


def test_an_image_without_a_voxel_size_is_red(cells: Cells, model_id: str) -> None:
    report = trust(ImageStack(cells.light), model_id)
    assert report.level == "red"
    assert "not known" in report.reasons[0]


def test_a_perfect_prediction_reaches_its_ceiling(stack: ImageStack, cells: Cells, model_id: str) -> None:
    stain = cells.stain.astype(np.float32)
    predicted = prediction_of((stain - stain.mean()) / stain.std())
    report = trust(
        stack,
        model_id,
        observed=Evidence(ImageStack(cells.stain, SIZE_UM), prediction=predicted),
        options=TrustOptions("none"),
    )
    assert report.pearson_r == pytest.approx(1, abs=1e-4)
    assert report.published_r == 0.65
    assert report.ceiling is not None
    assert report.ceiling > 0.9
    assert any("paper" in reason for reason in report.reasons)


def test_a_simulated_image_is_not_held_against_what_the_paper_reached_on_real_ones(
    stack: ImageStack, cells: Cells, model_id: str
) -> None:
    stain = cells.stain.astype(np.float32)
    predicted = prediction_of((stain - stain.mean()) / stain.std())
    drawn = ImageStack(cells.stain, SIZE_UM, Origin(simulated=True))
    report = trust(
        stack, model_id, observed=Evidence(drawn, prediction=predicted), options=TrustOptions("none")
    )
    said = " ".join(report.reasons)
    assert "This image is simulated, which is easier" in said
    assert "the paper reached" not in said


def test_a_nucleus_that_was_missed_is_the_worst_place(stack: ImageStack, cells: Cells, model_id: str) -> None:
    stain = cells.stain.astype(np.float32)
    z_score = (stain - stain.mean()) / stain.std()
    brightest = np.unravel_index(int(z_score.argmax()), z_score.shape)
    hole = tuple(slice(max(0, i - 8), i + 9) for i in brightest)
    predicted = z_score.copy()
    predicted[hole] = z_score.min()
    observed = ImageStack(cells.stain, SIZE_UM)
    report = trust(
        stack,
        model_id,
        observed=Evidence(observed, prediction=prediction_of(predicted)),
        options=TrustOptions("none"),
    )
    first = report.regions[0]
    assert all(abs(a - b) <= 8 for a, b in zip(first.position_px, brightest, strict=True))
    assert "too dark" in first.why
    assert "a structure may be missed" in first.why


@pytest.mark.parametrize(
    ("seen", "drawn", "said"),
    [
        (2.0, 0.0, "too dark (z-score 0.0, observed 2.0): a structure may be missed"),
        (0.0, 2.0, "too bright (z-score 2.0, observed 0.0): nothing of the kind is in the stain"),
        (0.8, 1.8, "too bright (z-score 1.8, observed 0.8): the structure is in both"),
        (2.1, 1.0, "too dark (z-score 1.0, observed 2.1): the structure is in both"),
        (0.4, 0.1, "too dark (z-score 0.1, observed 0.4): no structure is in either"),
    ],
)
def test_a_place_is_called_missed_or_invented_by_the_thresholds_only(
    seen: float, drawn: float, said: str
) -> None:
    shape = (4, 16, 16)
    why = where_it_differs(np.full(shape, seen), np.full(shape, drawn), (0.5, 0.5, 0.5), (0.7, 0.5))
    assert said in why((2, 8, 8), abs(seen - drawn))


def test_a_calibrated_model_gives_an_expected_error(
    stack: ImageStack, model_id: str, request: pytest.FixtureRequest
) -> None:
    entry = find_model(model_id)
    request.addfinalizer(lambda: (entry.folder / calibration.FILE_NAME).unlink())
    fields = [(np.linspace(0, 1, 100), np.linspace(0.5, 0.7, 100))] * 2
    calibration.save(calibration.calibrate(fields, weights_sha256=entry.card.sha256), entry.folder)
    report = trust(stack, entry)
    assert report.expected_error is not None
    assert 0.5 <= report.expected_error <= 0.7
    assert report.expected_error_map is not None
    assert report.expected_error_map.shape == report.spread.map.shape  # type: ignore[union-attr]


def test_the_command_answers_in_words_and_in_json(
    cells: Cells, model_id: str, capsys: Callable, folder: object
) -> None:
    words = ["trust", str(cells.file), "--model", model_id, "--observed", "H3342"]
    assert main([*words, "--map", "map.ome.tif"]) == 0
    said = capsys.readouterr().out
    assert "Against the stain of this image r is" in said
    assert ": red. Do not use this prediction" in said
    assert main([*words, "--spread", "none", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["level"] in ("amber", "red")
    assert answer["familiarity"] is None
    assert answer["published_r"] == 0.65
    assert answer["spread"] is None
    assert answer["verdict"].endswith(".")
    assert answer["training_use"] == "unknown"


def test_an_image_that_was_trained_on_is_named_beside_its_score(stack: ImageStack, model_id: str) -> None:
    entry = find_model(model_id)
    card = dataclasses.replace(entry.card, images={fingerprint(stack.voxels): "trained"})
    report = trust(stack, dataclasses.replace(entry, card=card), options=TrustOptions("none"))
    assert report.training_use == "trained"
    assert any("was used to train this model: the score flatters it" in reason for reason in report.reasons)


def test_a_verdict_is_one_sentence_without_technical_words(stack: ImageStack, model_id: str) -> None:
    report = trust(stack, model_id, options=TrustOptions("none"))
    assert report.level == "amber"
    assert report.verdict == (
        "Look, but do not measure yet, because nobody has measured how good this model is on real images and "
        "nobody has measured which images this model knows. Compare with a stain first."
    )
    assert report.notes != report.ordered
    assert [note.level for note in report.ordered] == sorted((note.level for note in report.notes), key=_rank)


def _rank(level: str) -> int:
    return ("red", "amber", "green").index(level)


def test_a_score_of_simulated_images_is_none_of_real_ones() -> None:
    simulated = Score("8 scenes", "pearson_r", 8, 0.9, 0.8, 0.95, "simulated scenes never seen")
    note = of_scores((simulated,))
    assert note.level == "amber"
    assert note.sentence.startswith(
        "On simulated images the model reached r 0.90. The model has no score on a"
    )
    real = Score("two fields", "pearson_r", 2, 0.6, 0.5, 0.7)
    assert of_scores((simulated, real)).sentence.startswith("On 2 images held out")


@pytest.mark.parametrize(
    ("counts", "level"),
    [((8, 3, 3), "green"), ((3, 8, 0), "amber"), ((3, 0, 8), "amber"), ((0, 0, 0), "green")],
)
def test_more_missed_or_invented_than_found_makes_amber(counts: tuple[int, int, int], level: str) -> None:
    assert of_objects(*counts).level == level
