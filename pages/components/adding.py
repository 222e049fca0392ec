"""Add a model file: opened safely, and kept for this visit unless the person says otherwise."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from labelfree_core.errors import LabelFreeError
from labelfree_core.images.text import file_name
from labelfree_core.models.importing import import_model
from labelfree_core.settings import Settings
from pages.components import cached, opening, words
from pages.components.session import Session

KINDS = ["p", "pt", "pth", "safetensors", "zip"]
LOCAL = ("127.0.0.1", "localhost", "::1")
# Written by a proxy: then others may reach this server too.
FORWARDED = ("X-Forwarded-For", "X-Real-Ip", "Forwarded", "Via")


def own_computer() -> bool:
    """Whether nobody else uses this server: else no visitor adds a model for everybody."""
    forwarded = any(name in st.context.headers for name in FORWARDED)
    return Settings.read().keep_models and st.get_option("server.address") in LOCAL and not forwarded


def form(work: Session) -> None:
    """Take a checkpoint and, where there is one, the options it was trained with."""
    with st.form("add-model", border=True):
        left, right = st.columns(2)
        weights = left.file_uploader(
            "Model file: model.p, .safetensors, or a BioImage.IO package (.zip)", KINDS
        )
        options = right.file_uploader("train_options.json, if you have it", ["json"])
        keep = False
        if own_computer():
            keep = st.checkbox("Keep it on this computer for later visits")
        st.caption(
            "A file is read as numbers only; no code in it is run. Anything that is no such model is refused."
        )
        sent = st.form_submit_button("Add", type="primary")
    if work.add_note:
        st.success(words.plain(work.add_note))
        work.add_note = ""
    if not sent:
        return
    if weights is None:
        st.error("No model file was chosen. Choose one first, then press Add.")
        return
    stored: list[Path] = []
    try:
        stored.append(opening.store_upload(work, weights, weights.name))
        if options is not None:
            stored.append(opening.store_upload(work, options, options.name))
        with st.spinner("Opening the model file …"):
            entry = import_model(
                stored[0],
                train_options=stored[1] if len(stored) > 1 else None,
                name=weights.name,
                folder=None if keep else work.path / "models",
            )
    except LabelFreeError as problem:
        # The stored file has a name without meaning for the person.
        said = str(problem).replace(stored[0].name, file_name(weights.name)) if stored else str(problem)
        st.error(words.plain(said))
        return
    finally:
        for path in stored:
            path.unlink(missing_ok=True)
    cached.refresh_models()
    work.add_note = f"Added {entry.card.structure or 'the model'} as {entry.card.id}."
    st.rerun()
