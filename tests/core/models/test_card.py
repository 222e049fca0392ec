"""What a card says about itself from its scores."""

from __future__ import annotations

import pytest

from labelfree_core.models.card import LEAST_USEFUL_R, ModelCard, Score, reached


def card(*scores: Score) -> ModelCard:
    return ModelCard("a", "A", "DNA", "bright-field", 3, "compact", scores=scores)


def score(
    median: float, n: int = 1, data: str = "plate 2", metric: str = "pearson_r", note: str = ""
) -> Score:
    return Score(data, metric, n, median, median, median, note)


def test_a_low_score_on_a_real_image_is_a_caution_with_its_number():
    said = card(score(0.19), score(0.9, 4, "simulated scenes")).caution
    assert said.startswith("Not useful on real images yet: Pearson r 0.19 on 1 unseen image,")


@pytest.mark.parametrize(
    "scores",
    [
        (score(0.9, 4, "simulated scenes"),),
        (score(0.9, note="of simulated images"),),
        (score(0.9, metric="dice", data="simulated scenes"),),
    ],
)
def test_simulated_images_alone_are_a_caution(scores: tuple[Score, ...]):
    assert "simulated images only" in card(*scores).caution


def test_a_card_without_scores_is_a_caution():
    assert "no image it never saw" in card().caution


def test_a_useful_score_on_real_images_is_none():
    assert card(score(LEAST_USEFUL_R), score(0.1, 4, "simulated scenes")).caution == ""


def test_images_count_alike_whatever_set_they_came_in():
    assert card(score(0.1, 9), score(0.9, 1)).caution
    assert not card(score(0.1, 1), score(0.9, 9)).caution


def test_what_a_model_reached_is_one_number_over_all_its_real_images():
    scores = (
        score(0.2),
        score(0.8, 3, "plate 3"),
        score(0.9, 8, "simulated scenes"),
        score(0.1, metric="dice"),
    )
    found = reached(scores, "pearson_r")
    assert found is not None
    assert (found.n, found.lowest, found.highest) == (4, 0.2, 0.8)
    assert found.median == pytest.approx(0.65)
    assert not found.simulated


def test_what_a_model_reached_on_simulated_images_alone_says_so():
    found = reached((score(0.9, 8, "simulated scenes"),), "pearson_r")
    assert found is not None
    assert found.simulated
    assert reached((), "pearson_r") is None
