"""What the viewer sends to the browser: precision, size, and refusals."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pages.components.viewer_data import (
    BROWSER_VOXELS,
    Layer,
    PackedLayer,
    check_same_grid,
    digest,
    pack,
    pack_layer,
    reduction,
    shrink,
)
from pages.components.viewer_state import ViewState

UM = (0.29, 0.1, 0.1)
NONE = (1, 1, 1)


def layer(voxels: np.ndarray, **options: object) -> Layer:
    size = UM if voxels.ndim >= 3 else UM[1:]
    return Layer(**{"name": "a", "voxels": voxels, "voxel_size_um": size} | options)


def unpack(packed: PackedLayer) -> np.ndarray:
    """Read the samples back as the browser does."""
    raw = b"".join(gzip.decompress(part) for part in packed.parts)
    dtype = "<u1" if packed.about["bits"] == 8 else "<u2"
    return np.frombuffer(raw, dtype).reshape(packed.about["shape"])


def values(packed: PackedLayer) -> np.ndarray:
    low, high = packed.about["low"], packed.about["high"]
    return low + unpack(packed) * (high - low) / (255 if packed.about["bits"] == 8 else 65535)


def test_a_thin_stack_goes_out_in_16_bit_to_within_half_a_step():
    voxels = np.random.default_rng(0).normal(0, 100, (3, 20, 30)).astype(np.float32)
    packed = pack_layer(layer(voxels), NONE)
    assert packed.about["bits"] == 16
    step = (packed.about["high"] - packed.about["low"]) / 65535
    assert np.abs(values(packed)[0] - voxels).max() <= step


def test_a_large_stack_goes_out_in_8_bit_around_its_limits():
    voxels = np.random.default_rng(0).normal(0, 1, (40, 224, 240)).astype(np.float32)
    voxels[0, 0, 0] = 1e6  # one hot pixel must not cost the others their grey levels
    packed = pack_layer(layer(voxels, limits=(-2.0, 2.0)), NONE)
    assert packed.about["bits"] == 8
    assert packed.about["beyond"] == [True, True]
    inside = np.abs(voxels) < 2
    assert np.abs(values(packed)[0] - voxels)[inside].max() <= 4 / 110
    assert sum(map(len, packed.parts)) < voxels.size


def test_an_8_bit_image_is_sent_as_it_is():
    voxels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    np.testing.assert_array_equal(unpack(pack_layer(layer(voxels), NONE))[0], voxels)


def test_a_mask_keeps_its_two_values_even_when_it_is_reduced():
    mask = np.random.default_rng(0).integers(0, 2, (4, 33, 35)) * 7
    sent = unpack(pack_layer(layer(mask, kind="mask"), (1, 2, 2)))
    assert set(np.unique(sent)) == {0, 255}


def test_values_that_are_not_numbers_do_not_break_the_picture():
    voxels = np.array([[[np.nan, 1.0], [np.inf, 3.0]]], np.float32)
    assert np.isfinite(values(pack_layer(layer(voxels), NONE))).all()


def test_a_flat_image_can_be_sent():
    packed = pack_layer(layer(np.full((2, 3, 4), 5.0)), NONE)
    assert packed.about["high"] > packed.about["low"]


def test_packing_leaves_the_voxels_alone():
    voxels = np.random.default_rng(0).random((2, 8, 9))
    before = voxels.copy()
    pack_layer(layer(voxels), NONE)
    np.testing.assert_array_equal(voxels, before)


@given(
    z=st.integers(1, 400),
    y=st.integers(64, 4096),
    x=st.integers(64, 4096),
    layers=st.integers(1, 6),
)
def test_whatever_the_size_it_fits_into_the_browser(z, y, x, layers):
    steps = reduction((1, z, y, x), layers)
    sent = layers * (z // steps[0]) * (y // steps[1]) * (x // steps[2])
    assert sent <= BROWSER_VOXELS
    assert min(z // steps[0], y // steps[1], x // steps[2]) >= 1


def test_reducing_averages_an_image_and_drops_the_incomplete_rim():
    voxels = np.arange(2 * 5 * 4, dtype=np.float64).reshape(1, 2, 5, 4)
    small = shrink(voxels, (1, 2, 2), mask=False)
    assert small.shape == (1, 2, 2, 2)
    assert small[0, 0, 0, 0] == voxels[0, 0, :2, :2].mean()


def test_the_payload_says_where_each_part_lies():
    packed = [pack_layer(layer(np.full((2, 4, 4), n, np.uint8)), NONE) for n in (3, 9)]
    payload = pack(packed, {"note": "<b>"})
    assert payload[:4] == b"LFV1"
    end = 8 + int.from_bytes(payload[4:8], "little")
    header = json.loads(payload[8:end])
    for entry, expected in zip(header["layers"], (3, 9), strict=True):
        raw = b"".join(gzip.decompress(payload[end + a : end + b]) for a, b in entry["parts"])
        assert set(raw) == {expected}


def test_nine_edited_voxels_give_another_digest():
    voxels = np.zeros((32, 256, 352), np.float32)
    before = digest(voxels)
    voxels[5, 100, 200:209] = 1
    assert digest(voxels) != before


def test_layers_of_different_grids_are_refused():
    two = [layer(np.zeros((2, 4, 4))), layer(np.zeros((2, 4, 5)), name="b")]
    with pytest.raises(ValueError, match="one grid"):
        check_same_grid(two)


def test_two_layers_of_one_name_are_refused():
    with pytest.raises(ValueError, match="same name"):
        check_same_grid([layer(np.zeros((2, 4, 4)))] * 2)


def test_an_unknown_colour_map_is_refused():
    with pytest.raises(ValueError, match="jet"):
        layer(np.zeros((2, 4, 4)), colormap="jet")


def test_a_report_that_makes_no_sense_keeps_the_view():
    before = ViewState(z=3, mode="swipe", zoom=2.0)
    report = {
        "z": "many",
        "mode": "hologram",
        "zoom": float("nan"),
        "cursor": [1],
        "limits": 4,
        "sections": 1,
    }
    after = ViewState.from_browser(report, before)
    assert (after.z, after.mode, after.zoom, after.cursor, after.limits) == (3, "swipe", 2.0, None, ())
    assert after.sections is True


@pytest.mark.parametrize("nonsense", ["{", "[]", "3", None])
def test_details_that_are_no_json_object_keep_what_was_there(nonsense):
    before = ViewState(details='{"linked": true}')
    after = ViewState.from_browser({"details": nonsense}, before)
    assert after.details == before.details
    assert after.one_scale


def test_a_report_is_read_into_the_state():
    report = {"z": 5, "center": [1, 2.5], "z_range": [0, 4], "limits": [["a", 0, 1]], "threshold": 0.5}
    state = ViewState.from_browser(report, ViewState())
    assert state.z == 5
    assert state.center == (1.0, 2.5)
    assert state.z_range == (0, 4)
    assert state.limits == (("a", 0.0, 1.0),)
    assert state.threshold == 0.5
