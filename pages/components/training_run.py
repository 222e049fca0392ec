"""A training under way or done: curves, pictures of a held-out part, and what to do with the model."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import streamlit as st

from labelfree_core.analysis.display import limits
from labelfree_core.errors import LabelFreeError
from labelfree_core.models.entries import user_folder
from labelfree_core.reports.figures import coloured
from labelfree_core.training.service import keep_model
from labelfree_core.training.task import Pictures, TrainingState
from pages.components import adding, cached, downloads, plotting, showing, training, words
from pages.components.plotting import Axis, Curve, Plot
from pages.components.session import Session
from pages.components.training import Draft

POLL_SECONDS = 2.0
MORE_MINUTES = 5.0
# Both stand out on white and on black.
BLUE, GREY = "#1a8f98", "#8a979e"
SAID = {
    "starting": "Starting …",
    "preparing": "Preparing the pairs …",
    "finishing": "Scoring the model on whole fields it never saw …",
}
METRICS = {"pearson_r": "Pearson r", "dice": "Dice of masks", "before": "Pearson r before"}
MEANINGS = {
    "pearson_r": "Are prediction and stain bright in the same places? 1: always; 0: no relation.",
    "dice": "How far do their outlines overlap? 1: wholly; 0: not at all.",
    "before": "Of the model that it started from.",
}
# So much less than before is worse, and no chance.
WORSE = 0.02


def panel(work: Session) -> None:
    """Show a training: as it goes, or what it came to."""
    state = training.service().state(work.owner)
    if state is not None and state.active:
        _under_way(work)
    elif state is not None:
        _ended(work, state)


@st.fragment(run_every=POLL_SECONDS)
def _under_way(work: Session) -> None:
    """Keep the view of a running training up to date, without touching the rest of the page."""
    service = training.service()
    state = service.state(work.owner)
    if state is None or not state.active:
        st.rerun()
    with st.container(border=True):
        bar, stop, cancel = st.columns([6, 2, 1], vertical_alignment="bottom")
        bar.progress(min(max(state.fraction, 0.0), 1.0), text=_said(state))
        can_stop = state.state == "running" and bool(state.curve)
        if stop.button("Stop and keep", disabled=not can_stop, width="stretch", key="train-stop"):
            try:
                service.stop(work.owner)
                st.toast("It stops at the next report, and keeps what it has learnt.")
            except LabelFreeError as problem:
                st.error(words.plain(str(problem)))
        if cancel.button("Cancel", width="stretch", key="train-cancel"):
            service.forget(work.owner)
            st.rerun()
        # The pictures are there from the start, so that the curves push nothing down.
        _pictures(work)
        _curves(state, save=False)


def _said(state: TrainingState) -> str:
    if state.state in SAID:
        return SAID[state.state]
    if not state.curve:
        return "Training; the first look comes in a moment"
    left = state.seconds * (1 / max(state.fraction, 1e-6) - 1)
    return f"{state.step} updates, about {words.duration(left)} left"


def _curves(state: TrainingState, *, save: bool = True) -> None:
    if len(state.curve) < 2:
        return
    minutes = np.array([point.seconds / 60 for point in state.curve])
    loss, r = (np.array([getattr(point, name) for point in state.curve]) for name in ("loss", "pearson_r"))
    left, right = st.columns(2, gap="medium")
    time = Axis("minutes", 0.0, float(minutes[-1]))
    with left:
        st.markdown("**Mistakes on the training pairs (loss)**")
        st.caption("What the training makes small. It should fall.")
        top = float(np.nanmax(loss)) * 1.05
        lines = (Curve(minutes, loss, BLUE),)
        _plot(
            Plot(time, Axis("loss", 0.0, top), curves=lines),
            "training-loss",
            "Loss over time, falling if it learns",
            save=save,
        )
    with right:
        st.markdown("**Likeness on what it never saw (Pearson r)**")
        st.caption("1 is perfect. When it no longer rises, it is time to stop.")
        values = [value for value in (*r, state.before_r or 0.0) if math.isfinite(value)]
        curves: tuple[Curve, ...] = (Curve(minutes, r, BLUE, "now"),)
        if state.before_r is not None and math.isfinite(state.before_r):
            ends, before = minutes[[0, -1]], np.full(2, state.before_r)
            curves = (*curves, Curve(ends, before, GREY, "before", dashed=True))
        # Small steps matter here, so the axis need not begin at 0.
        low = math.floor(10 * min(values)) / 10 if state.before_r is not None else min(0.0, *values)
        plot = Plot(time, Axis("Pearson r", low, math.ceil(10 * max(values) + 0.01) / 10), curves=curves)
        _plot(plot, "training-r", "Held-out correlation over time, rising if it learns", save=save)


def _plot(plot: Plot, name: str, alt: str, *, save: bool) -> None:
    plotting.show(plot, name, height_px=210, alt=alt, key=f"{name}-plot", save=save)


def _pictures(work: Session) -> None:
    found = training.service().pictures(work.owner)
    if found is None:
        return
    compares = training.draft(work).compares
    scale = "All predictions are drawn between the same black and white as the observed stain."
    if found.before is not None and not compares:
        scale = "“Before” has a black and white of its own, since that model answers in another unit."
    st.caption(f"A part of {words.plain(found.name)} that the training never sees. {scale}")
    shown = _windows(found, compares=compares)
    for column, (title, plane, window) in zip(st.columns(len(shown)), shown, strict=True):
        picture = showing.framed(coloured(plane, window, "gray"), found.pixel_um, columns=len(shown))
        showing.picture(column, picture, title)


def _windows(found: Pictures, *, compares: bool) -> list[tuple[str, np.ndarray, tuple[float, float]]]:
    observed = limits(found.observed)
    shown = [
        ("Transmitted light", found.image, limits(found.image, 0.5, 99.5)),
        ("Observed", found.observed, observed),
    ]
    if found.before is not None:
        shown.append(("Before", found.before, observed if compares else limits(found.before)))
    return [*shown, ("Now", found.now, observed)]


def _ended(work: Session, state: TrainingState) -> None:
    service, mine = training.service(), training.draft(work)
    with st.container(border=True):
        if state.state == "failed":
            st.error(words.plain(state.problem))
        else:
            st.subheader("Your model is ready", anchor=False)
            scores(state.scores)
        with st.container(horizontal=True, vertical_alignment="center"):
            if state.state == "done":
                _keep(work)
            if state.curve and st.button(f"Train {MORE_MINUTES:.0f} more minutes", icon=":material/replay:"):
                try:
                    service.more(work.owner, MORE_MINUTES)
                    mine.kept = ""
                except LabelFreeError as problem:
                    mine.problem = str(problem)
                st.rerun()
            if st.button("Discard", key="train-discard"):
                service.forget(work.owner)
                st.rerun()
        _pictures(work)
        _curves(state)


def scores(found: Sequence[tuple[str, float, int]]) -> None:
    """Show the scores of a finished model, each a metric, its median and of how many fields."""
    if not found:
        st.warning("The part kept for the score holds nothing of the target, so there is no score.")
        return
    columns = st.columns(4)
    for column, (metric, value, _) in zip(columns, found, strict=False):
        column.metric(METRICS.get(metric, metric), words.number(value))
        column.caption(MEANINGS.get(metric, ""))
    count = found[0][2]
    medians = {metric: value for metric, value, _ in found}
    if medians.get("pearson_r", 1.0) < medians.get("before", -1.0) - WORSE:
        st.warning(
            "The model it started from does better here. Train longer, bring more pairs, or discard this one "
            "and go on with the old one."
        )
    st.caption(
        f"On {count} field{'s' * (count != 1)} or part of one that the training never saw. So few say "
        "little: score it on more of your own with `labelfree evaluate`, and look at the Trust page of each "
        "new image."
    )


def _keep(work: Session) -> None:
    mine, made = training.draft(work), training.service().model(work.owner)
    if made is None:
        return
    entry, package = made
    local = adding.own_computer()
    if mine.kept:
        st.markdown(
            f"{words.ICONS['ok']} Kept as {words.plain(mine.kept)}, and in the list of models",
            width="content",
        )
        if st.button("Predict with it", type="primary", icon=":material/auto_awesome:"):
            choose(work, mine)
            st.switch_page("pages/predict.py")
    elif st.button("Keep it", type="primary", icon=":material/bookmark_add:"):
        try:
            kept = keep_model(entry, user_folder() if local else work.path / "models")
        except LabelFreeError as problem:
            mine.problem = str(problem)
        else:
            cached.refresh_models()
            mine.kept = kept.card.id
        st.rerun()
    downloads.button("Download (zip)", package.read_bytes, f"{entry.card.id}.zip", "application/zip")


def choose(work: Session, mine: Draft) -> None:
    """Choose the kept model, and open an image where none is: rather one that it never saw."""
    work.chosen = [mine.kept]
    if work.image is None:
        unseen_first = sorted(mine.pairs, key=lambda pair: not pair.held_out)
        if unseen_first:
            work.show(unseen_first[0].opened)
