"""The models that a person added: predict with one, or remove it after a second press."""

from __future__ import annotations

import streamlit as st

from labelfree_core.errors import LabelFreeError
from labelfree_core.models.store import ModelEntry, remove_model
from pages.components import adding, cached, training, words
from pages.components.session import Session


def own(work: Session, entry: ModelEntry) -> bool:
    """Whether this person may remove a model: added for this visit, or kept on a computer of their own."""
    if entry.shipped:
        return False
    return entry.folder.parent == work.path / "models" or adding.own_computer()


def row(work: Session, entry: ModelEntry) -> None:
    """Offer what only an own model has: to predict with it at once, and to remove it."""
    name, key = words.plain(entry.card.title), str(entry.folder)
    with st.container(horizontal=True):
        if st.button(
            "Predict with it",
            key=f"use-{key}",
            icon=":material/auto_awesome:",
            disabled=bool(entry.problem),
        ):
            work.chosen, work.linked_model = [entry.card.id], ""
            st.switch_page("pages/predict.py")
        with st.popover("Remove", icon=":material/delete:", type="tertiary"):
            why_not = in_use(work, entry)
            st.markdown(
                why_not
                or f"Delete **{name}** for good? What it has predicted stays until you close this tab."
            )
            pressed = st.button("Delete this model", key=f"remove-{key}", disabled=bool(why_not))
    if pressed:
        _remove(work, entry)


def in_use(work: Session, entry: ModelEntry) -> str:
    """Say why a model can't go yet; nothing where it can."""
    model = entry.card.id
    looking = any(look.job for key, look in work.looks.items() if key.model == model)
    batch = work.batch_running and work.batch_model == str(entry.folder)
    if looking or batch or any(key.model == model for key in work.jobs):
        return "It is predicting. It can be deleted when that has ended."
    trained = training.draft(work).started == model and training.service().state(work.owner) is not None
    if trained:
        return "A training started from it. Keep or discard its result on the page “Train your own” first."
    return ""


def _remove(work: Session, entry: ModelEntry) -> None:
    try:
        remove_model(entry)
    except LabelFreeError as problem:
        st.error(words.plain(str(problem)))
        return
    cached.refresh_models()
    mine, model = training.draft(work), entry.card.id
    work.chosen = [name for name in work.chosen if name != model]
    mine.kept = "" if mine.kept == model else mine.kept
    st.toast(f"{words.plain(entry.card.title)} was deleted.")
    st.rerun()
