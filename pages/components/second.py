"""A second opinion on the page "Trust": another model of the same structure, made through the same queue."""

from __future__ import annotations

import numpy as np
import streamlit as st

from labelfree_core.analysis.opinion import (
    UNITS,
    WHY_STANDARDISED,
    Opinion,
    compare_opinions,
    kinship,
    others,
)
from labelfree_core.errors import LabelFreeError
from labelfree_core.inference.prediction import Prediction
from labelfree_core.models.store import ModelEntry
from labelfree_core.reports.figures import coloured
from pages.components import cached, running, showing, words
from pages.components.keeping import kept
from pages.components.session import Session

# Less than one standard deviation is no disagreement to make bright.
LEAST_TOP = 1.0


def _others(work: Session, entry: ModelEntry) -> tuple[ModelEntry, ...]:
    return others(entry, cached.models(work))


def _chosen(work: Session, entry: ModelEntry) -> ModelEntry | None:
    """Return the model to ask: the person's choice, else one that has predicted already, else the first."""
    found = _others(work, entry)
    names = [each.card.id for each in found]
    picked = st.session_state.get(_widget(entry))
    if picked not in names:
        picked = next((name for name in names if work.result(name) is not None), None)
    return found[names.index(picked)] if picked is not None else next(iter(found), None)


def _widget(entry: ModelEntry) -> str:
    return f"second-{entry.card.id}"


@kept("Comparing two models …")
def _compared(first: str, second: str, kin: str, _first: Prediction, _second: Prediction) -> Opinion:
    return compare_opinions(_first, _second, kin=kin)


def opinion_of(work: Session, entry: ModelEntry) -> tuple[str, Opinion | None]:
    """Compare two predictions that are there already, and name the result for caches; no network runs."""
    other = _chosen(work, entry)
    first = work.result(entry.card.id)
    second = None if other is None else work.result(other.card.id)
    if other is None or first is None or second is None:
        return "", None
    names = cached.result_id(work, first), cached.result_id(work, second)
    found = _compared(*names, kinship(entry.card, other.card), first, second)
    return "|".join(names), found


def asking(work: Session, entry: ModelEntry) -> bool:
    """Whether the second model's prediction is under way."""
    other = _chosen(work, entry)
    return other is not None and work.result_key(other.card.id) in work.jobs


def section(work: Session, entry: ModelEntry, found: Opinion | None) -> None:
    """Show how another model agrees, or offer to ask it; one line where there is none."""
    candidates = _others(work, entry)
    other = _chosen(work, entry)
    if other is None:
        st.caption(
            "A second model of this structure, such as one that you train on your own pairs, would give a "
            "second opinion here."
        )
        return
    st.subheader("A second opinion", anchor=False)
    if len(candidates) > 1:
        names = [each.card.id for each in candidates]
        st.selectbox("Other model", names, names.index(other.card.id), key=_widget(entry))
    if asking(work, entry):
        running.panel(work)
        return
    if found is None:
        _offer(work, entry, other)
        return
    _agreement(work, entry, found)


def _offer(work: Session, entry: ModelEntry, other: ModelEntry) -> None:
    missing = [each for each in (entry, other) if work.result(each.card.id) is None]
    for each in missing:
        problem = work.problems.get(work.result_key(each.card.id))
        if problem:
            st.error(words.plain(f"{each.card.id}: {problem}"))
    st.caption(
        f"`{other.card.id}` predicts {words.plain(other.card.structure)} too. Where two models disagree, at "
        "least one of them is wrong."
    )
    count = "one prediction" if len(missing) == 1 else "two predictions"
    if st.button(f"Ask {words.plain(other.card.id)} ({count})", icon=":material/forum:"):
        try:
            running.start(work, missing)
        except LabelFreeError as problem:
            st.error(words.plain(str(problem)))
        else:
            st.rerun()


def _agreement(work: Session, entry: ModelEntry, found: Opinion) -> None:
    columns = st.columns(4)
    columns[0].metric(
        "r of both models",
        words.number(found.pearson_r),
        help="1: both are bright in the same places; 0: no relation. It says nothing about the stain.",
    )
    columns[1].metric("Dice of both", words.number(found.dice), help="Overlap of their Otsu masks.")
    deep = found.difference.ndim == 3
    shown = found.difference.mean(axis=0) if deep else found.difference
    top = max(LEAST_TOP, float(np.percentile(shown, 99.8)))
    pictures = st.columns(3)
    for column, name in zip(pictures, (entry.card.id, found.model_id), strict=False):
        made = work.result(name)
        if made is None:
            continue
        flat = made.voxels.max(axis=0) if deep else made.voxels
        picture = showing.framed(
            coloured(flat, showing.own_window(made), "gray"), made.voxel_size_um[-1], columns=3
        )
        showing.picture(column, picture, name, "Predicted" + "; brightest of all planes" * deep + ".")
    note = f"0 (dark) to {top:.2f} (bright), {UNITS}{'; mean of all planes' * deep}."
    picture = showing.framed(coloured(shown, (0.0, top)), found.voxel_size_um[-1], columns=3)
    showing.picture(pictures[2], picture, "Where they differ", note)
    st.caption(WHY_STANDARDISED)
