"""One seed is one scene, and its truths belong together."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from labelfree_core.errors import LabelFreeError

pytest.importorskip("waveorder", reason="simulating needs the simulation extra (waveorder)")

from labelfree_core.simulation.scene import Scene, SceneSettings, simulate

SMALL = SceneSettings(shape=(16, 64, 72), margin=(4, 6, 6))


@pytest.fixture(scope="module")
def scene() -> Scene:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries under the optics
        return simulate(4, SMALL)


@pytest.mark.slow
def test_one_seed_gives_one_scene_bit_for_bit(scene):
    again = simulate(4, SMALL)
    np.testing.assert_array_equal(again.transmitted, scene.transmitted)
    np.testing.assert_array_equal(again.index, scene.index)
    for name, counts in scene.stains.items():
        np.testing.assert_array_equal(again.stains[name], counts)


def test_the_contrast_scales_what_is_seen_and_moves_no_cell(scene):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        strong = simulate(4, replace(SMALL, contrast=2 * SMALL.contrast))
    np.testing.assert_array_equal(strong.nucleus_labels, scene.nucleus_labels)
    np.testing.assert_array_equal(strong.index, scene.index)
    assert strong.clean_transmitted.std() == pytest.approx(2 * scene.clean_transmitted.std(), rel=0.02)


@pytest.mark.slow
def test_another_seed_gives_another_scene(scene):
    other = simulate(5, SMALL)
    assert not np.array_equal(other.transmitted, scene.transmitted)


def test_every_truth_has_the_grid_of_the_images(scene):
    volumes = [
        scene.transmitted,
        scene.clean_transmitted,
        scene.index,
        scene.cell_labels,
        scene.nucleus_labels,
    ]
    volumes += [*scene.stains.values(), *scene.clean_stains.values(), *scene.dyes.values()]
    assert {volume.shape for volume in volumes} == {SMALL.shape}
    assert all(np.isfinite(volume).all() for volume in volumes)


def test_images_are_camera_counts_and_truths_are_not(scene):
    assert scene.transmitted.dtype == np.uint16
    assert scene.clean_stains["DNA"].dtype == np.float32
    assert scene.provenance()["simulated"] is True
    assert scene.provenance()["seed"] == 4


def test_a_nucleus_lies_inside_its_own_cell(scene):
    inside = scene.nucleus_labels > 0
    assert inside.any()
    assert (scene.nucleus_labels[inside] == scene.cell_labels[inside]).mean() > 0.99


def test_dna_is_in_nuclei_and_the_membrane_is_not(scene):
    nuclei = scene.nucleus_labels > 0
    assert scene.dyes["DNA"][nuclei].mean() > 20 * scene.dyes["DNA"][~nuclei].mean()
    assert scene.dyes["membrane"][nuclei].mean() < 0.5 * scene.dyes["membrane"][~nuclei].mean()


def test_nucleoli_hold_little_dna(scene):
    nucleoli = scene.dyes["nucleoli"] > 0.5
    rest = (scene.nucleus_labels > 0) & ~nucleoli
    assert nucleoli.any()
    assert scene.dyes["DNA"][nucleoli].mean() < 0.5 * scene.dyes["DNA"][rest].mean()


def test_refractive_indices_are_those_of_cells(scene):
    assert 1.30 < scene.index.min() < 1.36
    assert 1.36 < np.median(scene.index[scene.cell_labels > 0]) < 1.37
    assert scene.index.max() < 1.55


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kind": "balls"}, "choose one of colony"),
        ({"shape": (8, 16, 64)}, "at least 32"),
        ({"shape": (8, 9000, 9000)}, "64 million"),
        ({"stains": ("DNA", "glitter")}, "No stain is called glitter"),
        ({"contrast": 0.0}, "give 0.05 to 20"),
    ],
)
def test_what_cannot_be_simulated_is_refused_in_a_sentence(settings, said):
    with pytest.raises(LabelFreeError, match=said):
        SceneSettings(**settings)
