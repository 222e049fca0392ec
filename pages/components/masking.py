"""The parts of the page "Masks": thresholds with their histogram, overlays, and clipping."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st

from labelfree_core.analysis.alignment import Pair
from labelfree_core.analysis.display import Limits, limits, picture, project
from labelfree_core.analysis.masks import Agreement, clip_to_mask, otsu_threshold, whole_bins
from labelfree_core.analysis.segmentation import is_mask
from labelfree_core.inference.prediction import Prediction
from labelfree_core.reports import panels as figure_panels
from labelfree_core.reports.figures import AGREE, EXTRA, MISSED, overlay
from labelfree_core.reports.plots import Axis, Bars, Curve, Plot
from pages.components import plotting, saving, session, showing, words
from pages.components.keeping import kept
from pages.components.viewer import Measured, ViewState, moved, viewer

BINS = 160
STEPS = 400
VIEW, OTSU = "masks-view", "otsu"
VIEW_PX = 720  # higher, its one panel would leave much room empty below two
PAIR_MODES = ("threshold", "side", "blink", "swipe", "merge", "difference")
OBJECT, BACKGROUND, THRESHOLD = "#0b8f8a", "#9aa7ad", "#d98300"
LEGEND = tuple(
    ("#" + bytes(colour).hex(), word)
    for colour, word in ((AGREE, "both"), (MISSED, "missed"), (EXTRA, "extra"))
)


@kept()
def _summary(key: str, _voxels: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Otsu's threshold, and the histogram between the limits somebody could want."""
    low, high = (float(v) for v in np.percentile(_voxels, (0.01, 99.99)))
    counts, edges = np.histogram(_voxels, whole_bins(_voxels, (low, high), BINS))
    return otsu_threshold(_voxels), counts, edges


@dataclass(frozen=True, slots=True)
class Shown:
    """What a threshold is of: its title, the unit of its brightness, and how many axes the image has."""

    title: str
    units: str = "z-score"
    n_axes: int = 3


def threshold(shown: Shown, voxels: np.ndarray, key: str, name: str) -> float:
    """
    Show the histogram with its threshold, and let the person move it; Otsu's is one click away.

    *voxels* are those that count, in an array of any shape.
    """
    title, units = shown.title, shown.units
    otsu, counts, edges = _summary(key, voxels)
    head = st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center")
    head.markdown(f"**{title}**")
    if is_mask(voxels):
        st.caption(
            "This channel is a segmentation: its objects are the mask, and there is no threshold to choose."
        )
        return otsu
    work = session.current()
    low, high = float(edges[0]), float(edges[-1])
    _take(work, key, (low, high))
    now = min(max(work.thresholds.get(key, otsu), low), high)
    widget = f"threshold-{key}-{st.session_state.get(_turn(key), 0)}"
    moved_before = key in work.thresholds
    if head.button("Back to Otsu", key=f"otsu-{key}", disabled=not moved_before, type="tertiary"):
        st.session_state[_asked(key)] = OTSU  # a browser gives a slider's value back that the page let go
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
    alt = f"Histogram of the {title.lower()} image with its threshold"
    plot = histogram((counts, edges), (chosen, otsu), units, words.points(shown.n_axes))
    plotting.show(plot, f"{name}_{title.lower()}-histogram", height_px=230, alt=alt, key=f"histogram-{key}")
    return chosen


def histogram(
    bins: tuple[np.ndarray, np.ndarray], thresholds: tuple[float, float], units: str, points: str = "voxels"
) -> Plot:
    """Plot how many voxels or pixels have which brightness on a logarithmic axis, and what is object."""
    (counts, edges), (chosen, otsu) = bins, thresholds
    middles = (edges[:-1] + edges[1:]) / 2
    top = 1.6 * max(10.0, float(counts.max()))
    colours = tuple(OBJECT if middle > chosen else BACKGROUND for middle in middles)
    ends = np.array([0.7, top])
    rules = [Curve(np.array([chosen, chosen]), ends, THRESHOLD, f"threshold {words.number(chosen)}")]
    if not math.isclose(chosen, otsu, abs_tol=(edges[-1] - edges[0]) / STEPS):
        rules.append(
            Curve(np.array([otsu, otsu]), ends, BACKGROUND, f"Otsu {words.number(otsu)}", dashed=True)
        )
    return Plot(
        Axis(f"brightness ({units})", float(edges[0]), float(edges[-1])),
        Axis(points, 0.7, top, log=True),
        (Bars(edges, counts, colours),),
        curves=tuple(rules),
    )


def scores(found: Agreement, *, marked: str) -> None:
    """Show how well both masks agree, in numbers and in a sentence."""
    dice, iou, said = st.columns([1, 1, 4], vertical_alignment="center")
    dice.metric(
        "Dice", words.number(found.dice), help="Twice the overlap over the sum of both masks; 1 is perfect."
    )
    iou.metric("IoU", words.number(found.iou), help="Overlap over union; 1 is perfect.")
    said.markdown(sentence(found, marked=marked))


def sentence(found: Agreement, *, marked: str = "stained") -> str:
    """Say the agreement in one sentence; *marked* says what the observed mask means."""
    if math.isnan(found.dice):
        return "Neither mask holds anything; lower a threshold."
    observed = int(found.both.sum() + found.missed.sum())
    caught = found.both.sum() / observed if observed else 0.0
    beyond = found.extra.sum() / max(1, found.extra.sum() + found.both.sum())
    return (
        f"The prediction marks **{caught:.0%}** of what is {marked}, and "
        f"**{beyond:.0%}** of what it marks is not {marked}."
    )


def side_by_side(pair: Pair, masks: tuple[np.ndarray, np.ndarray], name: str) -> None:
    """Show both masks and their overlay, by maximum projection."""
    pixel_um = None if pair.voxel_size_um is None else pair.voxel_size_um[-1]
    counted = masks if pair.region is None else (masks[0] & pair.region, masks[1] & pair.region)
    panels = [
        figure_panels.Panel(project(masks[0]).astype(np.uint8) * 255, "Observed mask"),
        figure_panels.Panel(project(masks[1]).astype(np.uint8) * 255, "Predicted mask"),
        figure_panels.Panel(overlay(*counted), "Overlay"),
    ]
    for column, panel in zip(st.columns(3), panels, strict=True):
        showing.picture(column, showing.framed(panel.pixels, pixel_um, columns=3), panel.title)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        legend = " ".join(_swatch(*part) for part in LEGEND)
        st.html(f'<div class="lf-fact">{legend}</div>', width="content")
        where = "" if pair.region is None else " inside the region"
        if pair.observed.ndim == 3:
            st.caption(f"Maximum projections; Dice and IoU count all voxels{where}.", width="stretch")
        draw = partial(figure_panels.side_by_side, panels, pixel_um, legend=LEGEND)
        saving.menu(lambda theme: draw(theme=theme), f"{name}_masks")


def _swatch(colour: str, word: str) -> str:
    box = f"background:{colour};border:1px solid #888;padding:0 .6em"
    return f'<span style="margin-right:.9em"><span style="{box}"></span>&nbsp;{word}</span>'


def alone(prediction: Prediction, predicted: np.ndarray) -> None:
    """Show the prediction and its mask where there is no stain."""
    pixel_um = prediction.voxel_size_um[-1]
    first, second = st.columns(2)
    shown = picture(prediction.voxels, showing.own_window(prediction))
    showing.picture(first, showing.framed(shown, pixel_um), "Predicted")
    showing.picture(
        second, showing.framed(project(predicted).astype(np.uint8) * 255, pixel_um), "Predicted mask"
    )
    how = " Maximum projections." if predicted.ndim == 3 else ""
    st.caption(f"Marked: {predicted.mean():.1%} of all {words.points(predicted.ndim)}.{how}")


def clipped(pair: Pair, predicted: np.ndarray) -> None:
    """Show the observed image before and after it is clipped by the predicted mask."""
    pixel_um = None if pair.voxel_size_um is None else pair.voxel_size_um[-1]
    window, after = limits(pair.observed), clip_to_mask(pair.observed, predicted)
    before, then = st.columns(2)
    showing.picture(
        before, showing.framed(picture(pair.observed, window), pixel_um), "Before", _between(window)
    )
    showing.picture(
        then,
        showing.framed(picture(after.voxels, after.limits), pixel_um),
        "After",
        _between(after.limits),
    )
    st.caption(
        f"Outside the predicted mask, observed {words.points(predicted.ndim)} are set to the observed "
        "minimum; the limits are found anew on what is left. Haze and debris go, and so does what the "
        "prediction missed."
    )


def _between(window: Limits) -> str:
    return "from {} to {} (z-score)".format(*map(words.intensity, window))


def follow_viewer(observed: str, predicted: str) -> None:
    """Take over thresholds that the person moved in the viewer, before the page's own sliders are drawn."""
    seen = moved(VIEW)
    if seen is None:
        return
    before, now = seen
    for key, old, new in (
        (predicted, before.threshold, now.threshold),
        (observed, before.threshold_observed, now.threshold_observed),
    ):
        if new != old:
            st.session_state[_asked(key)] = OTSU if new is None else new


def _asked(key: str) -> str:
    return f"threshold asked of {key}"


def _turn(key: str) -> str:
    return f"threshold turn of {key}"


def _take(work: session.Session, key: str, between: Limits) -> None:
    """Move a slider that is not drawn yet to the threshold that was asked for elsewhere."""
    asked = st.session_state.pop(_asked(key), None)
    if asked is None:
        return
    st.session_state[_turn(key)] = st.session_state.get(_turn(key), 0) + 1  # a new slider, that starts there
    work.thresholds.pop(key, None)
    if asked != OTSU:
        work.thresholds[key] = min(max(float(asked), between[0]), between[1])


def planes(
    work: session.Session,
    prediction: Prediction,
    place: str,
    *,
    thresholds: tuple[float | None, float],
    found: Agreement | None = None,
) -> None:
    """
    Show the images cut by their thresholds plane by plane, and let the person move them there too.

    Parameters
    ----------
    work : Session
    prediction : Prediction
        With its stain, where there is one.
    place : str
        Names what is shown, so that another image opens anew.
    thresholds : (observed or None, predicted)
    found : Agreement, optional
        Of the masks at these thresholds, so that the viewer shows the page's numbers.
    """
    low, high = thresholds
    measured = None if found is None or low is None else Measured(found.dice, found.iou, high, low)
    layers = showing.pair_layers(work, prediction, name=prediction.structure)
    last = st.session_state.get(f"{VIEW} {place}", ViewState(mode="threshold"))
    with st.expander("Plane by plane, with the threshold"):
        st.session_state[f"{VIEW} {place}"] = viewer(
            layers,
            key=VIEW,
            mode="threshold",
            modes=PAIR_MODES if len(layers) > 1 else ("threshold", "side"),
            height_px=min(showing.height_px(layers[0].voxels.shape, 1), VIEW_PX),
            state=last.at_thresholds(observed=low, predicted=high),
            measured=measured,
            steady=True,
        )
        st.caption("A threshold moved here is the page's: scores, masks and objects follow when you let go.")
