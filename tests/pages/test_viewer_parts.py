"""What the viewer sends first, on demand, and with which meaning."""

from __future__ import annotations

import gzip
import math

import numpy as np
import pytest

from pages.components.viewer_data import Layer, PackedLayer, pack_layer, shrink
from pages.components.viewer_parts import (
    FLAT_MODES,
    SENT_AT_ONCE,
    Scene,
    Wanted,
    asked_part,
    first_part,
    full_plane,
    preview,
    sent_shape,
    window_of,
    with_region,
)
from pages.components.viewer_state import MODES, Measured, ViewState

UM = (0.3, 0.1, 0.1)
WHOLE = (1, 1, 1)


def layer(voxels: np.ndarray, **options: object) -> Layer:
    return Layer(**{"name": "a", "voxels": voxels, "voxel_size_um": UM[-min(voxels.ndim, 3) :]} | options)


def scene(shape: tuple[int, ...], steps: tuple[int, int, int] = WHOLE, **start: object) -> Scene:
    """A scene of this shape that takes no memory."""
    return Scene((layer(np.broadcast_to(np.uint8(7), shape)),), steps, ViewState(**start))


def samples(packed: PackedLayer, dtype: str = "<u1") -> np.ndarray:
    raw = b"".join(gzip.decompress(part) for part in packed.parts)
    return np.frombuffer(raw, dtype).reshape(packed.about["shape"])


LARGE = (40, 400, 400)


def test_a_large_stack_begins_with_the_plane_in_its_middle():
    assert first_part(scene(LARGE)) == Wanted("preview", 0, 19)


@pytest.mark.parametrize(("z", "sent"), [(0, 0), (7, 7), (39, 39), (400, 39)])
def test_a_link_begins_with_its_plane_however_far_it_points(z: int, sent: int):
    assert first_part(scene(LARGE, z=z)).z == sent


def test_the_first_plane_is_counted_in_what_is_sent():
    assert first_part(scene(LARGE, (4, 1, 1), z=20)) == Wanted("preview", 0, 5)


def test_a_time_series_begins_at_its_time_point():
    assert first_part(scene((3, *LARGE), t=2, z=4)) == Wanted("preview", 2, 4)
    assert first_part(scene((3, *LARGE), t=9, z=4)).t == 2


def test_a_small_stack_comes_at_once():
    assert first_part(scene((1, 1000, SENT_AT_ONCE // 1000))) == Wanted("volumes")
    assert first_part(scene((1, 1000, SENT_AT_ONCE // 1000 + 1))).part == "preview"


@pytest.mark.parametrize("mode", MODES)
def test_only_views_of_one_plane_begin_with_one(mode: str):
    assert (first_part(scene(LARGE, mode=mode)).part == "preview") is (mode in FLAT_MODES)


@pytest.mark.parametrize("start", [{"projection": "max"}, {"projection": "mean"}, {"sections": True}])
def test_projections_and_sections_need_the_volumes(start: dict[str, object]):
    assert first_part(scene(LARGE, **start)) == Wanted("volumes")


@pytest.mark.parametrize(
    "asked",
    [
        None,
        "plane",
        {"content": "other", "part": "volumes"},
        {"content": "here", "part": "everything"},
        {"content": "here", "part": "plane", "t": 0},
        {"content": "here", "part": "plane", "t": 0, "z": 10},
        {"content": "here", "part": "plane", "t": -1, "z": 0},
        {"content": "here", "part": "plane", "t": 0, "z": 1.5},
        {"content": "here", "part": "plane", "t": "0", "z": "1"},
    ],
)
def test_what_a_browser_can_not_mean_is_not_sent(asked: object):
    assert asked_part(asked, "here", (2, 10, 5, 5)) is None


def test_what_a_browser_asks_for_is_sent():
    assert asked_part({"content": "here", "part": "volumes"}, "here", (2, 10, 5, 5)) == Wanted("volumes")
    plane = {"content": "here", "part": "plane", "t": 1, "z": 9}
    assert asked_part(plane, "here", (2, 10, 5, 5)) == Wanted("plane", 1, 9)


@pytest.mark.parametrize("steps", [WHOLE, (1, 2, 2), (2, 2, 2), (3, 4, 4), (5, 3, 3)])
@pytest.mark.parametrize("shape", [(1, 11, 17, 23), (2, 12, 16, 24)])
def test_the_shape_is_told_without_shrinking(shape: tuple[int, ...], steps: tuple[int, int, int]):
    small = shrink(np.zeros(shape, np.float32), steps, mask=False)
    assert sent_shape(shape, steps) == small.shape


def test_a_mask_is_shown_from_0_to_1():
    assert window_of(layer(np.ones((2, 3, 4), bool), kind="mask", limits=(3.0, 4.0))) == ((0, 1), (0, 1))


def test_given_limits_are_shown_and_its_own_ones_are_known():
    voxels = np.linspace(0, 100, 24).reshape(2, 3, 4)
    window, own = window_of(layer(voxels, limits=(20.0, 30.0)))
    assert window == (20.0, 30.0)
    assert own == window_of(layer(voxels))[0] == window_of(layer(voxels))[1]
    assert window_of(layer(voxels, own_limits=(1.0, 2.0))) == ((1.0, 2.0), (1.0, 2.0))


def test_the_first_plane_is_the_one_asked_for_between_the_limits_of_the_stack():
    voxels = np.arange(5 * 6 * 7, dtype=np.float32).reshape(5, 6, 7)
    packed = preview(layer(voxels), ((10.0, 200.0), (0.0, 209.0)), WHOLE, Wanted("preview", 0, 3))
    assert packed.about["shape"] == [1, 1, 6, 7]
    assert packed.about["limits"] == [10.0, 200.0]
    assert packed.about["own"] == (0.0, 209.0)
    low, high = packed.about["low"], packed.about["high"]
    shown = low + samples(packed, "<u2")[0, 0] * (high - low) / 65535
    np.testing.assert_allclose(shown, voxels[3], atol=0.01)


def test_a_full_plane_means_the_same_as_the_volume_around_it():
    rng = np.random.default_rng(1)
    voxels = rng.normal(100, 10, (6, 40, 41)).astype(np.float32)
    steps = (2, 2, 2)
    whole = pack_layer(layer(voxels, limits=(80.0, 120.0), own_limits=(80.0, 120.0)), steps)
    packed = full_plane(layer(voxels), whole.about, steps, Wanted("plane", 0, 1))
    assert packed.about["shape"] == [40, 40]  # the last column is missing in the volume, too
    low, high = whole.about["low"], whole.about["high"]
    shown = low + samples(packed) * (high - low) / 255
    np.testing.assert_allclose(shown, voxels[3, :40, :40], atol=(high - low) / 255)


def test_a_full_plane_of_8_bits_and_of_a_mask_is_sent_as_it_is():
    grey = np.random.default_rng(2).integers(0, 256, (4, 8, 8), dtype=np.uint8)
    whole = pack_layer(layer(grey), (1, 2, 2))
    packed = full_plane(layer(grey), whole.about, (1, 2, 2), Wanted("plane", 0, 2))
    np.testing.assert_array_equal(samples(packed), grey[2])
    mask = grey > 100
    packed = full_plane(layer(mask, kind="mask"), {"low": 0, "high": 1}, (1, 2, 2), Wanted("plane", 0, 2))
    np.testing.assert_array_equal(samples(packed), 255 * mask[2])


@pytest.mark.parametrize("steps", [WHOLE, (1, 2, 2)])
def test_a_region_is_sent_as_one_bit_a_voxel_behind_the_samples(steps: tuple[int, int, int]):
    rng = np.random.default_rng(5)
    region = rng.random((3, 10, 14)) > 0.4
    marked = layer(rng.random((3, 10, 14)).astype(np.float32), region=region)
    alone = pack_layer(marked, steps)
    packed = with_region(alone, marked, steps)
    assert packed.parts[:-1] == alone.parts
    sent = shrink(region[None], steps, mask=True)
    bits = np.frombuffer(gzip.decompress(packed.parts[-1]), np.uint8)
    np.testing.assert_array_equal(np.unpackbits(bits, count=sent.size).reshape(sent.shape), sent)
    assert packed.about["region"] is True


def test_the_first_plane_comes_without_the_region():
    marked = layer(np.ones((3, 10, 14), np.float32), region=np.ones((3, 10, 14), bool))
    assert "region" not in preview(marked, ((0.0, 1.0), (0.0, 1.0)), WHOLE, Wanted("preview", 0, 1)).about


def test_a_score_that_is_no_number_reaches_the_browser_as_none():
    found = Measured(math.nan, math.nan, 0.5, 2.0)
    assert found.for_browser() == {"dice": None, "iou": None, "threshold": 0.5, "threshold_observed": 2.0}


def test_a_full_plane_with_a_hole_can_be_sent():
    voxels = np.ones((2, 4, 4), np.float32)
    voxels[1, 0, 0] = np.nan
    packed = full_plane(layer(voxels), {"low": 0.0, "high": 2.0}, (1, 2, 2), Wanted("plane", 0, 1))
    assert samples(packed)[0, 0] == 0
