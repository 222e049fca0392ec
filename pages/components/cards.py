"""Model cards: the short form to choose from, and the whole text."""

from __future__ import annotations

import streamlit as st

from labelfree_core.models.card import ModelCard, Score
from labelfree_core.models.store import ModelEntry
from pages.components import words
from pages.components.session import Opened

METRICS = {"pearson_r": "Pearson r", "dice": "Dice", "ssim": "SSIM"}


def headline(card: ModelCard) -> str:
    """Say in one line what goes in and how good what comes out was on images it never saw."""
    kind = "z-stack" if card.ndim == 3 else "single planes"
    score = next((score for score in card.scores if score.metric == "pearson_r"), None)
    return f"{card.modality}, {kind} · " + ("no held-out score" if score is None else score_words(score))


def score_words(score: Score) -> str:
    """Say one held-out score."""
    return f"{METRICS.get(score.metric, score.metric)} {score.median:.2f} on {score.n} held-out images"


def fits(entry: ModelEntry, image: Opened) -> bool:
    """Whether the model was made for this kind of image."""
    same_light = entry.card.modality.lower().split()[0] == image.modality.lower().split()[0]
    return not entry.problem and entry.card.ndim == (3 if image.is_stack else 2) and same_light


def mismatch(entry: ModelEntry, image: Opened) -> str:
    """Say why a model is not the first choice for an image; empty where it is."""
    card = entry.card
    if entry.problem:
        return entry.problem
    if card.ndim == 3 and not image.is_stack:
        return "Made for z-stacks; your image is a single plane."
    if card.ndim == 2 and image.is_stack:
        return "Made for single planes; your stack is predicted plane by plane."
    if not fits(entry, image):
        return f"Made for {card.modality}; your image looks like {image.modality}."
    return ""


def choice(entry: ModelEntry, image: Opened, *, chosen: bool) -> bool:
    """Show one model to choose, and say whether it is chosen."""
    card = entry.card
    with st.container(border=True, height="stretch"):
        picked = st.checkbox(
            f"**{words.plain(card.structure)}**", chosen, key=f"model-{card.id}", disabled=bool(entry.problem)
        )
        st.caption(words.plain(headline(card)))
        why_not = mismatch(entry, image)
        if why_not:
            st.caption(f":orange[:material/info:] {words.plain(why_not)}")
        with st.popover("Model card", type="tertiary"):
            whole(entry)
    return picked and not entry.problem


def whole(entry: ModelEntry) -> None:
    """Show everything the card says."""
    card = entry.card
    st.markdown(f"**{words.plain(card.title)}** · `{card.id}`")
    if entry.problem:
        st.error(entry.problem)
    if card.simulated:
        st.markdown(":gray-badge[trained mostly on simulated images]")
    rows = {
        "Predicts": f"{card.structure}, in {card.units}",
        "From": f"{card.modality}, {'z-stacks' if card.ndim == 3 else 'single planes'}",
        "Voxel size": words.micrometres(card.voxel_size_um),
        "Network": f"{card.architecture}; preparation: {', then '.join(card.steps)}",
        "Training": card.training,
        "Licence": card.licence,
        "Cite": card.citation,
        "Weights": f"sha256 {card.sha256[:16]}…" if card.sha256 else "",
    }
    st.markdown("\n".join(f"- {name}: {words.plain(text)}" for name, text in rows.items() if text))
    if card.scores:
        st.markdown("**On images it never saw**")
        st.markdown("\n".join(f"- {words.plain(_score_line(score))}" for score in card.scores))
    if card.limits:
        st.markdown("**Limits**")
        st.markdown("\n".join(f"- {words.plain(limit)}" for limit in card.limits))
    if card.hallucination:
        st.markdown("**Response to images without cells** (0 is dark, as it should be)")
        st.markdown("\n".join(f"- {words.plain(k)}: {v:.3g}" for k, v in card.hallucination.items()))


def _score_line(score: Score) -> str:
    line = f"{score_words(score)}, from {score.lowest:.2f} to {score.highest:.2f} ({score.data})"
    return f"{line}. {score.note}" if score.note else line
