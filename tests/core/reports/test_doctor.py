"""What the file doctor found is shown in a picture where one helps."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from labelfree_core.images.health import examine
from labelfree_core.images.stack import ImageStack
from labelfree_core.reports.doctor import pictures
from labelfree_core.reports.figures import MISSED
from labelfree_core.simulation.scene import SceneSettings, simulate

SHAPE = (20, 96, 128)
Spoil = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """A simulated field without a fault."""
    settings = SceneSettings(kind="colony", shape=SHAPE, stains=())
    return simulate(11, settings).transmitted.astype(np.float32)


def drawn(voxels: np.ndarray) -> dict[str, tuple[str, np.ndarray, str]]:
    stack = ImageStack(np.clip(np.rint(voxels), 0, 65535).astype(np.uint16), (0.29,) * voxels.ndim)
    found = examine(stack)
    levels = {finding.name: finding.level for finding in found}
    return {name: (levels[name], t.picture, t.caption) for name, t in pictures(stack, found).items()}


def jpeg(voxels: np.ndarray) -> np.ndarray:
    held = io.BytesIO()
    low, high = np.percentile(voxels[10], (0.1, 99.9))
    plane = (255 * np.clip((voxels[10] - low) / (high - low), 0, 1)).astype(np.uint8)
    Image.fromarray(plane).save(held, "JPEG", quality=20)
    return np.asarray(Image.open(held)).astype(np.float32)


def test_of_what_is_in_order_only_the_planes_in_focus_are_shown(scene: np.ndarray) -> None:
    shown = drawn(scene)
    assert {name for name, (level, _, _) in shown.items() if level == "ok"} == {"focus"}
    assert not drawn(np.zeros(SHAPE))


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("saturation", lambda v: np.minimum(v, np.percentile(v, 95))),
        ("stripes", lambda v: v + v.std() * np.random.default_rng(0).normal(size=(SHAPE[1], 1))),
        ("uneven light", lambda v: v * np.linspace(0.4, 1, SHAPE[2])),
        ("JPEG blocks", jpeg),
        ("z-drift", lambda v: np.stack([ndimage.shift(p, (z, 0), mode="mirror") for z, p in enumerate(v)])),
        ("brightness along z", lambda v: v * np.linspace(1, 0.5, SHAPE[0])[:, None, None]),
        ("structure", lambda v: np.random.default_rng(0).normal(9000, 200, SHAPE)),
        ("focus", lambda v: 9000 + 30 * ndimage.gaussian_filter(v[10] - v[10].mean(), 12)),
    ],
)
def test_a_fault_put_into_a_simulated_field_is_found_and_shown(
    scene: np.ndarray, name: str, spoil: Spoil
) -> None:
    before = scene.copy()
    level, picture, caption = drawn(spoil(scene))[name]
    assert level != "ok"
    assert picture.dtype == np.uint8
    assert picture.shape[2] == 3
    assert np.ptp(picture) > 100
    assert 0 < len(f"{name}: {caption}") <= 64  # what a contact sheet shows of it
    np.testing.assert_array_equal(scene, before)


def test_cut_off_voxels_are_marked_where_they_are(scene: np.ndarray) -> None:
    light = scene.copy()
    light[:, :40] = light.max() + 1000
    level, picture, _ = drawn(light)["saturation"]
    assert level == "severe"
    marked = (picture == MISSED).all(axis=-1)
    height = marked.shape[0]
    assert marked[: height // 3].all()
    assert not marked[height // 2 :].any()
    assert marked.mean() == pytest.approx(40 / 96, abs=0.03)
