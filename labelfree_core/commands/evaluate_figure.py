"""The figure of an evaluation: every image's score, pixels against pixels, the worst and the best image."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from labelfree_core.analysis.display import limits, rescale

if TYPE_CHECKING:
    from labelfree_core.training.evaluate import Example, ImageScore

# Enough points to see a cloud, few enough for a browser.
_POINTS = 3000
_LARGEST_PX = 640
_TITLES = ("Every image", "Pixels", "", "Transmitted light", "Observed", "Predicted")


def draw(scores: Sequence[ImageScore], examples: Sequence[Example]) -> str:
    """
    Draw an evaluation.

    Parameters
    ----------
    scores : sequence of ImageScore
    examples : sequence of Example
        The worst and the best image.

    Returns
    -------
    page : str
        HTML that needs no network.
    """
    from plotly.subplots import make_subplots

    rows = 1 + len(examples)
    titles = [*_TITLES[:3], *(_TITLES[3:] * len(examples))]
    figure = make_subplots(rows=rows, cols=3, subplot_titles=titles, vertical_spacing=0.06)
    _boxes(figure, scores)
    for row, example in enumerate(examples, start=2):
        _points(figure, example)
        _pictures(figure, example, row)
    figure.update_layout(
        title=f"n = {len(scores)} images; below the one with the lowest r, then the one with the highest",
        template="simple_white",
        height=420 * rows,
    )
    page: str = figure.to_html(include_plotlyjs=True)
    return page


def _boxes(figure: object, scores: Sequence[ImageScore]) -> None:
    import plotly.graph_objects as go

    names = [score.name for score in scores]
    for metric, values in (
        ("Pearson r", [score.pearson_r for score in scores]),
        ("Dice of masks", [score.dice for score in scores]),
    ):
        box = go.Box(y=values, text=names, name=metric, boxpoints="all", jitter=0.4, showlegend=False)
        figure.add_trace(box, row=1, col=1)  # type: ignore[attr-defined]


def _points(figure: object, example: Example) -> None:
    import plotly.graph_objects as go

    rng = np.random.default_rng(0)
    at = rng.integers(example.observed.size, size=min(_POINTS, example.observed.size))
    cloud = go.Scattergl(
        x=example.observed.ravel()[at],
        y=example.predicted.ravel()[at],
        mode="markers",
        marker={"size": 3, "opacity": 0.4},
        name=f"{example.name} (r {example.pearson_r:.2f})",
    )
    figure.add_trace(cloud, row=1, col=2)  # type: ignore[attr-defined]
    axis = {"row": 1, "col": 2}
    figure.update_xaxes(title_text="observed, z-score or segmentation", **axis)  # type: ignore[attr-defined]
    figure.update_yaxes(title_text="predicted", **axis)  # type: ignore[attr-defined]


def _pictures(figure: object, example: Example, row: int) -> None:
    import plotly.graph_objects as go

    for col, plane in enumerate((example.image, example.observed, example.predicted), start=1):
        picture = go.Image(source=_png(plane), hoverinfo="skip")
        figure.add_trace(picture, row=row, col=col)  # type: ignore[attr-defined]
        hidden = {"showticklabels": False, "row": row, "col": col}
        figure.update_xaxes(title_text=example.name if col == 1 else "", **hidden)  # type: ignore[attr-defined]
        figure.update_yaxes(**hidden)  # type: ignore[attr-defined]


def _png(plane: npt.NDArray[np.float32]) -> str:
    step = -(-max(plane.shape) // _LARGEST_PX)
    shade = (255 * rescale(plane, limits(plane))).astype(np.uint8)[::step, ::step]
    content = io.BytesIO()
    Image.fromarray(shade).convert("RGB").save(content, "PNG")
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()
