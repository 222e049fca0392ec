"""The figure of an evaluation: every image's score, the worst and the best image, pixels against pixels."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from labelfree_core.analysis.display import Limits, limits
from labelfree_core.reports.drawing import WHITE, Box, Drawing, Item, Line, Words, to_svg
from labelfree_core.reports.figures import coloured, png, with_scale_bar
from labelfree_core.reports.plots import Axis, Heat, Plot, drawn

if TYPE_CHECKING:
    from labelfree_core.models.card import ModelCard
    from labelfree_core.training.evaluate import Example, ImageScore

_PICTURE_PX = 420
_BINS = 72
_ACCENT, _SOFT = "#0b6e75", "#cfe3e5"
_WIDTH_PT, _HEIGHT_PT = 330.0, 250.0
_LEFT_PT, _TOP_PT, _BOTTOM_PT = 36.0, 12.0, 34.0
_STYLE = """
body {font: 15px/1.5 'Source Sans 3', Helvetica, Arial, sans-serif; color: #17242b; max-width: 1180px;
  margin: 2rem auto; padding: 0 1.5rem;}
h1 {font-size: 1.7rem; margin: 0;} h2 {font-size: 1.15rem; margin: 2rem 0 0.4rem;}
p {margin: 0.3rem 0; color: #4a5a62;}
.row {display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(240px, 1fr));}
.top {display: grid; gap: 2rem; grid-template-columns: repeat(auto-fit, minmax(340px, 1fr));
  margin-top: 1rem; align-items: start;}
figure {margin: 0;} figcaption {font-size: 0.85rem; color: #4a5a62;}
img, svg {width: 100%; height: auto;}
table {border-collapse: collapse; font-size: 0.9rem; width: 100%;}
th, td {text-align: right; padding: 0.15rem 0.5rem; border-bottom: 1px solid #d6dfe3;
  font-variant-numeric: tabular-nums;}
th:first-child, td:first-child {text-align: left;} tr.median {font-weight: 600;}
"""


def draw(card: ModelCard, scores: Sequence[ImageScore], examples: Sequence[Example]) -> str:
    """
    Draw an evaluation.

    Parameters
    ----------
    card : ModelCard
    scores : sequence of ImageScore
    examples : sequence of Example
        The worst and the best image.

    Returns
    -------
    page : str
        HTML that needs no network and no scripts.
    """
    count = f"{len(scores)} image{'s' * (len(scores) != 1)}"
    body = [
        f"<h1>{html.escape(card.id)} on {count}</h1>",
        f"<p>{html.escape(card.structure)} predicted from {html.escape(card.modality)} images. Dots are "
        "images, boxes hold their middle half. The noise ceiling is the best r that the noise of a stain "
        "allows.</p>",
        f'<div class="top"><figure>{to_svg(_boxes(scores))}</figure>{_table(scores)}</div>',
    ]
    names = ("Lowest r", "Highest r") if len(examples) > 1 else ("The image",)
    for title, example in zip(names, examples, strict=False):
        body += [f"<h2>{title}: {html.escape(example.name)}, r {example.pearson_r:.2f}</h2>", _row(example)]
    title = f"<title>{html.escape(card.id)}</title>"
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width">{title}'
    head = f'<!doctype html><html lang="en"><head>{head}<style>{_STYLE}</style></head>'
    return f"{head}<body>{''.join(body)}</body></html>"


def _table(scores: Sequence[ImageScore]) -> str:
    rows = ["<tr><th>image</th><th>Pearson r</th><th>noise ceiling</th><th>Dice</th></tr>"]
    for score in sorted(scores, key=lambda score: -score.pearson_r):
        cells = (score.pearson_r, score.ceiling, score.dice)
        numbers = "".join(f"<td>{_number(value)}</td>" for value in cells)
        rows.append(f"<tr><td>{html.escape(score.name)}</td>{numbers}</tr>")
    if scores:
        middle = [_median([getattr(s, name) for s in scores]) for name in ("pearson_r", "ceiling", "dice")]
        numbers = "".join(f"<td>{_number(value)}</td>" for value in middle)
        rows.append(f'<tr class="median"><td>median</td>{numbers}</tr>')
    return f"<table>{''.join(rows)}</table>"


def _median(values: Sequence[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return float(np.median(known)) if known else math.nan


def _number(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "–"


def _boxes(scores: Sequence[ImageScore]) -> Drawing:
    """Draw a dot for each image and a box of the middle half, for r, its ceiling and Dice, on one axis."""
    sheet = Drawing(_WIDTH_PT, _HEIGHT_PT)
    columns = {
        "Pearson r": [score.pearson_r for score in scores],
        "noise ceiling": [score.ceiling for score in scores],
        "Dice of masks": [score.dice for score in scores],
    }
    shown = {name: [v for v in values if math.isfinite(v)] for name, values in columns.items()}
    shown = {name: values for name, values in shown.items() if values}
    low = min([0.0, *(math.floor(10 * min(values)) / 10 for values in shown.values())])
    bottom = _HEIGHT_PT - _BOTTOM_PT

    def y(value: float) -> float:
        return bottom - (value - low) / (1 - low) * (bottom - _TOP_PT)

    for tick in np.arange(round(low * 5) / 5, 1.01, 0.2):
        ends = ((_LEFT_PT, y(tick)), (_WIDTH_PT - 8, y(tick)))
        sheet.items += [
            Line(ends, WHITE.faint, 0.6),
            Words(_LEFT_PT - 6, y(tick) + 3, f"{tick:.1f}", WHITE.ink, 9, "end"),
        ]
    step = (_WIDTH_PT - _LEFT_PT - 8) / max(len(shown), 1)
    for number, (name, values) in enumerate(shown.items()):
        sheet.items += _box(_LEFT_PT + (number + 0.5) * step, name, [y(value) for value in values])
        sheet.items.append(
            Words(_LEFT_PT + (number + 0.5) * step, bottom + 18, name, WHITE.ink, 10, "middle")
        )
    return sheet


def _box(middle: float, name: str, heights: Sequence[float]) -> list[Item]:
    half = 26.0
    low, median, high = (float(value) for value in np.percentile(heights, (25, 50, 75)))
    found: list[Item] = []
    if len(heights) > 2:  # a box of two images would be a drawing of nothing
        found = [
            Box(middle - half, low, 2 * half, high - low, _SOFT),
            Line(((middle - half, median), (middle + half, median)), _ACCENT, 2),
        ]
    # The same image lies at the same place whenever the figure is drawn.
    aside = np.random.default_rng(len(name)).uniform(-0.6, 0.6, len(heights)) * half
    return found + [
        Box(middle + x - 2, height - 2, 4, 4, _ACCENT) for x, height in zip(aside, heights, strict=True)
    ]


def _row(example: Example) -> str:
    units = limits(example.observed)
    own = limits(example.predicted)
    parts = [
        (_picture(example.image, limits(example.image, 0.5, 99.5), example.pixel_um), "transmitted light"),
        (_picture(example.observed, units, example.pixel_um), "observed"),
        (_picture(example.predicted, own, example.pixel_um), "predicted, black and white of its own"),
    ]
    figures = [
        f'<figure><img src="{source}" alt="{words}"><figcaption>{words}</figcaption></figure>'
        for source, words in parts
    ]
    cloud = to_svg(drawn(_cloud(example, units, own)))
    words = "every pixel: brighter where there are more"
    return (
        f'<div class="row">{"".join(figures)}<figure>{cloud}<figcaption>{words}</figcaption></figure></div>'
    )


def _cloud(example: Example, seen: Limits, answered: Limits) -> Plot:
    """Count pixels by what was observed and predicted there; the logarithm shows the rare bright ones too."""
    counts, _, _ = np.histogram2d(
        example.predicted.ravel(), example.observed.ravel(), _BINS, (answered, seen)
    )
    heat = Heat(np.log1p(counts))
    return Plot(Axis("observed", *seen), Axis("predicted", *answered), heat=heat, square=False)


def _picture(plane: npt.NDArray[np.float32], window: Limits, pixel_um: float | None) -> str:
    step = max(1, round(max(plane.shape) / _PICTURE_PX))
    shade = coloured(plane[::step, ::step], window, "gray")
    content = png(with_scale_bar(shade, None if pixel_um is None else pixel_um * step))
    return "data:image/png;base64," + base64.b64encode(content).decode()
