"""Familiarity: what texture sees, what it does not, and a fit that tells strange images from known ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from labelfree_core.analysis.familiarity import (
    FILE_NAME,
    LOOK_PX,
    Familiarity,
    features_of,
    level,
    load_familiarity,
    look,
)
from labelfree_core.analysis.texture import texture
from labelfree_core.errors import ImageError, ModelError, PredictionError
from labelfree_core.images.intensity import standardise
from labelfree_core.images.stack import ImageStack
from labelfree_core.models.card import ModelCard

Make = Callable[..., ImageStack]
CARD = ModelCard("dna", "DNA", "DNA", "bright-field", 3, "compact", voxel_size_um=(0.29, 0.29, 0.29))


def field(seed: int, *, size: int = 128) -> np.ndarray:
    """Round cells with a dark rim, on a grainy ground: one family of images."""
    rng = np.random.default_rng(seed)
    seeds = (rng.random((size, size)) > 0.997).astype(float)
    cells = ndimage.gaussian_filter(seeds, 4) - 0.7 * ndimage.gaussian_filter(seeds, 7)
    return standardise(cells / cells.std() + 0.2 * rng.normal(size=(size, size)))


@pytest.fixture(scope="module")
def fitted() -> Familiarity:
    from labelfree_core.training.familiarity import Field, cross_validate

    fields = [Field(f"f{n}", f"g{n}", field(n)) for n in range(8)]
    stripes = [texture(standardise(np.sin(np.indices((128, 128))[1] / (n + 2.0)))) for n in range(4)]
    return cross_validate(fields, {"stripes": stripes}, folds=2)[0]


def test_a_new_field_of_the_same_kind_is_familiar_and_others_are_not(fitted: Familiarity) -> None:
    known = [fitted.familiarity(texture(field(seed))) for seed in range(100, 106)]
    rng = np.random.default_rng(5)
    blurred = standardise(ndimage.gaussian_filter(field(100), 5))
    noise = standardise(rng.normal(size=(128, 128)))
    squares = standardise(np.kron(rng.random((8, 8)), np.ones((16, 16))))
    strange = [fitted.familiarity(texture(image)) for image in (blurred, noise, squares)]
    assert min(known) > max(strange)
    assert sorted(known)[1] >= 0.5
    assert {level(value) for value in strange} <= {"amber", "red"}


def test_a_fit_survives_its_file_in_under_a_megabyte(fitted: Familiarity, tmp_path: Path) -> None:
    from dataclasses import replace

    replace(fitted, pixel_um=0.29).save(tmp_path / FILE_NAME)
    assert (tmp_path / FILE_NAME).stat().st_size < 1_000_000
    back = load_familiarity(tmp_path, CARD)
    assert back is not None
    features = texture(field(50))
    assert back.familiarity(features) == pytest.approx(fitted.familiarity(features))


def test_a_full_disk_leaves_the_old_fit(
    fitted: Familiarity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    replace(fitted, pixel_um=0.29).save(tmp_path / FILE_NAME)
    before = (tmp_path / FILE_NAME).read_bytes()
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ImageError, match="No space left"):
        replace(fitted, pixel_um=0.5).save(tmp_path / FILE_NAME)
    assert (tmp_path / FILE_NAME).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_a_fit_for_another_voxel_size_does_not_count(fitted: Familiarity, tmp_path: Path) -> None:
    from dataclasses import replace

    replace(fitted, pixel_um=0.6).save(tmp_path / FILE_NAME)
    assert load_familiarity(tmp_path, CARD) is None
    assert load_familiarity(tmp_path / "nothing", CARD) is None


def test_a_fit_of_another_version_is_told_of(fitted: Familiarity, tmp_path: Path) -> None:
    older = replace(fitted, centre=fitted.centre[:32], pixel_um=0.29)
    older.save(tmp_path / FILE_NAME)
    with pytest.raises(ModelError, match=r"32 features .* needs 69"):
        load_familiarity(tmp_path, CARD)


def test_the_turn_of_polarity_through_a_stack_tells_an_inverted_one() -> None:
    bright, dark = field(1), -field(1)
    stack = np.stack([bright, bright, dark, dark])
    upright, inverted = (texture(planes)[:, 32:41] for planes in (stack, -stack))
    np.testing.assert_allclose(upright, -inverted, atol=1e-6)
    assert np.abs(upright).max() > 0.5
    assert not texture(bright)[:, 32:41].any()


def test_the_polarity_of_the_whole_field_turns_with_its_contrast_and_is_alike_for_its_patches() -> None:
    image = field(2, size=300)
    upright, inverted = (texture(planes)[:, 41:65] for planes in (image, -image))
    assert len(upright) == 9
    assert (upright == upright[0]).all()
    np.testing.assert_allclose(upright, -inverted, atol=1e-3)
    assert np.abs(upright).max() > 0.3
    assert not texture(np.stack([image, image]))[:, 41:65].any()


@pytest.mark.parametrize("known", [41, 65])
def test_an_earlier_fit_is_read_by_the_features_it_knows(
    fitted: Familiarity, tmp_path: Path, known: int
) -> None:
    earlier = replace(
        fitted,
        centre=fitted.centre[:known],
        scale=fitted.scale[:known],
        hidden=fitted.hidden[:known],
        precision=fitted.precision[:known, :known],
        pixel_um=0.29,
    )
    earlier.save(tmp_path / FILE_NAME)
    back = load_familiarity(tmp_path, CARD)
    assert back is not None
    features = texture(field(50))
    assert back.raw(features) == pytest.approx(earlier.raw(features[:, :known]))


@pytest.mark.parametrize("degrees", [0, 30, 45, 90, 135])
def test_a_shadow_from_one_side_is_seen_whatever_the_side(degrees: int) -> None:
    smooth = ndimage.gaussian_filter(field(2, size=300), 1.5)
    slopes = np.gradient(smooth)
    shadowed = np.cos(np.radians(degrees)) * slopes[0] + np.sin(np.radians(degrees)) * slopes[1]
    plain, cast = (texture(np.stack([v, v]))[0, 65:] for v in map(standardise, (smooth, shadowed)))
    assert plain.max() < 0.1
    assert cast.max() > 0.3
    assert not texture(standardise(shadowed))[0, 65:].any()  # one plane alone may be lit from a side


def test_a_broken_file_is_told_of(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"no archive")
    with pytest.raises(ModelError, match="Install the model again"):
        load_familiarity(tmp_path, CARD)


@given(gain=st.floats(0.5, 4), offset=st.integers(0, 200))
def test_camera_gain_and_offset_do_not_matter(gain: float, offset: int) -> None:
    counts = 1000 + 100 * field(3, size=64)
    stack = ImageStack(counts, (0.29, 0.29))
    other = ImageStack(gain * counts + offset, (0.29, 0.29))
    np.testing.assert_allclose(texture(look(other, CARD)), texture(look(stack, CARD)), atol=2e-3)


def test_it_looks_at_five_planes_of_the_middle_at_the_models_size(make_stack: Make) -> None:
    stack = make_stack((40, 100, 120), voxel_size_um=(0.5, 0.145, 0.145))
    before = stack.voxels.copy()
    seen = look(stack, CARD)
    assert seen.shape == (5, 50, 60)
    np.testing.assert_array_equal(stack.voxels, before)
    assert look(make_stack((30, 500, 600)), CARD).shape[1:] == (LOOK_PX, LOOK_PX)
    assert look(make_stack((100, 120)), CARD).shape == (1, 100, 120)


def test_to_a_model_of_planes_each_plane_of_a_stack_is_an_image_of_its_own(fitted: Familiarity) -> None:
    plane_card = replace(CARD, ndim=2, voxel_size_um=(0.29, 0.29))
    planes = np.stack([field(seed) for seed in range(8)])
    seen = features_of(ImageStack(planes, (0.5, 0.29, 0.29)), plane_card)
    alone = [features_of(ImageStack(planes[z], (0.29, 0.29)), plane_card) for z in (2, 3, 4, 5)]
    np.testing.assert_allclose(seen, np.concatenate(alone))
    assert fitted.familiarity(seen) > 0.5
    assert fitted.familiarity(texture(planes)) < 0.12  # as a z-stack nothing that these planes resemble


def test_an_image_without_a_voxel_size_is_refused() -> None:
    with pytest.raises(PredictionError, match="voxel"):
        look(ImageStack(np.arange(4096.0).reshape(64, 64)), CARD)


@pytest.mark.parametrize(("value", "name"), [(0.9, "green"), (0.5, "green"), (0.3, "amber"), (0.05, "red")])
def test_levels(value: float, name: str) -> None:
    assert level(value) == name


@pytest.mark.slow
def test_shipped_fits_know_real_fields_and_not_photographs(real_pairs: Path) -> None:
    from labelfree_core.models.store import find_model
    from labelfree_core.training.calibrate import photographs
    from labelfree_core.training.pairs import read_channel

    entry = find_model("dna-phase-2d")
    fit = load_familiarity(entry.folder, entry.card)
    assert fit is not None
    files = sorted((real_pairs / "phase2d_dna").glob("HeLa*.npz"))[:4]
    known = [
        fit.familiarity(texture(look(read_channel(f, "signal", (0.65, 0.65)), entry.card))) for f in files
    ]
    strange = [fit.familiarity(features) for features in photographs(entry.card)[:6]]
    assert np.median(known) > 0.5
    assert np.median(strange) < 0.2
