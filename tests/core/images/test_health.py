"""The file doctor finds each fault that was put in, and nothing in a sound image."""

import tracemalloc
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from labelfree_core.images import filters, health
from labelfree_core.images.finding import median_from
from labelfree_core.images.health import examine
from labelfree_core.images.stack import ImageStack

FAULTS = ("warning", "severe")


def found(voxels, *, expected="bright-field"):
    """Findings by name."""
    return {f.name: f for f in examine(ImageStack(voxels, (0.29,) * voxels.ndim), expected=expected)}


def test_a_sound_stack_has_nothing_worth_a_warning(cells):
    findings = examine(ImageStack(cells((24, 192, 224)), (0.29, 0.1, 0.1)))
    assert [f for f in findings if f.level in FAULTS] == []
    assert {
        "focus",
        "saturation",
        "stripes",
        "uneven light",
        "z-drift",
        "contrast",
        "planes",
        "halo",
        "duplicate planes",
        "empty",
        "JPEG blocks",
    } <= {f.name for f in findings}


@pytest.mark.parametrize("level", [0, 100])
def test_an_empty_image_is_all_that_is_said(level):
    (finding,) = examine(ImageStack(np.full((3, 64, 64), level, np.uint16)))
    assert (finding.name, finding.level) == ("empty", "severe")


def test_empty_and_repeated_planes_are_named(cells):
    voxels = cells((20, 96, 96))
    voxels[[2, 3, 4]] = 0
    voxels[11] = voxels[10]
    findings = found(voxels)
    assert findings["empty"].planes == (2, 3, 4)
    assert "planes 2 to 4" in findings["empty"].what
    assert findings["duplicate planes"].planes == (11,)


def test_saturation_is_measured(cells):
    voxels = np.clip(cells(), None, 11_000)
    assert found(voxels)["saturation"].level in FAULTS
    assert "brightest" in found(voxels)["saturation"].what
    dark = np.maximum(cells(), 9_500)
    assert "darkest" in found(dark)["saturation"].what


def test_stripes_are_found_in_rows_and_columns(cells):
    voxels = cells().astype(np.float32)
    stripes = 800 * np.random.default_rng(1).normal(size=voxels.shape[1])
    assert found(voxels + stripes[:, None])["stripes"].level in FAULTS
    across = 800 * np.random.default_rng(1).normal(size=voxels.shape[2])
    finding = found(voxels + across)["stripes"]
    assert finding.level in FAULTS
    assert finding.what.startswith("Columns")


def test_a_huge_plane_is_examined_in_little_memory_with_the_same_faults(cells, monkeypatch):
    y, x = np.mgrid[-1:1:480j, -1:1:512j]
    plane = (np.tile(cells((1, 96, 128))[0], (5, 4)) * (1 - 0.35 * (x**2 + y**2))).astype(np.uint16)
    before = {name for name, finding in found(plane).items() if finding.level in FAULTS}
    assert "uneven light" in before
    monkeypatch.setattr(health, "_MOST_VOXELS", 60_000)  # a quarter of it
    assert {name for name, finding in found(plane).items() if finding.level in FAULTS} == before
    large = np.tile(plane, (6, 6))
    tracemalloc.start()
    found(large)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * large.nbytes  # a copy of it in float32 would take 2


def test_uneven_light_is_found(cells):
    y, x = np.mgrid[-1:1:160j, -1:1:192j]
    assert found(cells() * (1 - 0.35 * (x**2 + y**2)))["uneven light"].level in FAULTS


def test_jpeg_blocks_are_found(cells):
    plane = ((cells()[6] - 6000) / 32).clip(0, 255).astype(np.uint8)
    buffer = BytesIO()
    Image.fromarray(plane).save(buffer, "JPEG", quality=20)
    assert found(np.asarray(Image.open(buffer)))["JPEG blocks"].level in FAULTS
    assert found(plane)["JPEG blocks"].level == "ok"


def test_sideways_drift_is_found(cells):
    still = cells((16, 192, 192), focus=False)
    drifting = np.stack([np.roll(plane, (z, 2 * z), (0, 1)) for z, plane in enumerate(still)])
    assert found(drifting)["z-drift"].level in FAULTS
    assert found(still)["z-drift"].level == "ok"


def test_lamp_drift_is_found(cells):
    voxels = cells((16, 96, 96)) * np.linspace(1, 0.6, 16)[:, None, None]
    assert found(voxels)["brightness along z"].level in FAULTS


def test_the_sharp_planes_are_named(cells):
    finding = found(cells((24, 160, 160)))["focus"]
    assert 12 in finding.planes
    assert 0 not in finding.planes
    assert 23 not in finding.planes


def test_an_image_out_of_focus_everywhere_is_found(cells):
    blurred = ndimage.gaussian_filter(cells()[6].astype(np.float32), 6)
    noisy = np.random.default_rng(0).poisson(blurred).astype(np.uint16)
    assert found(noisy)["focus"].level in ("note", *FAULTS)


def test_too_few_planes_are_said(cells):
    assert found(cells((5, 64, 64)))["planes"].level == "warning"
    assert found(cells((10, 64, 64)))["planes"].level == "note"


def test_inverted_contrast_is_suspected(cells):
    y, x = np.mgrid[-1:1:160j, -1:1:192j]
    lit = cells().astype(np.float64) / 50 * (1 - 0.25 * (x**2 + y**2))
    counts = np.random.default_rng(0).poisson(lit).astype(np.uint16)
    assert found(counts)["contrast"].level == "ok"
    assert found(300 - counts.astype(np.int32))["contrast"].level in FAULTS


def test_noise_alone_is_no_image():
    noise = np.random.default_rng(0).poisson(1000, (4, 96, 96)).astype(np.uint16)
    assert found(noise)["structure"].level == "severe"


def test_halos_are_a_fault_only_where_bright_field_is_expected():
    random = np.random.default_rng(0)
    rims = np.zeros((256, 256))
    y, x = np.mgrid[:256, :256]
    for cy, cx in random.integers(20, 236, (14, 2)):
        radius = np.hypot(y - cy, x - cx)
        rims += np.exp(-((radius - 11) ** 2) / 5) - 0.15 * np.exp(-(radius**2) / 80)
    phase = random.poisson(5000 + 2000 * rims.clip(-1)).astype(np.uint16)
    assert found(phase)["halo"].level == "note"
    assert "halo" not in found(phase, expected="phase contrast")


def test_few_grey_levels_are_said(cells):
    assert found((cells() // 1000).astype(np.uint8))["grey levels"].level == "warning"


@pytest.mark.parametrize("shape", [(1, 1), (3, 9), (2, 40, 5), (33, 33), (1, 64, 64)])
def test_any_shape_is_examined(shape):
    assert examine(ImageStack(np.random.default_rng(0).integers(0, 99, shape).astype(np.uint8)))


def test_values_without_a_number_are_survived(cells):
    voxels = cells().astype(np.float32)
    voxels[3, :20] = np.nan
    assert examine(ImageStack(voxels))


def test_real_images_raise_no_false_alarm(real_pairs):
    from labelfree_core.images.reading import open_image

    paths = sorted((real_pairs / "brightfield3d").glob("*.ome.tif"))
    if not paths:
        pytest.skip("no z-stacks among the real image pairs here")
    for path in paths:
        findings = examine(open_image(path).read(channel=0))
        assert [f for f in findings if f.level in FAULTS] == []


@pytest.mark.parametrize("count", [1, 2, 5, 7])
def test_medians_are_those_of_numpy(count: int) -> None:
    planes = np.random.default_rng(count).normal(size=(count, 37, 20)).astype(np.float32)
    assert np.array_equal(filters.median_plane(planes), np.median(planes, axis=0))
    assert np.array_equal(filters.row_medians(planes[0]), np.median(planes[0], axis=1))
    assert np.array_equal(filters.row_medians(planes[0].T[:, 1:]), np.median(planes[0].T[:, 1:], axis=1))


@pytest.mark.parametrize("values", [[3.0, 1.0, 1.0, 5.0], [2.0, 2.0, 1.0], [1.0, 3.0, 1.0, 9.0, 1.0], [4.0]])
def test_a_median_is_given_where_it_reaches_the_limit(values: list[float]) -> None:
    middle = float(np.median(values))
    assert median_from(2.0, values, len(values)) == (middle if middle >= 2 else None)


def test_no_plane_is_looked_at_that_can_not_change_the_median() -> None:
    values = iter([0.0, 1.0, 0.0, 9.0, 9.0])
    assert median_from(2.0, values, 5) is None
    assert list(values) == [9.0, 9.0]


@pytest.mark.parametrize("shape", [(150, 20), (3, 70, 131)])
def test_blurs_are_those_of_scipy_up_to_the_edges(shape: tuple[int, ...]) -> None:
    planes = np.random.default_rng(3).normal(size=shape).astype(np.float32)
    for made in (planes, np.array(planes.swapaxes(-1, -2), order="C").swapaxes(-1, -2)):
        box = ndimage.uniform_filter(made, (1, 61, 61)[-made.ndim :], mode="nearest")
        assert np.allclose(filters.box_mean(made, 61), box, atol=1e-5)
        rows = ndimage.gaussian_filter1d(made, 3.0, axis=-2, mode="nearest")
        assert np.allclose(filters.blur_rows(made, 3.0), rows, atol=1e-5)
        columns = ndimage.gaussian_filter1d(made, 3.0, axis=-1, mode="nearest")
        assert np.allclose(filters.blur_columns(made, 3.0), columns, atol=1e-5)
