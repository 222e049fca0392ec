"""Voxel by voxel: how the prediction goes with the stain, as a plot."""

from __future__ import annotations

import numpy as np
import streamlit as st

from labelfree_core.analysis.alignment import Pair
from labelfree_core.analysis.display import Limits, limits
from labelfree_core.analysis.segmentation import is_mask
from labelfree_core.reports.plots import Axis, Curve, Heat, Plot
from pages.components import plotting, words
from pages.components.keeping import kept

SCATTER_BINS, CURVE_BINS = 96, 80
# Few enough values that bins of different numbers of them would show as stripes.
FEW_LEVELS = 8 * SCATTER_BINS
LOOKED_AT, PLOT_PX = 200_000, 440


def counted(pair: Pair, voxels: np.ndarray) -> np.ndarray:
    """Return the voxels that count: all, or those inside the region of interest."""
    return voxels if pair.region is None else voxels[pair.region]


def section(key: tuple[str, str], pair: Pair, name: str) -> None:
    """Show the plot, with how to read it; *name* begins the names of its files."""
    many = words.points(pair.observed.ndim)
    one = many[:-1]
    st.subheader(f"{one.capitalize()} by {one}", anchor=False)
    drawn, meaning = plot(key, pair)
    alt = f"Predicted against observed brightness of all {many}"
    plotting.show(drawn, f"{name}_voxels", height_px=PLOT_PX, alt=alt, key="voxel-plot")
    st.caption(meaning)


@kept(most=2)
def plot(key: tuple[str, str], _pair: Pair) -> tuple[Plot, str]:
    """Plot how the prediction goes with the stain voxel by voxel, and say how to read it."""
    if is_mask(_pair.observed):
        return _inside_outside(_pair), (
            "How bright the prediction is inside and outside the marked objects: the less they overlap, "
            "the better a threshold can tell them apart."
        )
    stain, mate = counted(_pair, _pair.observed).ravel(), counted(_pair, _pair.predicted).ravel()
    edges = even_edges(stain, limits(_pair.observed))
    counts, _, _ = np.histogram2d(mate, stain, (edges, edges))
    ends = edges[[0, -1]]
    drawn = Plot(
        Axis("observed (z-score)", *ends),
        Axis("predicted (z-score)", *ends),
        heat=Heat(np.log10(counts + 1)),
        curves=(Curve(ends, ends, "#ffffff", dashed=True),),
        square=True,
    )
    points = words.points(_pair.observed.ndim)
    return drawn, (
        f"Each {points[:-1]} by its two values; on the dotted line they are equal. Brighter: more {points}."
    )


def even_edges(values: np.ndarray, between: Limits) -> np.ndarray:
    """
    Return the edges of equal bins; where a camera gave few grey levels, each bin holds as many of them.

    >>> np.diff(even_edges(np.arange(130.0), (0.0, 129.0)))[:3].tolist()
    [2.0, 2.0, 2.0]
    """
    low, high = between
    width = (high - low) / SCATTER_BINS
    levels = np.unique(values[:: max(1, values.size // LOOKED_AT)])
    levels = levels[(levels >= low) & (levels <= high)]
    if not 2 < levels.size < FEW_LEVELS:
        return np.linspace(low, high, SCATTER_BINS + 1)
    step = float(np.median(np.diff(levels)))
    width = step * np.ceil(width / step)
    low = float(levels[0]) - step / 2
    return low + width * np.arange(int(np.ceil((high - low) / width)) + 1)


def _inside_outside(pair: Pair) -> Plot:
    observed, predicted = counted(pair, pair.observed).ravel(), counted(pair, pair.predicted).ravel()
    inside = observed > observed.min()
    low, high = (float(value) for value in np.percentile(predicted, (0.01, 99.99)))
    edges = np.linspace(low, high if high > low else low + 1, CURVE_BINS + 1)
    middles, curves, top = (edges[:-1] + edges[1:]) / 2, [], 0.0
    for where, label, colour in ((~inside, "outside", "#8a979d"), (inside, "inside", "#0b8f8a")):
        share = 100 * np.histogram(predicted[where], edges)[0] / max(1, np.count_nonzero(where))
        curves.append(Curve(middles, share, colour, label))
        top = max(top, float(share.max()))
    return Plot(
        Axis("predicted (z-score)", edges[0], edges[-1]),
        Axis(f"share of {words.points(pair.observed.ndim)} (%)", 0.0, 1.08 * top),
        curves=tuple(curves),
    )
