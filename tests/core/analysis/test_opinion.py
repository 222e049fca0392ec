"""A second opinion: two models of one structure on one image, where they differ, and who may be asked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from labelfree_core.analysis.opinion import (
    LEAST_AGREEMENT,
    compare_opinions,
    of_opinion,
    others,
    second_model,
)
from labelfree_core.analysis.trust import TrustOptions, trust
from labelfree_core.cli import main
from labelfree_core.errors import ImageError, ModelError
from labelfree_core.images.stack import ImageStack, Origin
from labelfree_core.inference.predict import predict
from labelfree_core.inference.prediction import Prediction
from labelfree_core.models.card import NOT_STATED, ModelCard
from labelfree_core.models.entries import ModelEntry
from labelfree_core.models.store import find_model
from tests.core.conftest import MODEL_ID, SIZE_UM, Cells

SECOND_ID = "own-dna-3d"
ORIGIN = Origin("cells.tif", "f" * 64, 0)


def made(voxels: np.ndarray, model: str = "first", size_um: float = 0.3) -> Prediction:
    size = (size_um,) * voxels.ndim
    return Prediction(voxels.astype(np.float32), size, "input", "DNA", model, "0" * 64, ORIGIN)


@pytest.fixture
def nuclei() -> np.ndarray:
    z, y, x = np.indices((6, 40, 48))
    return sum(
        np.exp(-(((z - 3) / 3) ** 2 + ((y - a) / 6) ** 2 + ((x - b) / 6) ** 2))
        for a, b in ((12, 14), (26, 34))
    )


@pytest.fixture
def second_id(tiny_models: Path, model_id: str) -> Iterator[str]:
    """Another small network of random weights for the same structure."""
    import torch

    from labelfree_core.models.build import build
    from labelfree_core.models.store import save_model

    card = replace(find_model(model_id).card, id=SECOND_ID, structure="nuclei", sha256="")
    torch.manual_seed(1)
    save_model(tiny_models / SECOND_ID, build(card).state_dict(), card)
    yield SECOND_ID
    shutil.rmtree(tiny_models / SECOND_ID)


def test_gain_and_offset_of_a_model_are_no_disagreement(nuclei: np.ndarray) -> None:
    found = compare_opinions(made(nuclei), made(3 * nuclei + 7, "second"))
    assert found.pearson_r == pytest.approx(1, abs=1e-6)
    assert found.dice == pytest.approx(1)
    assert found.difference.max() < 1e-4
    assert found.model_id == "second"


def test_a_nucleus_that_one_model_misses_is_bright_in_the_map_and_nowhere_else(nuclei: np.ndarray) -> None:
    missed = nuclei.copy()
    missed[:, :, 24:] = 0
    found = compare_opinions(made(nuclei), made(missed, "second"))
    peak = np.unravel_index(found.difference.argmax(), found.difference.shape)
    assert all(abs(a - b) <= 2 for a, b in zip(peak[1:], (26, 34), strict=True))
    assert found.difference[:, 12, 14].max() < found.difference.max() / 2
    assert 0.5 < found.dice < 0.8
    mine, other = ((v - v.mean()) / v.std() for v in (nuclei, missed))
    np.testing.assert_allclose(found.difference, np.abs(mine - other), atol=1e-3)


def test_opposite_predictions_make_amber_with_the_reason(nuclei: np.ndarray) -> None:
    note = of_opinion(compare_opinions(made(nuclei), made(-nuclei, "second")))
    assert note.level == "amber"
    assert "disagree here: r -1.00" in note.sentence
    assert note.cause


def test_agreement_is_told_and_changes_no_level(nuclei: np.ndarray) -> None:
    note = of_opinion(compare_opinions(made(nuclei), made(nuclei, "second"), kin="apart"))
    assert (note.level, note.cause) == ("green", "")
    assert note.sentence == (
        "Two models that learnt from different images agree here: r 1.00, Dice of their Otsu masks 1.00. "
        "Agreement is no proof; disagreement is a warning."
    )


def test_the_agreement_of_relatives_is_told_with_less_weight(nuclei: np.ndarray) -> None:
    note = of_opinion(compare_opinions(made(nuclei), made(nuclei, "second"), kin="related"))
    assert "share a part of their training" in note.sentence
    assert note.sentence.endswith("What shares its training shares its mistakes.")


@pytest.mark.parametrize(("above", "level"), [(0.001, "green"), (-0.001, "amber")])
def test_the_border_of_agreement_is_the_one_that_is_documented(above: float, level: str) -> None:
    found = compare_opinions(made(np.eye(4)), made(np.eye(4), "second"))
    assert of_opinion(replace(found, pearson_r=LEAST_AGREEMENT + above)).level == level


def test_a_flat_prediction_is_a_warning_and_no_error(nuclei: np.ndarray) -> None:
    found = compare_opinions(made(nuclei), made(np.zeros_like(nuclei), "second"))
    assert of_opinion(found).level == "amber"
    assert found.as_dict()["pearson_r"] is None
    json.dumps(found.as_dict(), allow_nan=False)


def test_the_finer_of_two_grids_is_brought_to_the_coarser(nuclei: np.ndarray) -> None:
    coarse = nuclei[::2, ::2, ::2]
    for pair in ((made(nuclei), made(coarse, "second", 0.6)), (made(coarse, size_um=0.6), made(nuclei, "b"))):
        found = compare_opinions(*pair)
        assert found.difference.shape == coarse.shape
        assert found.voxel_size_um == (0.6, 0.6, 0.6)
        assert found.pearson_r > 0.9


def test_predictions_of_two_images_are_refused(nuclei: np.ndarray) -> None:
    other = replace(made(nuclei, "second"), origin=Origin("other.tif", "e" * 64, 0))
    with pytest.raises(ImageError, match="same image"):
        compare_opinions(made(nuclei), other)


CARD = ModelCard("a", "A", "DNA", "bright-field", 3, "fnet", sha256="0a")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"structure": "membrane"}, "predicts membrane"),
        ({"structure": NOT_STATED}, "predicts not stated"),
        ({"ndim": 2}, "takes planes"),
        ({"modality": "DIC"}, "reads DIC"),
        ({"sha256": "0a"}, "very weights"),
    ],
)
def test_a_model_that_is_no_match_is_refused_with_the_reason(change: dict, match: str) -> None:
    second = replace(CARD, **{"id": "b", "sha256": "0b", **change})
    first = ModelEntry(CARD, Path("a"))
    with pytest.raises(ModelError, match=match):
        second_model(first, ModelEntry(second, Path("b")))
    assert others(first, [first, ModelEntry(second, Path("b"))]) == ()


def test_two_models_of_an_unknown_structure_are_no_second_opinion() -> None:
    first, second = (
        ModelEntry(replace(CARD, id=name, sha256=name, structure=NOT_STATED), Path(name)) for name in "ab"
    )
    assert others(first, [second]) == ()


def test_own_imported_and_shipped_models_of_one_structure_are_asked_and_broken_ones_not() -> None:
    own, imported, broken = (
        ModelEntry(replace(CARD, id=name, sha256=name, modality=light), Path(name), problem=problem)
        for name, light, problem in (
            ("own", "Bright-field, my microscope", ""),
            ("imported", "transmitted light", ""),
            ("broken", "bright-field", "It has no weights."),
        )
    )
    assert others(ModelEntry(CARD, Path("a")), [own, imported, broken]) == (own, imported)


def test_the_report_asks_the_second_model_and_names_it(cells: Cells, model_id: str, second_id: str) -> None:
    stack = ImageStack(cells.light, SIZE_UM)
    report = trust(stack, model_id, options=TrustOptions("none", second=second_id))
    assert report.opinion is not None
    mine, other = (predict(stack, name).voxels for name in (model_id, second_id))
    assert report.opinion.pearson_r == pytest.approx(np.corrcoef(mine.ravel(), other.ravel())[0, 1], abs=1e-4)
    assert report.opinion.difference.shape == stack.shape
    assert any(f"'{second_id}'" in reason for reason in report.reasons)
    again = trust(stack, model_id, options=TrustOptions("none", second=report.opinion))
    assert again.reasons == report.reasons


def test_the_command_holds_two_models_against_each_other(
    cells: Cells, second_id: str, capsys: Callable, folder: Path
) -> None:
    words = ["trust", str(cells.file), "--model", MODEL_ID, "--spread", "none", "--second", second_id]
    assert main([*words, "--second-map", "apart.ome.tif"]) == 0
    assert f"This model and '{second_id}'" in capsys.readouterr().out
    assert tifffile.imread("apart.ome.tif").shape == cells.light.shape
    assert main([*words, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)["second"]
    assert answer["model_id"] == second_id
    assert answer["kinship"] == "unknown"
    assert -1 <= answer["pearson_r"] <= 1
    assert main(["trust", str(cells.file), "--model", MODEL_ID, "--second", MODEL_ID]) == 1
    assert "very weights" in capsys.readouterr().err
    assert main(["trust", str(cells.file), "--model", MODEL_ID, "--second-map", "a.ome.tif"]) == 1
    assert "--second" in capsys.readouterr().err
