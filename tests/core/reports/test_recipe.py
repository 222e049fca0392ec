"""A recipe makes the same voxels again, and refuses to pretend where it can't."""

import json
from dataclasses import replace

import numpy as np
import pytest

from labelfree_core.errors import ImageError, LabelFreeError, ModelError
from labelfree_core.images.reading import open_image
from labelfree_core.images.writing import write_stack
from labelfree_core.inference.predict import predict
from labelfree_core.reports.recipe import read_recipe, recipe, rerun, to_json


@pytest.fixture
def made(cells, model_id):
    return predict(open_image(cells.file).read(channel=0), model_id)


@pytest.fixture
def document(made):
    return recipe(made)


def test_a_recipe_is_strict_json_with_both_hashes(document, made, cells) -> None:
    read = json.loads(to_json(document))
    assert read["model"]["sha256"] == made.model_sha256
    assert read["input"]["sha256"] == open_image(cells.file).sha256
    assert read["units"] == "z-score of the training stain"


def test_the_same_recipe_makes_the_same_voxels(document, made, cells) -> None:
    again = rerun(json.loads(to_json(document)), cells.file)
    np.testing.assert_array_equal(again.voxels, made.voxels)


def test_a_recipe_is_read_from_its_file_and_from_the_result(document, made, cells, tmp_path) -> None:
    (tmp_path / "r.json").write_text(to_json(document))
    write_stack(tmp_path / "made.ome.tif", made.stack, provenance=document)
    for name in ("r.json", "made.ome.tif"):
        found = read_recipe(tmp_path / name)
        assert found["model"] == document["model"]
        np.testing.assert_array_equal(rerun(found, cells.file).voxels, made.voxels)


def test_another_image_is_refused_unless_meant(document, cells, write_ome, tmp_path) -> None:
    other = write_ome(tmp_path / "other.ome.tif", {"a": cells.stain, "b": cells.light}, (0.29,) * 3)
    with pytest.raises(ImageError, match=r"The recipe is of cells\.ome\.tif"):
        rerun(document, other)
    assert rerun(document, other, same_image=False).voxels.shape == cells.light.shape


def test_other_weights_are_refused(document, cells) -> None:
    changed = {**document, "model": {**document["model"], "sha256": "0" * 64}}
    with pytest.raises(ModelError, match="another version of that model"):
        rerun(changed, cells.file)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"model": 1}', "\ufffe", "[" * 100_000])
def test_what_is_no_recipe_is_said_so(text, tmp_path) -> None:
    (tmp_path / "r.json").write_text(text, encoding="utf-8")
    with pytest.raises(LabelFreeError, match=r"r\.json holds no recipe"):
        read_recipe(tmp_path / "r.json")


@pytest.mark.parametrize(
    "damage", [{"model": None}, {"model": {}}, {"options": []}, {"input": "x"}, {"voxel_size_um": None}]
)
def test_a_damaged_recipe_is_refused(document, cells, damage) -> None:
    with pytest.raises(LabelFreeError, match="damaged"):
        rerun({**document, **damage}, cells.file)


def test_a_recipe_of_another_format_is_refused(document, cells) -> None:
    with pytest.raises(LabelFreeError, match="reads format 1"):
        rerun({**document, "format": 99}, cells.file)


def test_a_recipe_leaves_the_prediction_as_it_was(made) -> None:
    before = replace(made, recipe=json.loads(json.dumps(made.recipe)))
    recipe(made, reading={"time": 0})["model"] = "changed"
    assert made.recipe == before.recipe
