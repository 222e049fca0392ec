"""Plots on a page: drawn to be pointed at, and saved as they are for a paper or a slide."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial

import numpy as np
import streamlit as st

from labelfree_core.reports.plots import Axis, Bars, Curve, Heat, Plot, drawn
from pages.components import saving


def show(plot: Plot, name: str, *, height_px: int = 200, alt: str, key: str, save: bool = True) -> None:
    """
    Show a plot with its menu to save it.

    Parameters
    ----------
    plot : Plot
    name : str
        Begins the names of saved files.
    height_px : int
        Of a plot that is not square; a square one is as high as its column is wide, within reason.
    alt : str
        Says what is seen, for a screen reader.
    key : str
        Unique on the page.
    save : bool
        Whether to offer it as a file; not while it changes.
    """
    import plotly.graph_objects as go  # a page without a plot does not wait for it

    figure = go.Figure([*_heat(plot), *map(_bars, plot.bars), *map(_curve, plot.curves)])
    figure.update_layout(
        height=None if plot.square else height_px,
        margin={"l": 10, "r": 10, "t": 8, "b": 10},
        bargap=0,
        barmode="overlay",
        showlegend=any(curve.label for curve in plot.curves),
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"},
        xaxis=_axis(plot.x, grid=False),
        yaxis=_axis(plot.y, grid=plot.heat is None) | ({"scaleanchor": "x"} if plot.square else {}),
    )
    with st.container(key=f"square-{key}") if plot.square else nullcontext():
        st.plotly_chart(
            figure,
            key=key,
            height="stretch" if plot.square else "content",
            config={"displayModeBar": False},
            alt=alt,
        )
    if save:
        saving.menu(partial(drawn, plot), name)


def _axis(axis: Axis, *, grid: bool) -> dict[str, object]:
    ends = [float(np.log10(end)) for end in (axis.low, axis.high)] if axis.log else [axis.low, axis.high]
    kind = {"type": "log", "dtick": max(1, round((ends[1] - ends[0]) / 4))} if axis.log else {}
    return {
        "title": axis.title,
        "range": ends,
        "showgrid": grid,
        "zeroline": False,
        "constrain": "domain",
    } | kind


def _heat(plot: Plot) -> list[object]:
    import plotly.graph_objects as go

    if plot.heat is None:
        return []
    rows, columns = plot.heat.values.shape
    return [
        go.Heatmap(
            z=plot.heat.values,
            x=_middles(np.linspace(plot.x.low, plot.x.high, columns + 1)),
            y=_middles(np.linspace(plot.y.low, plot.y.high, rows + 1)),
            colorscale=plot.heat.colormap,
            showscale=False,
            hoverinfo="skip",
        )
    ]


def _bars(bars: Bars) -> object:
    import plotly.graph_objects as go

    colours = {"color": list(bars.colours), "line": {"width": 0}}
    return go.Bar(x=_middles(bars.edges), y=bars.heights, marker=colours, name=bars.label, showlegend=False)


def _curve(curve: Curve) -> object:
    import plotly.graph_objects as go

    look = {"color": curve.colour, "width": 2, "dash": "dot" if curve.dashed else "solid"}
    return go.Scatter(
        x=curve.x, y=curve.y, mode="lines", line=look, name=curve.label, showlegend=bool(curve.label)
    )


def _middles(edges: np.ndarray) -> np.ndarray:
    return (edges[:-1] + edges[1:]) / 2


__all__ = ["Axis", "Bars", "Curve", "Heat", "Plot", "show"]
