"""Pictures with colour: overlays, difference maps, scale bars, and the PNG they are saved in."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from labelfree_core.analysis.display import Limits, project, rescale
from labelfree_core.analysis.masks import agreement

# Okabe and Ito's palette: told apart with any form of colour blindness, and by brightness too.
AGREE = (240, 240, 240)
MISSED = (230, 159, 0)
EXTRA = (60, 155, 255)  # told from black and from white, for outlines on either

DIVERGING = "crameri:vik"
SEQUENTIAL = "viridis"
SMALLEST_TEXT_PX = 13
ROUND_LENGTHS_UM = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def overlay(observed: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """
    Show two masks in one picture: light where both are, orange where missed, blue where extra.

    Parameters
    ----------
    observed, predicted : bool array, shape (Z, Y, X) or (Y, X)
        Stacks are shown by their maximum projection.

    Returns
    -------
    overlay : uint8 array, shape (Y, X, 3)

    Examples
    --------
    >>> overlay(np.array([[True, True]]), np.array([[True, False]])).tolist()
    [[[240, 240, 240], [230, 159, 0]]]
    """
    found = agreement(project(observed), project(predicted))
    rgb = np.zeros((*found.both.shape, 3), np.uint8)
    rgb[found.both], rgb[found.missed], rgb[found.extra] = AGREE, MISSED, EXTRA
    return rgb


def coloured(values: np.ndarray, between: Limits, colormap: str = SEQUENTIAL) -> np.ndarray:
    """
    Colour a picture by a perceptually uniform map.

    Parameters
    ----------
    values : array, shape (Y, X)
    between : (lo, hi)
        Ends of the map. For a difference take limits with zero in the middle and
        :data:`DIVERGING`.
    colormap : str
        A name of the ``cmap`` library.

    Returns
    -------
    picture : uint8 array, shape (Y, X, 3)
    """
    return _table(colormap)[np.round(rescale(values, between) * 255).astype(np.uint8)]


def png(picture: np.ndarray) -> bytes:
    """
    Encode a picture as PNG, pixel by pixel as it is.

    Parameters
    ----------
    picture : uint8 array, shape (Y, X) or (Y, X, 3)

    Returns
    -------
    png : bytes
    """
    target = io.BytesIO()
    Image.fromarray(picture).save(target, format="PNG")
    return target.getvalue()


def zoomed(picture: np.ndarray, width_px: int, height_px: int) -> np.ndarray:
    """
    Fit a picture into a box: enlarged pixel by pixel without blurring, or reduced smoothly.

    Parameters
    ----------
    picture : uint8 array, shape (Y, X) or (Y, X, 3)
    width_px, height_px : int

    Returns
    -------
    zoomed : uint8 array
        As large as fits, in the proportions of the picture.
    """
    factor = min(width_px / picture.shape[1], height_px / picture.shape[0])
    how = Image.Resampling.NEAREST if factor >= 1 else Image.Resampling.LANCZOS
    size = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
    return np.asarray(Image.fromarray(picture).resize(size, how))


def scale_bar_um(width_px: int, pixel_um: float) -> int:
    """
    Choose a round length of about a fifth of the picture.

    Parameters
    ----------
    width_px : int
    pixel_um : float

    Returns
    -------
    length : int, um

    Examples
    --------
    >>> scale_bar_um(924, 0.10833)
    20
    """
    wanted = width_px * pixel_um / 5
    return max((length for length in ROUND_LENGTHS_UM if length <= wanted), default=ROUND_LENGTHS_UM[0])


def with_scale_bar(picture: np.ndarray, pixel_um: float | None) -> np.ndarray:
    """
    Draw a white scale bar with its length in the lower right corner.

    Parameters
    ----------
    picture : uint8 array, shape (Y, X) or (Y, X, 3)
    pixel_um : float or None
        Of this picture as it is; None draws nothing, since nothing is known.

    Returns
    -------
    picture : uint8 array, shape (Y, X, 3)
    """
    canvas = Image.fromarray(picture).convert("RGB")
    if pixel_um is not None:
        length = scale_bar_um(canvas.width, pixel_um)
        draw = ImageDraw.Draw(canvas)
        size = max(SMALLEST_TEXT_PX, canvas.width // 32)  # a wide picture is shown smaller than it is
        edge, thick = size * 3 // 4, max(4, size // 4)
        right, bottom = canvas.width - edge - 2, canvas.height - edge
        left = right - max(1, round(length / pixel_um))
        draw.rectangle((left - 4, bottom - 2 * size, right + 4, bottom + 4), fill=(0, 0, 0))
        draw.rectangle((left, bottom - thick, right, bottom), fill=(255, 255, 255))
        middle = ((left + right) / 2, bottom - thick - size // 3)
        draw_words(draw, middle, f"{length} µm", ("#ffffff", size, "ms"))
    return np.asarray(canvas)


def draw_words(
    draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, look: tuple[str, int, str]
) -> None:
    """
    Write one line with the font that Pillow carries, which lacks the micro, minus and times signs.

    Parameters
    ----------
    draw : PIL.ImageDraw.ImageDraw
    at : (x, y)
        In pixels, on the base line.
    text : str
        A micro sign becomes a u with the tail that it lacks; minus and times become their likes.
    look : (colour, size, anchor)
        Size in pixels; anchor is one of Pillow's, ``ls``, ``ms`` or ``rs``.
    """
    colour, size, anchor = look
    kind = font(size)
    plain = text.replace("µ", "u").replace("−", "-").replace("×", "x")
    draw.text(at, plain, fill=colour, font=kind, anchor=anchor)
    start = at[0] - {"l": 0.0, "m": 0.5, "r": 1.0}[anchor[0]] * kind.getlength(plain)
    for place in (number for number, letter in enumerate(text) if letter == "µ"):
        stem = start + kind.getlength(plain[:place]) + 0.085 * size
        draw.rectangle(
            (stem, at[1] - 0.2 * size, stem + max(1.0, 0.08 * size) - 1, at[1] + 0.2 * size), fill=colour
        )


@cache
def font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the font that Pillow carries, so that every machine draws the same sheet."""
    return ImageFont.load_default(size_px)


@cache
def _table(colormap: str) -> np.ndarray:
    from cmap import Colormap

    colours = np.asarray(Colormap(colormap)(np.linspace(0, 1, 256)))
    return np.round(colours[:, :3] * 255).astype(np.uint8)
