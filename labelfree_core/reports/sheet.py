"""One page to print or to send: one result with all that made it, or many pictures side by side."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

from labelfree_core.analysis.alignment import comparable
from labelfree_core.analysis.difference import differences
from labelfree_core.analysis.display import limits, own_limits, picture, thumbnail
from labelfree_core.analysis.scores import Scores, explain
from labelfree_core.analysis.scores import scores as score
from labelfree_core.images.stack import ImageStack
from labelfree_core.inference.prediction import Prediction
from labelfree_core.reports.figures import DIVERGING, coloured, font, png, with_scale_bar, zoomed

PANEL_WIDTH_PX, PANEL_HEIGHTS_PX = 760, (240, 760)
HEADLINE_PX = 70
MARGIN_PX, CAPTION_PX = 24, 26
TEXT_WIDTH = 190
WHITE, BLACK, GREY = (255, 255, 255), (20, 20, 20), (110, 110, 110)


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """One picture of a contact sheet: uint8, shape (Y, X) or (Y, X, 3), and the words below it."""

    picture: np.ndarray
    caption: str


@dataclass(frozen=True, slots=True, eq=False)
class _Panels:
    tiles: tuple[Tile, ...]
    scores: Scores | None = None
    notes: tuple[str, ...] = field(default=())


def result_sheet(
    signal: ImageStack, prediction: Prediction, *, observed: ImageStack | None = None, title: str = ""
) -> bytes:
    """
    Draw one result as one page.

    Transmitted light (middle plane), prediction and, where there is one, the observed stain (maximum
    projections between the same limits) and their difference (mean projection, zero in the middle), with
    scores, model, hashes, voxel size and notes.

    Parameters
    ----------
    signal : ImageStack
        The transmitted-light image.
    prediction : Prediction
    observed : ImageStack, optional
        The stain of the same field.
    title : str
        Replaces the headline.

    Returns
    -------
    png : bytes
        1592 pixels wide.
    """
    box = _box(prediction.voxels.shape)
    panels = _panels(signal, prediction, observed)
    lines = _lines(signal, prediction, panels)
    width = 2 * box[0] + 3 * MARGIN_PX
    rows = (len(panels.tiles) + 1) // 2
    step_x, step_y = box[0] + MARGIN_PX, box[1] + CAPTION_PX + MARGIN_PX
    text_top = HEADLINE_PX + rows * step_y
    page = Image.new("RGB", (width, text_top + 22 * len(lines) + 2 * MARGIN_PX), WHITE)
    draw = ImageDraw.Draw(page)
    headline = title or f"{prediction.structure} predicted from {signal.origin.name}"
    draw.text((MARGIN_PX, 20), textwrap.shorten(headline, 90), fill=BLACK, font=font(28))
    for number, tile in enumerate(panels.tiles):
        corner = (MARGIN_PX + (number % 2) * step_x, HEADLINE_PX + (number // 2) * step_y)
        _paste(page, tile, corner, box)
    for number, line in enumerate(lines):
        draw.text((MARGIN_PX, text_top + 22 * number), line, fill=BLACK, font=font(15))
    return png(np.asarray(page))


def contact_sheet(tiles: Sequence[Tile], *, columns: int = 4, cell_px: tuple[int, int] = (308, 208)) -> bytes:
    """
    Lay pictures out in rows, two rows of four for eight of them.

    Parameters
    ----------
    tiles : sequence of Tile
        In reading order.
    columns : int
    cell_px : (width, height)
        The box that each picture is fitted into.

    Returns
    -------
    png : bytes
    """
    rows = max(1, -(-len(tiles) // columns))
    step_x, step_y = cell_px[0] + MARGIN_PX // 2, cell_px[1] + CAPTION_PX + MARGIN_PX // 2
    page = Image.new("RGB", (columns * step_x + MARGIN_PX // 2, rows * step_y + MARGIN_PX // 2), WHITE)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        _paste(page, tile, (MARGIN_PX // 2 + column * step_x, MARGIN_PX // 2 + row * step_y), cell_px)
    return png(np.asarray(page))


def _panels(signal: ImageStack, prediction: Prediction, observed: ImageStack | None) -> _Panels:
    pixel = prediction.voxel_size_um[-1]
    plane = signal.voxels if signal.voxels.ndim == 2 else signal.voxels[signal.shape[0] // 2]
    light = _panel(
        thumbnail(plane), signal.voxel_size_um[-1] if signal.voxel_size_um else None, "Transmitted light"
    )
    if observed is None:
        shown = picture(prediction.voxels, own_limits(prediction.voxels, prediction.units))
        return _Panels((light, _panel(shown, pixel, f"Predicted {prediction.structure}, maximum projection")))
    pair = comparable(observed, prediction.stack)
    between = limits(pair.observed)
    found = differences(pair.observed, pair.predicted)
    middle = coloured(found.projections()["observed_minus_predicted"], found.symmetric_limits, DIVERGING)
    reach = found.symmetric_limits[1]
    tiles = (
        light,
        _panel(picture(pair.predicted, between), pixel, f"Predicted {prediction.structure}, same limits"),
        _panel(picture(pair.observed, between), pixel, "Observed, maximum projection"),
        _panel(middle, pixel, f"Observed - predicted, mean; blue -{reach:.1f} ... red +{reach:.1f} SD"),
    )
    return _Panels(
        tiles, score(pair.observed, pair.predicted, noise_ceiling=pair.ceiling, units=pair.units), pair.notes
    )


def _panel(shown: np.ndarray, pixel_um: float | None, caption: str) -> Tile:
    fitted = zoomed(shown, *_box(shown.shape))
    scaled = pixel_um * shown.shape[1] / fitted.shape[1] if pixel_um else None
    return Tile(with_scale_bar(fitted, scaled), caption)


def _lines(signal: ImageStack, prediction: Prediction, panels: _Panels) -> list[str]:
    origin = signal.origin
    index = "" if origin.channel_index is None else str(origin.channel_index)
    channel = f", channel {origin.channel_name or index}" if origin.channel_name or index else ""
    axes = "ZYX"[-prediction.voxels.ndim :]
    size = " x ".join(f"{value:.4g}" for value in prediction.voxel_size_um)
    shape = " x ".join(map(str, prediction.voxels.shape))
    facts = [
        f"Image: {origin.name}{channel}, sha256 {origin.sha256[:16] or 'unknown'}",
        f"Model: {prediction.model_id}, weights sha256 {prediction.model_sha256[:16] or 'unknown'}",
        f"Grid: {shape} voxels of {size} um ({axes}), unit: {prediction.units}",
    ]
    if origin.simulated:
        facts.insert(0, "SIMULATED IMAGE: computed, never seen by a microscope.")
    if panels.scores is not None:
        found = panels.scores
        facts.append(
            f"Pearson r {found.pearson_r:.3f}   SSIM {found.ssim:.3f}   NRMSE {found.nrmse:.3f}   "
            f"Otsu Dice {found.dice_otsu:.3f}   noise ceiling {found.ceiling:.3f}   "
            f"n = {found.n_voxels:,} voxels"
        )
        # A simulated image is easier than those of the paper.
        facts.append(explain(found, "" if origin.simulated else prediction.structure))
    facts += [*prediction.notes, *panels.notes, "A prediction is an estimate by a network, not a stain."]
    return [line for fact in facts for line in textwrap.wrap(fact, TEXT_WIDTH)]


def _box(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return width and height of a panel: as wide as half the page, in the proportions of the image."""
    height = round(PANEL_WIDTH_PX * shape[-2] / shape[-1])
    return PANEL_WIDTH_PX, min(max(height, PANEL_HEIGHTS_PX[0]), PANEL_HEIGHTS_PX[1])


def _paste(page: Image.Image, tile: Tile, corner: tuple[int, int], box_px: tuple[int, int]) -> None:
    """Centre a picture in its box and write its caption below."""
    left, top = corner
    fitted = Image.fromarray(zoomed(tile.picture, *box_px)).convert("RGB")
    page.paste(fitted, (left + (box_px[0] - fitted.width) // 2, top + (box_px[1] - fitted.height) // 2))
    words = textwrap.shorten(tile.caption, max(12, box_px[0] // 8), placeholder="...")
    ImageDraw.Draw(page).text((left, top + box_px[1] + 4), words, fill=GREY, font=font(15))
