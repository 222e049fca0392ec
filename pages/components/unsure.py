"""Where a model is unsure: views of the image that the worker predicts, with progress in place and cancel."""

from __future__ import annotations

import streamlit as st

from labelfree_core.errors import LabelFreeError
from labelfree_core.inference.handover import Ask
from labelfree_core.models.store import ModelEntry
from pages.components import cached, room, running, words
from pages.components.session import Look, ResultKey, Session

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
    if look is not None and look.job:
        _progress(work, entry)
        return
    if look is not None and look.problem:
        st.error(words.plain(look.problem))
    seen = "" if look is None else look.extent
    if seen == "full":
        return
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
