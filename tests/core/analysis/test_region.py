"""Inside a region of interest the scores are those of its voxels, and nothing outside can change them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from labelfree_core.analysis.alignment import comparable, match_affine
from labelfree_core.analysis.difference import differences
from labelfree_core.analysis.masks import agreement
from labelfree_core.analysis.matching import match
from labelfree_core.analysis.noise import ceiling
from labelfree_core.analysis.scores import explain, scores
from labelfree_core.analysis.segmentation import is_segmentation
from labelfree_core.analysis.trust import Evidence, TrustOptions, trust
from labelfree_core.analysis.within import keep_inside
from labelfree_core.errors import ImageError
from labelfree_core.images.stack import ImageStack, Origin
from labelfree_core.inference.prediction import Prediction
from tests.core.conftest import SIZE_UM, Cells

SHAPE = (6, 60, 80)
LEFT = np.zeros(SHAPE, bool)
LEFT[:, :, :40] = True


def discs(*centres: tuple[int, int]) -> np.ndarray:
    """Label images of discs of 8 pixels."""
    labels = np.zeros(SHAPE, np.uint8)
    y, x = np.indices(SHAPE[1:])
    for number, (cy, cx) in enumerate(centres, start=1):
        labels[:, np.hypot(y - cy, x - cx) < 8] = number
    return labels


FOUR = discs((15, 15), (45, 20), (15, 60), (45, 65))
KNOWN = np.where(LEFT, FOUR, 0).astype(np.uint8)


def stack(voxels: np.ndarray, name: str = "", units: str = "camera counts") -> ImageStack:
    return ImageStack(voxels, SIZE_UM, Origin("cells.tif", channel_name=name), units)


def predicted() -> np.ndarray:
    return (FOUR > 0) + np.random.default_rng(0).normal(0, 0.1, SHAPE)


def test_what_is_not_known_does_not_count_as_empty() -> None:
    guess = stack(predicted().astype(np.float32), units="score of the segmentation")
    whole = comparable(stack(KNOWN), guess)
    part = comparable(stack(KNOWN), guess, region=stack(LEFT.astype(np.uint8), "SEG_Memb"))
    assert part.region is not None
    assert scores(whole.observed, whole.predicted).pearson_r < 0.75
    found = scores(part.observed, part.predicted, region=part.region, noise_ceiling=part.ceiling)
    assert found.pearson_r > 0.95
    assert found.dice_otsu > 0.95
    assert found.share == pytest.approx(0.5)
    assert "50% of the field" in explain(found, "DNA")
    assert any("Only 50% of the field counts: where SEG_Memb" in note for note in part.notes)


def test_scores_in_a_region_are_those_of_the_cut_out_part() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=SHAPE), rng.normal(size=SHAPE)
    second += first
    inside = scores(first, second, region=LEFT)
    cut = scores(first[..., :40], second[..., :40])
    for name in ("pearson_r", "nrmse", "psnr", "mae", "dice_otsu", "iou_otsu", "n_voxels"):
        assert getattr(inside, name) == pytest.approx(getattr(cut, name), rel=1e-9), name
    assert inside.ssim == pytest.approx(cut.ssim, abs=0.02)  # windows at the border see the other side


def test_nothing_outside_a_region_changes_a_score() -> None:
    rng = np.random.default_rng(2)
    first, second = rng.normal(size=SHAPE), rng.normal(size=SHAPE)
    other = np.where(LEFT, second, 50.0)
    far = np.zeros(SHAPE, bool)
    far[:, :, :30] = True  # further from the change than the window of the structural similarity
    before, after = scores(first, second, region=far), scores(first, other, region=far)
    assert before == after


def test_masks_and_differences_are_empty_outside() -> None:
    found = agreement(KNOWN > 0, FOUR > 0, region=LEFT)
    assert found.dice == 1
    assert not found.extra.any()
    gone = differences(KNOWN, FOUR, region=LEFT)
    assert gone.absolute.max() == 0
    assert gone.limits == (0.0, 0.0)


def test_objects_outside_are_neither_extra_nor_missed() -> None:
    found = match(keep_inside(KNOWN, LEFT), keep_inside(FOUR, LEFT))
    assert (len(found.pairs), found.missed, found.extra) == (2, (), ())


@pytest.mark.parametrize(
    ("region", "match"),
    [
        (np.zeros(SHAPE, np.uint8), "region 'SEG_Memb' marks no voxel"),
        (np.ones((6, 60, 79), np.uint8), "has to lie on the same voxels"),
    ],
)
def test_a_region_that_can_not_be_is_refused(region: np.ndarray, match: str) -> None:
    with pytest.raises(ImageError, match=match):
        comparable(stack(KNOWN), stack(predicted()), region=stack(region, "SEG_Memb"))


def test_a_stain_that_is_flat_inside_is_refused() -> None:
    region = stack((~LEFT).astype(np.uint8), "SEG_Memb")
    with pytest.raises(ImageError, match="inside the region is 0; a flat image"):
        comparable(stack(KNOWN), stack(predicted()), region=region)


@pytest.mark.parametrize("voxels", [KNOWN, (KNOWN > 0).astype(np.uint8) * 255, KNOWN > 0])
def test_the_noise_of_a_segmentation_is_judged_nowhere(
    voxels: np.ndarray, model_id: str, cells: Cells
) -> None:
    assert is_segmentation(voxels)
    assert math.isnan(ceiling(voxels))
    pair = comparable(stack(voxels), stack(predicted()))
    assert math.isnan(pair.ceiling)
    assert math.isnan(scores(pair.observed, pair.predicted, noise_ceiling=pair.ceiling).ceiling)
    assert any("no noise ceiling" in note for note in pair.notes)


def test_the_trust_report_counts_inside_the_region_only(cells: Cells, model_id: str) -> None:
    stain = cells.stain
    inside = np.zeros(stain.shape, np.uint8)
    inside[..., : stain.shape[-1] // 2] = 1
    known = np.where(inside, stain, stain.min())
    z_score = ((stain - stain.mean()) / stain.std()).astype(np.float32)
    light = ImageStack(cells.light, SIZE_UM)
    made = Prediction(z_score, SIZE_UM, "input", "DNA", "m", "0" * 64, light.origin)

    def judged(region: ImageStack | None) -> object:
        evidence = Evidence(ImageStack(known, SIZE_UM), region, made)
        return trust(light, model_id, observed=evidence, options=TrustOptions("none"))

    whole, part = judged(None), judged(ImageStack(inside, SIZE_UM))
    assert whole.pearson_r < 0.9 < part.pearson_r  # type: ignore[attr-defined]
    assert part.share == pytest.approx(0.5, abs=0.02)  # type: ignore[attr-defined]
    half = stain.shape[-1] // 2
    assert all(place.position_px[-1] <= half for place in part.regions)  # type: ignore[attr-defined]
    assert any("inside the region (50% of the field)" in reason for reason in part.reasons)  # type: ignore[attr-defined]


def test_the_affine_fit_is_that_of_the_voxels_inside() -> None:
    rng = np.random.default_rng(3)
    made = rng.normal(size=SHAPE)
    observed = np.where(LEFT, 300 * made + 1000, 0.0)
    found = match_affine(observed, made, region=LEFT)
    assert (found.gain, found.offset, found.pearson_r) == pytest.approx((300, 1000, 1))
    assert found.voxels[~LEFT] == pytest.approx(300 * made[~LEFT] + 1000, rel=1e-5)
    assert match_affine(observed, made).gain < 200
