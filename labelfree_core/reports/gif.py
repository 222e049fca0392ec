"""The blink comparison: observed and predicted in turn, as an animated GIF."""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import Image, ImageDraw

from labelfree_core.analysis.display import limits, picture
from labelfree_core.errors import ImageError
from labelfree_core.reports.figures import SMALLEST_TEXT_PX, font

# GIF header, screen descriptor and 256 grey levels, as Pillow writes them before the first image.
HEADER_BYTES = 6 + 7 + 3 * 256
LOOP_FOREVER = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"


def blink_gif(
    observed: np.ndarray,
    predicted: np.ndarray,
    *,
    seconds: float = 2.0,
    captions: tuple[str, str] | None = None,
) -> bytes:
    """
    Alternate between the maximum projections of two stacks, for ever.

    Parameters
    ----------
    observed, predicted : array, shape (Z, Y, X) or (Y, X)
        On one grid and in one unit. Both are shown between the limits of the observed one.
    seconds : float
        How long each frame stays. Below 1/3 s an image would flicker; that is refused.
    captions : (str, str), optional
        Words in a strip under each frame. Without them the frames hold the image alone.

    Returns
    -------
    gif : bytes
        Two grey frames that loop.

    Raises
    ------
    ImageError
        If the shapes differ, or the frames change faster than three times a second.
    """
    if observed.shape != predicted.shape:
        raise ImageError(
            f"The observed image has the shape {observed.shape} and the predicted one {predicted.shape}; "
            "frames that blink have to lie on one grid. Compare images of the same field and size."
        )
    between = limits(observed)
    frames = [picture(observed, between), picture(predicted, between)]
    if captions is not None:
        frames = [captioned(frame, words) for frame, words in zip(frames, captions, strict=True)]
    return animate(frames, seconds=seconds)


def animate(frames: list[np.ndarray], *, seconds: float) -> bytes:
    """
    Write grey frames as a GIF that loops for ever.

    Pillow merges frames that are equal; here two frames stay two frames, whatever they show.

    Parameters
    ----------
    frames : list of uint8 array, shape (Y, X)
        All of one shape.
    seconds : float
        For each frame.

    Returns
    -------
    gif : bytes

    Raises
    ------
    ImageError
        If the frames change faster than three times a second.
    """
    if not seconds >= 1 / 3:
        raise ImageError(
            f"Frames of {seconds:g} s blink more than three times a second, which can cause seizures. "
            "Give each frame at least 0.34 s; 2 s is usual."
        )
    # 0x04: leave the frame in place; the time is in hundredths of a second.
    control = struct.pack("<BBBBHBB", 0x21, 0xF9, 4, 0x04, min(round(seconds * 100), 0xFFFF), 0, 0)
    stills = [_still(frame) for frame in frames]
    body = b"".join(control + still[HEADER_BYTES:-1] for still in stills)
    return b"GIF89a" + stills[0][6:HEADER_BYTES] + LOOP_FOREVER + body + b";"


def _still(frame: np.ndarray) -> bytes:
    """Encode one grey frame with all 256 grey levels in its table."""
    target = io.BytesIO()
    Image.fromarray(frame).save(target, format="GIF", optimize=False)
    return target.getvalue()


def captioned(frame: np.ndarray, words: str) -> np.ndarray:
    """
    Add a black strip with white words below a frame, as high as the frame's width needs.

    Parameters
    ----------
    frame : uint8 array, shape (Y, X)
    words : str

    Returns
    -------
    frame : uint8 array, shape (Y + strip, X)
    """
    size = max(SMALLEST_TEXT_PX, frame.shape[1] // 32)
    strip = Image.new("L", (frame.shape[1], size * 3 // 2))
    ImageDraw.Draw(strip).text((size // 3, size // 4), words, fill=255, font=font(size))
    return np.vstack([frame, np.asarray(strip)])
