"""The parts of the page "Compare": numbers, blink, difference maps, and what is left without a stain."""

from __future__ import annotations

from functools import partial

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from labelfree_core.analysis.alignment import Pair
from labelfree_core.analysis.difference import Differences, differences
from labelfree_core.analysis.display import limits
from labelfree_core.analysis.scores import Scores, published
from labelfree_core.inference.prediction import Prediction
from labelfree_core.reports.figures import coloured, png
from labelfree_core.reports.gif import blink_gif
from pages.components import downloads, showing, words
from pages.components.session import Session

SCATTER_BINS = 96
TITLES = {
    "observed_minus_predicted": "Observed − predicted",
    "predicted_minus_observed": "Predicted − observed",
    "absolute": "Absolute difference",
}


def numbers(found: Scores, structure: str, modality: str) -> None:
    """Show the scores, each with a word of help, beside what was published."""
    row = published(structure, modality)
    values = [
        (
            "Pearson r",
            words.number(found.pearson_r),
            "1: brightness rises and falls together; 0: no relation.",
        ),
        ("SSIM", words.number(found.ssim), "Structural similarity: 1 is identical to the eye."),
        (
            "NRMSE",
            words.number(found.nrmse),
            "Typical error in standard deviations of the stain: 0 is perfect.",
        ),
        ("Dice", words.number(found.dice_otsu), "Overlap of the two Otsu masks: 1 is perfect."),
        ("Noise ceiling", words.number(found.ceiling), "The best r that noise in the observed image allows."),
        (
            "Published r",
            "none" if row is None else words.number(row.pearson_r),
            "Median of the paper's test images.",
        ),
    ]
    for column, (label, value, meaning) in zip(st.columns(len(values)), values, strict=True):
        column.metric(label, value, help=meaning)


@st.cache_resource(show_spinner=False, scope="session", max_entries=8)
def gif(result: str, observed: str, _pair: Pair) -> bytes:
    """Make the two-frame GIF, 2 s a frame, between the limits of the observed image."""
    return blink_gif(_pair.observed, _pair.predicted, seconds=2.0, captions=("observed", "predicted"))


def blink(frames: bytes, pair: Pair) -> None:
    """Show the GIF, and between which limits."""
    window = limits(pair.observed)
    shown = "Maximum projections in" if pair.observed.ndim == 3 else "In"
    st.image(frames, width="stretch", alt="Observed and predicted in turn, 2 seconds each")
    st.caption(
        f"{shown} turn, both from {window[0]:.2f} to {window[1]:.2f} standard deviations "
        "(0.02 and 99.8 percent of the observed image)."
    )


def scatter(pair: Pair, key: str) -> None:
    """Show how brightness of the prediction goes with brightness of the stain, voxel by voxel."""
    low, high = limits(pair.observed)
    edges = np.linspace(low, high, SCATTER_BINS + 1)
    counts, _, _ = np.histogram2d(pair.predicted.ravel(), pair.observed.ravel(), bins=(edges, edges))
    heat = go.Heatmap(
        z=np.log10(counts + 1),
        x=edges[:-1],
        y=edges[:-1],
        colorscale="Viridis",
        showscale=False,
        hoverinfo="skip",
    )
    line = go.Scatter(
        x=[low, high], y=[low, high], mode="lines", line={"color": "white", "dash": "dot", "width": 1}
    )
    figure = go.Figure([heat, line])
    figure.update_layout(
        height=330,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        xaxis_title="observed (z-score)",
        yaxis_title="predicted (z-score)",
        showlegend=False,
    )
    config = {
        "toImageButtonOptions": {"format": "svg", "filename": "observed-predicted"},
        "displaylogo": False,
    }
    st.plotly_chart(figure, key="scatter", config=config, alt="Two-dimensional histogram of all voxels")
    st.caption("Each voxel by its two values; on the dotted line they are equal. Brighter: more voxels.")


def difference_maps(pair: Pair, name: str) -> None:
    """Show the three mean projections of the differences between one pair of limits."""
    found: Differences = differences(pair.observed, pair.predicted)
    pixel_um = None if pair.voxel_size_um is None else pair.voxel_size_um[-1]
    for column, (key, values) in zip(st.columns(3), found.projections().items(), strict=True):
        shown = showing.framed(coloured(values, found.limits, "viridis"), pixel_um, columns=3)
        showing.picture(column, shown, TITLES[key])
        with column:
            downloads.button("PNG", partial(png, shown), f"{name}_{key}.png", "image/png")
    low, high = found.limits
    bar = coloured(np.tile(np.linspace(low, high, 512), (10, 1)), found.limits, "viridis")
    left, middle, right = st.columns([1, 6, 1], vertical_alignment="center")
    left.markdown(f"{low:.2f}")
    middle.image(bar, width="stretch", alt="Colour bar")
    right.markdown(f"{high:.2f}")
    st.caption(
        "Mean over all planes, in standard deviations of the stain; one scale for all three. "
        "In the viewer above, “difference” shows each plane with zero in the middle of the colours."
    )


def without_observed(work: Session, prediction: Prediction) -> None:
    """Say that there is nothing to compare with, and what does work."""
    image = work.image
    assert image is not None
    if image.observed:
        st.info(f"No channel is known to show {words.plain(prediction.structure)}. Choose one above.")
    else:
        st.info(
            "This file holds no observed stain, so the prediction can't be compared with one. What works: "
            "look at it beside the bright-field image on Predict, make masks of it on Masks, and judge the "
            "model by the held-out scores on Models. To check it on your microscope, stain a few fields and "
            "open them here."
        )
    with st.container(horizontal=True):
        st.page_link("pages/predict.py", label="Look at it on Predict", icon=":material/auto_awesome:")
        st.page_link("pages/masks.py", label="Make masks", icon=":material/gradient:")
        st.page_link("pages/models.py", label="Read the model's card", icon=":material/menu_book:")
