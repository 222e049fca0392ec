"""Disagreement over flips and rotations, its calibration, and the places it points to."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelfree_core.analysis import calibration, hallucination, spread
from labelfree_core.analysis.regions import Grid, worst_regions
from labelfree_core.errors import ModelError, PredictionError
from labelfree_core.images.stack import ImageStack
from labelfree_core.models.card import ModelCard

Make = Callable[..., ImageStack]
CARD = ModelCard("dna", "DNA", "DNA", "bright-field", 2, "compact", sha256="a" * 64)


def standing_in(function: Callable[[np.ndarray], np.ndarray]) -> Callable[..., SimpleNamespace]:
    def predict(stack: ImageStack, model: object, **_: object) -> SimpleNamespace:
        voxels = np.asarray(stack.voxels, np.float32)
        return SimpleNamespace(voxels=function(voxels), voxel_size_um=stack.voxel_size_um)

    return predict


@pytest.fixture
def predict_as(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[np.ndarray], np.ndarray]], None]:
    def put(function: Callable[[np.ndarray], np.ndarray]) -> None:
        monkeypatch.setattr(spread, "predict", standing_in(function))
        monkeypatch.setattr(hallucination, "predict", standing_in(function))

    return put


@pytest.mark.parametrize("extent", ["fast", "full"])
def test_a_network_that_knows_no_direction_has_no_spread(
    make_stack: Make, predict_as: Callable, extent: str
) -> None:
    predict_as(lambda voxels: voxels**2)
    found = spread.spread(make_stack((4, 200, 240)), "dna", extent=extent)
    assert float(found.map.max()) == 0
    assert found.typical == 0


def test_a_network_that_leans_to_one_side_is_found_out_where_it_does(
    make_stack: Make, predict_as: Callable
) -> None:
    def lean(voxels: np.ndarray) -> np.ndarray:
        drawn = np.zeros_like(voxels)
        drawn[..., :10] = 1.0
        return drawn

    predict_as(lean)
    found = spread.spread(make_stack((100, 100)), "dna", extent="full")
    assert float(found.map[40:60, 40:60].max()) == 0
    assert float(found.map[:, :10].min()) > 0.3


def test_a_fast_spread_costs_no_more_voxels_than_one_prediction(
    make_stack: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def count(voxels: np.ndarray) -> np.ndarray:
        seen.append(voxels.size)
        return voxels

    monkeypatch.setattr(spread, "predict", standing_in(count))
    stack = make_stack((3, 256, 300))
    found = spread.spread(stack, "dna")
    assert sum(seen) <= stack.voxels.size
    assert found.share == pytest.approx(0.25)
    assert found.offset_um == pytest.approx((0.0, 64 * 0.29, 75 * 0.29))


@given(turns=st.integers(0, 3), mirrored=st.booleans(), shape=st.tuples(st.integers(1, 5), st.integers(1, 5)))
def test_turning_back_undoes_turning(turns: int, mirrored: bool, shape: tuple[int, int]) -> None:
    stack = ImageStack(np.arange(2 * np.prod(shape)).reshape(2, *shape), (1.0, 0.2, 0.3))
    there = spread.turned(stack, (turns, mirrored))
    np.testing.assert_array_equal(spread.turned_back(there.voxels, (turns, mirrored)), stack.voxels)
    assert there.voxel_size_um == ((1.0, 0.3, 0.2) if turns % 2 else (1.0, 0.2, 0.3))


def test_an_unknown_extent_is_refused(make_stack: Make) -> None:
    with pytest.raises(PredictionError, match="fast, full"):
        spread.spread(make_stack(), "dna", extent="some")


def test_the_table_of_expected_errors_finds_the_errors_that_were_drawn() -> None:
    rng = np.random.default_rng(3)
    fields = []
    for _ in range(4):
        views = rng.uniform(0.1, 1.0, 20_000)
        fields.append((views, rng.normal(0, 0.2 + 0.8 * views)))
    found = calibration.calibrate(fields, weights_sha256="a" * 64)
    assert all(a <= b for a, b in zip(found.error, found.error[1:], strict=False))
    asked = np.array([0.2, 0.5, 0.9])
    np.testing.assert_allclose(found.expected_error(asked), 0.2 + 0.8 * asked, rtol=0.05)
    assert found.calibration_error < 0.02
    assert sum(share for *_, share in found.reliability) == pytest.approx(1)


def test_a_calibration_survives_its_file_and_counts_for_its_own_weights_only(tmp_path) -> None:
    one = calibration.calibrate([(np.arange(9.0), np.arange(9.0))], weights_sha256="a" * 64, note="n")
    calibration.save(one, tmp_path)
    back = calibration.load_calibration(tmp_path, CARD)
    assert back is not None
    assert (back.spread, back.error, back.note) == (one.spread, one.error, "n")
    other = ModelCard("dna", "DNA", "DNA", "bright-field", 2, "compact", sha256="b" * 64)
    assert calibration.load_calibration(tmp_path, other) is None
    assert calibration.load_calibration(tmp_path / "none", CARD) is None
    (tmp_path / calibration.FILE_NAME).write_text('{"spread": [')
    with pytest.raises(ModelError, match="labelfree calibrate"):
        calibration.load_calibration(tmp_path, CARD)


def test_the_worst_places_are_the_ones_that_were_planted() -> None:
    errors = np.full((9, 80, 90), 0.1, np.float32)
    errors[4, 20:26, 30:36] = 3.0
    errors[5, 60:66, 70:76] = 2.0
    grid = Grid((1.0, 0.5, 0.5), (0.0, 10.0, 20.0), (1.0, 0.25, 0.25))
    found = worst_regions(errors, grid, lambda at, value: f"{value:.1f}")
    assert len(found) == 2
    assert found[0].position_um == pytest.approx((4.5, 21.5, 36.5), abs=1.5)
    assert found[0].position_px == pytest.approx((4, 86, 146), abs=6)
    assert found[1].position_um == pytest.approx((5.5, 41.5, 56.5), abs=1.5)
    assert found[0].value > found[1].value


def test_an_even_map_has_no_worst_place() -> None:
    assert worst_regions(np.ones((40, 40)), Grid((1.0, 1.0), (0.0, 0.0), (1.0, 1.0)), lambda *_: "") == ()


def test_a_scrambled_image_keeps_its_spectrum_and_an_empty_one_its_brightness(make_stack: Make) -> None:
    stack = make_stack((2, 64, 80))
    stack = stack.with_voxels(stack.voxels + 4000)  # so that nothing falls below zero
    rng = np.random.default_rng(0)
    scrambled = hallucination.phase_scrambled(stack, rng).voxels.astype(np.float64)
    for plane, before in zip(scrambled, stack.voxels.astype(np.float64), strict=True):
        np.testing.assert_allclose(
            np.abs(np.fft.rfft2(plane)), np.abs(np.fft.rfft2(before)), rtol=0.02, atol=10
        )
        assert abs(np.corrcoef(plane.ravel(), before.ravel())[0, 1]) < 0.2
    empty = hallucination.empty_field(stack, rng).voxels
    assert float(empty.mean()) == pytest.approx(float(stack.voxels.mean()), rel=0.01)
    assert float(empty.std()) < float(stack.voxels.std())


def test_a_network_that_copies_its_input_hallucinates_and_an_empty_one_does_not(
    make_stack: Make, predict_as: Callable
) -> None:
    stack = make_stack((2, 64, 80))
    predict_as(lambda voxels: (voxels - voxels.mean()) / voxels.std())
    assert hallucination.hallucination([stack], "dna")["phase_scrambled"] > 0.5
    low, high = float(stack.voxels.min()), float(stack.voxels.max())
    predict_as(lambda voxels: np.full_like(voxels, float(high in voxels) * 0 + low / 1e9))
    flat = hallucination.hallucination([stack], "dna")
    assert flat["empty_field"] == 0
    assert flat["images"] == 1
