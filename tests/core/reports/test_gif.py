"""The blink GIF, read back by Pillow: two frames, two seconds, for ever, the tutorial's limits."""

import io

import numpy as np
import pytest
from PIL import Image

from labelfree_core.errors import ImageError
from labelfree_core.reports.gif import blink_gif


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    return rng.normal(size=(4, 31, 45)), rng.normal(size=(4, 31, 45))


def frames(gif: bytes) -> list[np.ndarray]:
    with Image.open(io.BytesIO(gif)) as opened:
        found = []
        for number in range(opened.n_frames):
            opened.seek(number)
            assert opened.info["duration"] == 2000
            assert opened.info["loop"] == 0
            found.append(np.asarray(opened.convert("L")))
    return found


def test_two_frames_of_two_seconds_loop(pair: tuple[np.ndarray, np.ndarray]) -> None:
    assert len(frames(blink_gif(*pair))) == 2


def test_frames_are_maximum_projections_between_the_observed_limits(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    lo, hi = np.percentile(pair[0], [0.02, 99.8])
    for frame, volume in zip(frames(blink_gif(*pair)), pair, strict=True):
        expected = np.round(np.clip((volume - lo) / (hi - lo), 0, 1).max(axis=0) * 255)
        np.testing.assert_allclose(frame, expected, atol=1)  # one grey level: float32 rounding


def test_equal_images_still_make_two_frames(pair: tuple[np.ndarray, np.ndarray]) -> None:
    assert len(frames(blink_gif(pair[0], pair[0]))) == 2


def test_a_caption_is_a_strip_below_the_image(pair: tuple[np.ndarray, np.ndarray]) -> None:
    plain, named = frames(blink_gif(*pair)), frames(blink_gif(*pair, captions=("observed", "predicted")))
    np.testing.assert_array_equal(named[0][:31], plain[0])
    assert named[0].shape[0] > 31


def test_no_frame_flickers(pair: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(ImageError, match="seizures"):
        blink_gif(*pair, seconds=0.1)


def test_images_of_another_shape_are_refused(pair: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(ImageError, match="one grid"):
        blink_gif(pair[0], pair[1][:3])
