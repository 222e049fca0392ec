"""Predictions under way: start them, show how far they are, fetch what is ready."""

from __future__ import annotations

import streamlit as st

from labelfree_core.errors import LabelFreeError
from labelfree_core.inference.jobs import JobState
from labelfree_core.inference.options import PredictOptions
from labelfree_core.models.store import ModelEntry
from pages.components import cached, words
from pages.components.session import Session

POLL_SECONDS = 0.5


def start(work: Session, entries: list[ModelEntry]) -> None:
    """Put one prediction for each model into the queue."""
    image = work.image
    assert image is not None
    assert image.transmitted is not None
    signal = cached.stack(image, image.transmitted)
    work.dropped.clear()
    for entry in entries:
        key = work.result_key(entry.card.id)
        work.problems.pop(key, None)
        if key not in work.jobs:
            work.jobs[key] = cached.queue(work).submit(work.owner, signal, str(entry.folder), options(work))


def start_linked(work: Session) -> None:
    """Predict with the model that a link names, once; the link then opens on its result."""
    named, work.linked_model = work.linked_model, ""
    image = work.image
    if not named or work.jobs or image is None or image.transmitted is None or image.voxel_size_um is None:
        return
    entries = [entry for entry in cached.models(work) if entry.card.id == named and not entry.problem]
    try:
        start(work, entries)
    except LabelFreeError as problem:
        st.error(words.plain(str(problem)))


def options(work: Session, grid: str = "") -> PredictOptions:
    """Say how this person wants predictions made."""
    wanted = grid or work.grid
    fit = "crop" if work.crop and wanted == "model" else "pad"
    return PredictOptions(device=work.device, grid=wanted, fit=fit, engine=work.engine)


def collect(work: Session) -> None:
    """Take finished predictions over into the session."""
    for key, job in list(work.jobs.items()):
        try:
            state = cached.service().job(job, work.owner)
        except LabelFreeError as problem:  # forgotten after a long silence
            del work.jobs[key]
            work.problems[key] = str(problem)
            continue
        if state.state in ("queued", "running"):
            continue
        cached.service().release(job, work.owner)  # or its memory would stay when the session lets it go
        del work.jobs[key]
        if state.prediction is not None:
            work.keep(key, state.prediction)
        elif state.state == "failed":
            work.problems[key] = state.problem


@st.fragment(run_every=POLL_SECONDS)
def panel(work: Session) -> None:
    """Show each prediction under way with its place, progress and a way to stop it."""
    collect(work)
    if not work.jobs:
        st.rerun()
    known = {entry.card.id: entry.card.structure for entry in cached.models(work)}
    for key, job in list(work.jobs.items()):
        state = cached.service().job(job, work.owner)
        name = key.model if key.model not in known else f"{known[key.model]} ({key.model})"
        bar, stop = st.columns([8, 1], vertical_alignment="bottom")
        bar.progress(min(max(state.fraction, 0.0), 1.0), text=f"**{words.plain(name)}**: {how_far(state)}")
        if stop.button("Cancel", key=f"cancel-{job}", width="stretch"):
            cancel(work, key.model, job)


def elsewhere(work: Session) -> None:
    """Say where results of the open file are that its settings hide."""
    image = work.image
    if image is None:
        return
    grids = {key.grid for key in work.predictions if key.image == image.key}
    if grids:
        named = " and ".join(f"“{words.GRIDS[grid]}”" for grid in words.GRIDS if grid in grids)
        said = (
            f"What you predicted of this image has other voxels: {named}. Choose them in Predict's settings."
        )
        st.info(words.plain(said))
    elif any(key.image.startswith(image.digest) for key in work.predictions):
        st.info(
            "What you predicted of this file was with another channel or voxel size, as it was understood "
            "then. Predict again, or set it back on the Start page."
        )


def how_far(state: JobState) -> str:
    """Say where a job is: its place in the queue, or its share and the time left."""
    if state.state == "queued":
        ahead = "next in the queue" if state.place <= 1 else f"{state.place} others come first"
        seconds = state.seconds_left
        return ahead if seconds is None else f"{ahead}, starts in about {words.duration(seconds)}"
    if not state.fraction:
        return "getting ready"
    left = "" if state.seconds_left is None else f", about {words.duration(state.seconds_left)} left"
    return f"{state.fraction:.0%}{left}"


def cancel(work: Session, model: str, job: str) -> None:
    """Stop one prediction; what is already there stays."""
    try:
        cached.service().cancel(job, work.owner)
    except LabelFreeError as problem:
        st.error(words.plain(str(problem)))
        return
    st.toast(f"{words.plain(model)} was cancelled.")
    st.rerun()
