"""The order of the steps, what is refused, and what a prediction says about itself."""

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from labelfree_core.errors import PredictionCancelled, PredictionError
from labelfree_core.images.intensity import standardise
from labelfree_core.images.stack import ImageStack
from labelfree_core.inference.predict import (
    PredictOptions,
    Progress,
    estimate,
    predict,
    predict_many,
    prepare,
    prepare_observed,
)
from labelfree_core.models.store import ModelEntry, load_network

Make = Callable[..., ModelEntry]
Stack = Callable[..., ImageStack]
MODEL_GRID = PredictOptions(grid="model", device="cpu")
fixtures_are_safe = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def whole(entry: ModelEntry, voxels: np.ndarray) -> np.ndarray:
    """Run the plain module on an image whose sizes it takes."""
    x = torch.from_numpy(standardise(voxels))
    with torch.no_grad():
        return load_network(entry)(x[None, None])[0, 0].numpy()


def test_an_image_that_fits_gives_what_the_plain_module_gives(make_model: Make, make_stack: Stack) -> None:
    entry, stack = make_model(), make_stack((8, 32, 40))
    found = predict(stack, entry, options=MODEL_GRID)
    np.testing.assert_allclose(found.voxels, whole(entry, stack.voxels), rtol=1e-4, atol=1e-5)


def test_the_published_steps_are_standardise_zoom_crop(make_model: Make, make_stack: Stack) -> None:
    # The tutorial's order by independent code: z-score, scipy zoom order 3, centre crop to a multiple.
    entry = make_model(zoom=(1.0, 0.37241, 0.37241))
    stack = make_stack((9, 120, 150), voxel_size_um=(0.29, 0.108, 0.108))
    score = (stack.voxels - stack.voxels.mean(dtype=np.float64)) / stack.voxels.std(dtype=np.float64)
    zoomed = ndimage.zoom(score, (1, 0.37241, 0.37241), order=3, mode="nearest")
    cut = tuple(slice((n - n // 4 * 4) // 2, (n - n // 4 * 4) // 2 + n // 4 * 4) for n in zoomed.shape)
    prepared = prepare(stack, entry.card, fit="crop")
    np.testing.assert_allclose(prepared.voxels, zoomed[cut], atol=1e-4)
    found = predict(stack, entry, options=PredictOptions(grid="model", fit="crop"))
    assert found.voxels.shape == (8, 44, 56)
    assert found.recipe["crop_offset"] == [0, 0, 0]
    assert found.recipe["steps"][1]["because"] == "the fixed factors of the published model"


def test_a_zoom_for_another_camera_is_not_used(make_model: Make, make_stack: Stack) -> None:
    entry = make_model(zoom=(1.0, 0.37241, 0.37241))
    found = predict(make_stack((8, 40, 40), voxel_size_um=(0.29, 0.2, 0.2)), entry, options=MODEL_GRID)
    assert found.recipe["steps"][1]["factors"] == pytest.approx([1, 0.2 / 0.29, 0.2 / 0.29])
    assert found.recipe["steps"][1]["because"] == "the voxel sizes of image and model"
    assert found.voxel_size_um == (0.29, 0.29, 0.29)


@fixtures_are_safe
@given(
    shape=st.tuples(st.integers(1, 12), st.integers(1, 45), st.integers(1, 45)).filter(
        lambda s: s[1] * s[2] > 8
    )
)
def test_any_size_is_predicted_on_its_own_grid(
    make_model: Make, make_stack: Stack, shape: tuple[int, int, int]
) -> None:
    stack = make_stack(shape, voxel_size_um=(0.29, 0.2, 0.2))
    before = stack.voxels.copy()
    found = predict(stack, make_model())
    assert found.voxels.shape == shape
    assert found.voxels.dtype == np.float32
    assert np.isfinite(found.voxels).all()
    assert found.voxel_size_um == (0.29, 0.2, 0.2)
    np.testing.assert_array_equal(stack.voxels, before)


def test_tiled_and_whole_agree_without_a_seam(make_model: Make, make_stack: Stack) -> None:
    entry, stack = make_model(), make_stack((8, 200, 220))
    one = predict(stack, entry, options=MODEL_GRID).voxels
    many = predict(stack, entry, options=replace(MODEL_GRID, tile=(8, 96, 96)))
    assert many.recipe["tiles"]["count"] > 1
    assert np.corrcoef(one.ravel(), many.voxels.ravel())[0, 1] >= 0.9999
    # This network reaches 23 voxels and the halo is larger, so that only rounding is left.
    assert np.abs(one - many.voxels).max() <= 1e-5 * np.abs(one).max()
    assert any("overlapping tiles" in note for note in many.notes)


@fixtures_are_safe
@given(gain=st.floats(0.5, 20), offset=st.floats(0, 500))
def test_camera_gain_and_offset_do_not_matter(
    make_model: Make, make_stack: Stack, gain: float, offset: float
) -> None:
    entry, stack = make_model(), make_stack((4, 16, 16))
    other = stack.with_voxels(gain * stack.voxels + offset)
    np.testing.assert_allclose(predict(other, entry).voxels, predict(stack, entry).voxels, atol=2e-3)


def test_a_thin_stack_is_mirrored_and_says_so(make_model: Make, make_stack: Stack) -> None:
    found = predict(make_stack((5, 16, 16)), make_model())
    assert found.voxels.shape == (5, 16, 16)
    assert any(note.startswith("3 mirrored planes were added to the 5") for note in found.notes)


def test_a_single_plane_goes_through_a_stack_model_with_a_warning(
    make_model: Make, make_stack: Stack
) -> None:
    found = predict(make_stack((16, 24), voxel_size_um=(0.29, 0.29)), make_model())
    assert found.voxels.shape == (16, 24)
    assert found.voxel_size_um == (0.29, 0.29)
    assert any("One plane is not a z-stack: it was repeated 4 times" in note for note in found.notes)


def test_a_stack_through_a_plane_model_is_its_planes_one_by_one(make_model: Make, make_stack: Stack) -> None:
    entry, stack = make_model(2), make_stack((3, 18, 21), voxel_size_um=(1.0, 0.29, 0.29))
    planes = [predict(ImageStack(plane, (0.29, 0.29)), entry).voxels for plane in stack.voxels]
    np.testing.assert_allclose(predict(stack, entry).voxels, np.stack(planes), atol=1e-5)


def test_an_unknown_voxel_size_is_asked_for(make_model: Make, make_stack: Stack) -> None:
    stack = replace(make_stack(), voxel_size_um=None)
    with pytest.raises(PredictionError, match=r"works at 0.29 x 0.29 x 0.29 um.*Give the voxel size"):
        predict(stack, make_model())


def test_voxels_beyond_twice_are_doubted_and_beyond_four_times_refused(
    make_model: Make, make_stack: Stack
) -> None:
    far, too_far = (make_stack((4, 8, 8), voxel_size_um=(0.29, s, s)) for s in (0.7, 1.3))
    assert any("2.4 times larger" in note for note in predict(far, make_model()).notes)
    with pytest.raises(PredictionError, match=r"4.5 times larger.*take an image with voxels near 0.29"):
        predict(too_far, make_model())


def test_nan_is_found_before_the_network_spreads_it(make_model: Make, make_stack: Stack) -> None:
    voxels = make_stack().voxels.astype(np.float32)
    voxels[0, 0, 0] = np.nan
    with pytest.raises(PredictionError, match="1 voxels that are no number"):
        predict(ImageStack(voxels, (0.29, 0.29, 0.29)), make_model())


def test_crop_does_not_go_with_the_grid_of_the_image() -> None:
    with pytest.raises(PredictionError, match='Choose the grid "model"'):
        PredictOptions(fit="crop")


def test_cancelling_from_the_progress_callback_ends_the_prediction(
    make_model: Make, make_stack: Stack
) -> None:
    def stop(now: Progress) -> None:
        if now.fraction > 0:
            raise PredictionCancelled("Stopped.")

    with pytest.raises(PredictionCancelled, match="Stopped"):
        predict(make_stack((16, 128, 128)), make_model(), progress=stop)


def test_progress_never_goes_back_and_ends_at_one(make_model: Make, make_stack: Stack) -> None:
    seen: list[Progress] = []
    predict_many(make_stack((8, 96, 96)), [make_model(), make_model()], progress=seen.append)
    fractions = [now.fraction for now in seen]
    assert fractions == sorted(fractions)
    assert seen[-1].fraction == 1


def test_the_estimate_is_of_the_right_size(make_model: Make, make_stack: Stack) -> None:
    # How near the time comes to the truth is measured in benchmarks/told.py.
    entry = make_model(network={"mult_chan": 8, "depth": 2})
    told, twice = (estimate(make_stack((planes, 128, 128)), entry) for planes in (16, 32))
    assert 0 < told.seconds < twice.seconds < 2.5 * told.seconds
    assert told.tiles == 1
    assert 5e6 < told.peak_bytes < 5e8


def test_too_little_memory_is_refused_with_what_is_needed(make_model: Make, make_stack: Stack) -> None:
    with pytest.raises(PredictionError, match=r"smallest piece .* needs \d+ MB"):
        predict(make_stack(), make_model(), options=PredictOptions(memory_bytes=1000))


def test_the_recipe_is_json_and_names_the_weights_and_the_image(make_model: Make, make_stack: Stack) -> None:
    entry = make_model()
    found = predict(make_stack((4, 16, 16)), entry)
    recipe = json.loads(json.dumps(found.recipe))
    assert recipe["model"] == {"id": "small-3d", "sha256": entry.card.sha256, "structure": "DNA"}
    assert recipe["input"]["name"] == "seed-0"
    assert recipe["run"] == {"device": found.device, "engine": "torch", "dtype": "float32", "retries": 0}


def test_an_observed_stain_lands_on_the_grid_of_the_prediction(make_model: Make, make_stack: Stack) -> None:
    entry = make_model(steps=("flatten", "standardise", "resize"))
    stack = make_stack((6, 50, 60), voxel_size_um=(0.29, 0.2, 0.2))
    observed = prepare_observed(stack, entry.card)
    assert observed.shape == predict(stack, entry, options=MODEL_GRID).voxels.shape
    expected = ndimage.zoom(standardise(stack.voxels), (1, 0.2 / 0.29, 0.2 / 0.29), order=3, mode="nearest")
    np.testing.assert_allclose(observed.voxels, expected, atol=1e-4)
