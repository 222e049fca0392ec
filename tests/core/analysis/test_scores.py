"""Scores against numpy and scikit-image called directly, and against images whose answer is known."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from skimage.metrics import normalized_root_mse, peak_signal_noise_ratio, structural_similarity

from labelfree_core.analysis.scores import (
    PUBLISHED_R,
    ceiling,
    explain,
    noise_variance,
    pearson_r,
    published,
    scores,
    spectral_pcc,
)
from labelfree_core.errors import ImageError


def scene(seed: int, shape: tuple[int, ...] = (8, 120, 140), blur_px: float = 2.0) -> np.ndarray:
    """Smooth structure, zero mean and unit variance."""
    sigma = (0.0, blur_px, blur_px)[-len(shape) :]
    image = gaussian_filter(np.random.default_rng(seed).normal(size=shape), sigma)
    return (image - image.mean()) / image.std()


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    observed = scene(1)
    return observed, 0.6 * observed + 0.4 * scene(2)


def test_scores_are_those_of_numpy_and_scikit_image(pair: tuple[np.ndarray, np.ndarray]) -> None:
    observed, predicted = pair
    found = scores(observed, predicted)
    span = np.ptp(observed)
    assert found.pearson_r == pytest.approx(np.corrcoef(observed.ravel(), predicted.ravel())[0, 1])
    # z-scored: the Euclidean norm is the standard deviation
    assert found.nrmse == pytest.approx(normalized_root_mse(observed, predicted))
    assert found.psnr == pytest.approx(peak_signal_noise_ratio(observed, predicted, data_range=span))
    assert found.mae == pytest.approx(np.abs(observed - predicted).mean())
    planes = [
        structural_similarity(a, b, win_size=7, data_range=span)
        for a, b in zip(observed, predicted, strict=True)
    ]
    assert found.ssim == pytest.approx(np.mean(planes))
    assert found.n_voxels == observed.size


def test_an_image_against_itself_is_perfect() -> None:
    image = scene(3)
    found = scores(image, image)
    assert (found.nrmse, found.mae, found.dice_otsu, found.iou_otsu) == (0, 0, 1, 1)
    assert found.pearson_r == pytest.approx(1)
    assert found.spectral_pcc == pytest.approx(1)
    assert found.psnr == math.inf


@settings(max_examples=20, deadline=None)
@given(gain=st.floats(0.01, 100), offset=st.floats(-1000, 1000))
def test_gain_and_offset_do_not_matter_to_correlations(gain: float, offset: float) -> None:
    observed, predicted = scene(4, (40, 50)), scene(5, (40, 50)) + 0.5 * scene(4, (40, 50))
    moved = gain * predicted + offset
    assert pearson_r(observed, moved) == pytest.approx(pearson_r(observed, predicted), abs=1e-6)
    # offset only moves the zero frequency, which no ring counts
    assert spectral_pcc(observed, moved) == pytest.approx(spectral_pcc(observed, predicted), abs=1e-6)


def test_spectral_correlation_notices_lost_detail_that_pearson_forgives() -> None:
    coarse = scene(6, blur_px=4.0)
    observed, predicted = coarse + 0.3 * scene(7, blur_px=0.5), coarse + 0.3 * scene(8, blur_px=0.5)
    assert pearson_r(observed, predicted) > 0.9
    assert spectral_pcc(observed, predicted) < 0.5


@pytest.mark.parametrize("shape", [(1, 40, 40), (2, 40, 40), (40, 40), (3, 5, 40)])
def test_thin_stacks_and_planes_have_every_score(shape: tuple[int, ...]) -> None:
    found = scores(scene(9, shape, 1.0), scene(10, shape, 1.0))
    assert math.isfinite(found.ssim)
    assert math.isfinite(found.pearson_r)


def test_a_tiny_plane_has_no_ssim_but_is_scored() -> None:
    found = scores(np.array([[0.0, 1.0]]), np.array([[0.0, 2.0]]))
    assert math.isnan(found.ssim)
    assert found.pearson_r == pytest.approx(1)


def test_scores_become_strict_json() -> None:
    image = scene(3, (20, 20))
    text = json.dumps(scores(image, image).as_dict(), allow_nan=False)
    assert json.loads(text)["psnr"] is None
    assert json.loads(text)["units"] == {"mae": "standard deviations of the observed image", "psnr": "dB"}


@pytest.mark.parametrize("noise", [0.1, 0.3, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("blur_px", [1.5, 3.0])
def test_known_noise_is_found_within_5_percent(noise: float, blur_px: float) -> None:
    clean = scene(11, blur_px=blur_px)
    seen = clean + noise * np.random.default_rng(12).normal(size=clean.shape)
    assert noise_variance(seen) == pytest.approx(noise**2, rel=0.05)
    # what a perfect prediction reaches is the ceiling
    assert ceiling(seen) == pytest.approx(pearson_r(clean, seen), abs=0.01)


def test_photon_noise_on_uneven_light_is_found() -> None:
    clean = 50 + 8 * scene(13) + np.linspace(0, 100, 140)
    seen = np.random.default_rng(14).poisson(clean).astype(np.uint16)
    assert noise_variance(seen) == pytest.approx(clean.mean(), rel=0.03)
    assert ceiling(seen) == pytest.approx(pearson_r(clean, seen), abs=0.005)


def test_a_clean_image_has_a_ceiling_of_one() -> None:
    assert ceiling(scene(15, blur_px=3)) == pytest.approx(1, abs=1e-3)


def test_camera_gain_does_not_move_the_ceiling() -> None:
    seen = scene(16) + 0.5 * np.random.default_rng(17).normal(size=(8, 120, 140))
    assert ceiling(seen * 40 + 300) == pytest.approx(ceiling(seen), abs=1e-9)


@pytest.mark.parametrize("image", [np.zeros((3, 30, 30)), scene(18) > 0, scene(19, (8, 8))])
def test_no_ceiling_for_flat_images_masks_and_specks(image: np.ndarray) -> None:
    assert math.isnan(ceiling(image))


def test_flat_images_are_refused_by_name() -> None:
    with pytest.raises(ImageError, match="Every voxel of the predicted image is 3"):
        scores(scene(1, (20, 20)), np.full((20, 20), 3.0))


def test_values_that_are_no_numbers_are_refused() -> None:
    broken = scene(1, (20, 20))
    broken[3, 3] = np.nan
    with pytest.raises(ImageError, match="observed image holds values that are not numbers"):
        scores(broken, scene(2, (20, 20)))


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ImageError, match="one grid"):
        scores(scene(1, (20, 20)), scene(1, (20, 21)))


def test_the_published_table_is_the_papers() -> None:
    rows = [(row.structure, row.modality, row.pearson_r, row.ceiling) for row in PUBLISHED_R]
    assert len(rows) == 14
    assert ("DNA", "bright-field", 0.65, 0.99) in rows
    assert ("lamin B1", "DIC", 0.63, 0.79) in rows
    assert ("desmoplakin", "bright-field", 0.09, 0.67) in rows


@pytest.mark.parametrize(
    ("asked", "structure"),
    [("dna", "DNA"), ("Nuclei", "DNA"), ("Lamin-B1", "lamin B1"), ("Golgi", "ST6GAL1"), ("ER", "SEC61B")],
)
def test_structures_are_found_by_their_usual_names(asked: str, structure: str) -> None:
    row = published(asked)
    assert row is not None
    assert row.structure == structure


def test_the_sentence_names_r_the_ceiling_and_the_paper(pair: tuple[np.ndarray, np.ndarray]) -> None:
    words = explain(scores(*pair), "lamin B1")
    assert "Pearson r 0.8" in words
    assert "reached 0.85" in words
    assert "s41592-018-0111-2" in words


def test_the_sentence_claims_no_paper_for_a_structure_without_one(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    assert "no network for keratin" in explain(scores(*pair), "keratin")
