"""The parts of the page "Masks": thresholds with their histogram, overlays, and clipping."""

from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from labelfree_core.analysis.alignment import Pair
from labelfree_core.analysis.display import limits, picture, project
from labelfree_core.analysis.masks import Agreement, clip_to_mask, otsu_threshold
from labelfree_core.inference.prediction import Prediction
from labelfree_core.reports.figures import overlay
from pages.components import session, showing
from pages.components.viewer import Layer, viewer

BINS = 160
STEPS = 400


@st.cache_resource(show_spinner=False, scope="session", max_entries=16)
def _summary(key: str, _voxels: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Otsu's threshold, and the histogram between the limits somebody could want."""
    low, high = (float(v) for v in np.percentile(_voxels, (0.01, 99.99)))
    counts, edges = np.histogram(_voxels, BINS, (low, high) if high > low else (low, low + 1))
    return otsu_threshold(_voxels), counts, edges


def threshold(title: str, voxels: np.ndarray, key: str, units: str = "z-score") -> float:
    """Show the histogram with its threshold, and let the person move it; Otsu's is one click away."""
    otsu, counts, edges = _summary(key, voxels)
    work = session.current()
    low, high = float(edges[0]), float(edges[-1])
    now = min(max(work.thresholds.get(key, otsu), low), high)
    widget = f"threshold-{key}"
    head, back = st.columns([3, 2], vertical_alignment="bottom")
    head.markdown(f"**{title}**")
    if back.button("Back to Otsu", key=f"otsu-{key}", disabled=key not in work.thresholds, width="stretch"):
        work.thresholds.pop(key, None)
        st.session_state.pop(widget, None)
        st.rerun()
    moved = st.slider(
        f"Threshold of the {title.lower()} image ({units})",
        low,
        high,
        now,
        (high - low) / STEPS,
        "%.2f",
        key=widget,
    )
    if not math.isclose(moved, now, abs_tol=(high - low) / STEPS):
        work.thresholds[key] = float(moved)
        st.rerun()
    chosen = work.thresholds.get(key, otsu)
    _histogram((counts, edges), (chosen, otsu), key, units)
    return chosen


def _histogram(
    bins: tuple[np.ndarray, np.ndarray], thresholds: tuple[float, float], key: str, units: str
) -> None:
    (counts, edges), (chosen, otsu) = bins, thresholds
    middles = (edges[:-1] + edges[1:]) / 2
    colours = np.where(middles > chosen, "#0b8f8a", "#9aa7ad")
    figure = go.Figure(go.Bar(x=middles, y=counts, marker={"color": colours, "line": {"width": 0}}))
    figure.add_vline(chosen, line={"color": "#d98300", "width": 2})
    figure.add_vline(otsu, line={"color": "#888888", "width": 1, "dash": "dot"})
    figure.update_layout(
        height=170,
        margin={"l": 10, "r": 10, "t": 6, "b": 10},
        bargap=0,
        yaxis={"type": "log", "title": "voxels"},
        xaxis={"title": f"{units}; threshold {chosen:.2f}, Otsu {otsu:.2f}"},
    )
    st.plotly_chart(
        figure, key=f"histogram-{key}", config={"displayModeBar": False}, alt="Histogram with threshold"
    )


def sentence(found: Agreement) -> str:
    """Say the agreement in one sentence."""
    if math.isnan(found.dice):
        return "Neither mask holds anything; lower a threshold."
    observed = int(found.both.sum() + found.missed.sum())
    caught = found.both.sum() / observed if observed else 0.0
    beyond = found.extra.sum() / max(1, found.extra.sum() + found.both.sum())
    return (
        f"The prediction marks **{caught:.0%}** of what the stain marks, and "
        f"**{beyond:.0%}** of what it marks is not stained."
    )


def side_by_side(pair: Pair, observed: np.ndarray, predicted: np.ndarray) -> None:
    """Show both masks and their overlay, by maximum projection."""
    pixel_um = None if pair.voxel_size_um is None else pair.voxel_size_um[-1]
    first, second, third = st.columns(3)
    for column, shown, title in ((first, observed, "Observed mask"), (second, predicted, "Predicted mask")):
        showing.picture(
            column, showing.framed(project(shown).astype(np.uint8) * 255, pixel_um, columns=3), title
        )
    showing.picture(third, showing.framed(overlay(observed, predicted), pixel_um, columns=3), "Overlay")
    third.html(
        '<div class="lf-fact">'
        '<span style="background:#f0f0f0;border:1px solid #888;padding:0 .6em"></span>&nbsp; both '
        '<span style="background:#e69f00;padding:0 .6em;margin-left:.8em"></span>&nbsp; missed '
        '<span style="background:#0072b2;padding:0 .6em;margin-left:.8em"></span>&nbsp; extra</div>'
    )
    if pair.observed.ndim == 3:
        st.caption("Maximum projections; Dice and IoU count all voxels of the stack.")


def alone(prediction: Prediction, predicted: np.ndarray) -> None:
    """Show the prediction and its mask where there is no stain."""
    pixel_um = prediction.voxel_size_um[-1]
    first, second = st.columns(2)
    shown = picture(prediction.voxels, limits(prediction.voxels))
    showing.picture(first, showing.framed(shown, pixel_um), "Predicted")
    showing.picture(
        second, showing.framed(project(predicted).astype(np.uint8) * 255, pixel_um), "Predicted mask"
    )
    st.caption(f"Marked: {predicted.mean():.1%} of all voxels. Maximum projections.")


def clipped(pair: Pair, predicted: np.ndarray) -> None:
    """Show the observed image before and after it is clipped by the predicted mask."""
    pixel_um = None if pair.voxel_size_um is None else pair.voxel_size_um[-1]
    window, after = limits(pair.observed), clip_to_mask(pair.observed, predicted)
    before, then = st.columns(2)
    note = "from {:.2f} to {:.2f}"
    showing.picture(
        before, showing.framed(picture(pair.observed, window), pixel_um), "Before", note.format(*window)
    )
    showing.picture(
        then,
        showing.framed(picture(after.voxels, after.limits), pixel_um),
        "After",
        note.format(*after.limits),
    )
    st.caption(
        "Outside the predicted mask, observed voxels are set to the observed minimum; the limits are found "
        "anew on what is left. Haze and debris go, and so does what the prediction missed."
    )


def planes(pair: Pair, masks: tuple[np.ndarray, np.ndarray], key: str) -> None:
    """Show both masks plane by plane."""
    size = pair.voxel_size_um or (1.0,) * pair.observed.ndim
    names = ("Observed mask", "Predicted mask")
    layers = [
        Layer(name, inside, size, kind="mask", digest=f"{name}|{key}")
        for name, inside in zip(names, masks, strict=True)
    ]
    viewer(
        layers,
        key="masks-view",
        modes=("side", "merge", "blink", "swipe"),
        height_px=showing.height_px(pair.observed.shape, 2),
    )
