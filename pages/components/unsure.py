"""Where a model is unsure: views of the image that the worker predicts, with progress in place; the map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from labelfree_core.analysis.display import own_limits
from labelfree_core.errors import LabelFreeError
from labelfree_core.inference.handover import Ask
from labelfree_core.models.store import ModelEntry
from labelfree_core.reports.figures import SEQUENTIAL, coloured
from pages.components import cached, room, running, showing, words
from pages.components.session import Look, ResultKey, Session

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from labelfree_core.analysis.spread import Spread
    from labelfree_core.analysis.trust import TrustReport

# Two maps of a few hundred pixels; wider, on a projector, they fill more than a screen.
MAPS_PX = 1280
EXTENTS = {
    "fast": "Look at the middle (about one prediction)",
    "full": "Look everywhere (about eight predictions)",
}


def key_of(work: Session, entry: ModelEntry) -> ResultKey:
    """Name what is looked at: the open image and a model, on whatever grid."""
    return ResultKey("" if work.image is None else work.image.key, entry.card.id, "")


def look_of(work: Session, entry: ModelEntry) -> Look | None:
    """Return the look at the open image, after asking the worker how far it is."""
    look = work.looks.get(key_of(work, entry))
    if look is not None and look.job:
        _collect(work, look)
    return look


def start(work: Session, entry: ModelEntry, extent: str) -> None:
    """Let the worker predict the views; what was seen before stays until they are there."""
    image = work.image
    assert image is not None
    assert image.transmitted is not None
    options = running.options(work, "model")
    ask = Ask(str(entry.folder), options, "spread", {"extent": extent})
    look = work.looks.setdefault(key_of(work, entry), Look())
    try:
        look.job = cached.queue(work).ask(work.owner, cached.stack(image, image.transmitted), ask)
        look.asked, look.problem = extent, ""
    except LabelFreeError as problem:
        look.problem = str(problem)


def controls(work: Session, entry: ModelEntry) -> None:
    """Offer the looks that were not taken yet, or show how far the one under way is."""
    look = look_of(work, entry)
    if look is not None and look.problem:
        st.error(words.plain(look.problem))
    with st.container(key="looks"):  # one follows the other in the same room
        if look is not None and look.job:
            _progress(work, entry)
        elif look is not None and look.extent == "full":
            st.caption("The whole field was looked at.")
        else:
            _offer(work, entry, "" if look is None else look.extent)


def _offer(work: Session, entry: ModelEntry, seen: str) -> None:
    with st.container(horizontal=True):
        for extent, label in EXTENTS.items():
            if extent == seen:
                continue
            if st.button(label, type="primary" if extent == "fast" else "secondary"):
                start(work, entry, extent)
                st.rerun()


@st.fragment(run_every=running.POLL_SECONDS)
def _progress(work: Session, entry: ModelEntry) -> None:
    look = look_of(work, entry)
    if look is None or not look.job:
        st.rerun()
    try:
        state = cached.service().job(look.job, work.owner)
    except LabelFreeError:  # it ended between two looks
        st.rerun()
    bar, stop = st.columns([6, 1], vertical_alignment="bottom")
    stage = f"{words.plain(state.stage)}: " if state.state == "running" and state.stage else ""
    bar.progress(min(max(state.fraction, 0.0), 1.0), text=stage + running.how_far(state))
    if stop.button("Cancel", key=f"cancel-{look.job}", width="stretch"):
        cached.service().cancel(look.job, work.owner)
        look.job = ""
        st.rerun()


def _collect(work: Session, look: Look) -> None:
    try:
        state = cached.service().job(look.job, work.owner)
    except LabelFreeError as problem:  # forgotten after a long silence
        look.job, look.problem = "", str(problem)
        return
    if state.state in ("queued", "running"):
        return
    cached.service().release(look.job, work.owner)
    look.job = ""
    if state.state == "failed":
        look.problem = state.problem
    elif state.state == "done":
        look.spread, look.extent = state.result, look.asked  # type: ignore[assignment]
        room.make(work, look.spread)


def show_map(found: TrustReport) -> None:
    """Show where the network is unsure beside what it predicts, or the room for both."""
    with st.container(width=MAPS_PX):
        left, right = st.columns(2)
    views = found.spread
    if views is None:
        _later(left, "Where the views disagree", "How far the predictions lie apart, in the model's unit.")
        _later(right, "Prediction there", "The mean of the predictions, in the same part of the image.")
        return
    _disagreement(left, found, views)
    deep = views.mean.ndim == 3
    mean = views.mean.max(axis=0) if deep else views.mean
    picture = coloured(mean, own_limits(mean, found.units), "gray")
    part = "whole field" if views.share > 0.99 else f"middle {views.share:.0%} of the field"
    many = f"Mean of {views.views} views{'; brightest of all planes' * deep}; {part}"
    with _framed(right, picture, "Prediction there", views):
        st.caption(f"{many}; took {words.duration(views.seconds)}.")


def _disagreement(column: DeltaGenerator, found: TrustReport, views: Spread) -> None:
    """Show the expected error, else the disagreement itself, as the mean over all planes."""
    errors = found.expected_error_map
    values = views.map if errors is None else errors
    deep = values.ndim == 3
    shown = values.mean(axis=0) if deep else values
    between = (0.0, float(np.percentile(shown, 99.8)) or 1.0)
    title = "Disagreement of the views (not calibrated)" if errors is None else "Expected error"
    with _framed(column, coloured(shown, between), title, views):
        showing.colour_bar(between, SEQUENTIAL, "")
        st.caption(f"Unit: {words.plain(found.units)}{'; mean of all planes' * deep}.")


def _framed(column: DeltaGenerator, image: np.ndarray, title: str, views: Spread) -> DeltaGenerator:
    """Show a picture in the room that was kept for it; return the place below it."""
    frame = column.container(key=f"map-{title[:4]}")
    showing.picture(frame, showing.framed(image, views.voxel_size_um[-1]), title)
    return column.container(key=f"below-map-{title[:4]}")


def _later(column: DeltaGenerator, title: str, what: str) -> None:
    """Keep the room of a picture and of what will be said below it."""
    frame = column.container(key=f"map-{title[:4]}")
    frame.markdown(f"**{title}**")
    with frame.container(key=f"room-{title[:4]}"):
        st.html("<div>Not looked at yet</div>")
    with column.container(key=f"below-map-{title[:4]}"):
        st.caption(what)
