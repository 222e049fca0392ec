"""Model cards: the short form to choose from, and the whole text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import streamlit as st

from labelfree_core.models.card import ModelCard, Score, reached
from labelfree_core.models.store import ModelEntry
from pages.components import cached, words
from pages.components.session import Opened

INVENTED = {"empty_field": "Empty field", "phase_scrambled": "Image with its content scrambled"}
METRICS = {"pearson_r": "Pearson r", "dice": "Dice", "ssim": "SSIM"}
LEGEND = (
    "**Pearson r**: are prediction and stain bright in the same places? 1 always, 0 no better than chance. "
    "**Dice**: how far do the outlines of predicted and real structures overlap? 1 wholly, 0 not at all. "
    "Both are measured on images that the training never saw; few images say little."
)


def headline(card: ModelCard) -> str:
    """Say in one line what goes in and how good what comes out was on images it never saw."""
    kind = "z-stack" if card.ndim == 3 else "single planes"
    score = reached(card.scores, "pearson_r")
    return f"{card.modality}, {kind} · " + (
        "not scored on unseen images" if score is None else score_words(score)
    )


def score_words(score: Score) -> str:
    """Say one held-out score."""
    images = _counted(score)
    return f"{METRICS.get(score.metric, score.metric)} {words.number(score.median)} on {images}"


def _counted(score: Score) -> str:
    """Say how many images a score is from, and that they are simulated where they are."""
    simulated = "simulated " * score.simulated
    return f"{score.n} unseen {simulated}image{'s' * (score.n != 1)}"


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
        return "Made for z-stacks; your image is a single plane, so it is repeated in z, and detail suffers."
    if card.ndim == 2 and image.is_stack:
        planes = "Made for single planes; your stack is predicted plane by plane, without its neighbours."
        return f"{planes} {_light_mismatch(card, image)}".strip()
    return _light_mismatch(card, image)


def _light_mismatch(card: ModelCard, image: Opened) -> str:
    """Say that a model reads another kind of transmitted light than the image was taken with."""
    if card.modality.lower().split()[0] == image.modality.lower().split()[0]:
        return ""
    taken = "is taken for" if image.light_assumed else "is"
    return f"Learned from {card.modality} images; yours {taken} {image.modality}."


def choice(entry: ModelEntry, image: Opened, *, chosen: bool) -> bool:
    """Show one model to choose, and say whether it is chosen."""
    card = entry.card
    with st.container(border=True, height="stretch", key=f"card-{card.id}", gap="xsmall"):
        own = "" if entry.shipped else f" · {words.plain(card.title)}"
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            picked = st.checkbox(
                f"{words.plain(card.structure)}{own}",
                chosen,
                key=f"model-{card.id}",
                disabled=bool(entry.problem),
            )
            card_button(entry, "Model card")
        st.caption(words.plain(headline(card)))
        if card.limits:  # the first limit of a card is the one to know before choosing
            st.caption(f"{words.ICONS['note']} {words.plain(card.limits[0])}")
        caution(card)
        why_not = mismatch(entry, image)
        if why_not:
            st.caption(f":orange[:material/info:] {words.plain(why_not)}")
        size = cached.voxel_finding(image, entry)
        if size is not None and size.level != "ok":
            said = f"**{words.plain(size.what)}** {words.plain(size.effect)} {words.plain(size.advice)}"
            st.caption(f"{words.ICONS[size.level]} {said}")
    return picked and not entry.problem


def caution(card: ModelCard) -> None:
    """Say in amber that a model has not shown on real images that it is of use; nothing where it has."""
    said = card.caution
    if said:
        # Small as a caption, and not faded as one.
        st.markdown(f":small[:orange[:material/warning: {words.plain(said)}]]")


def summary(entry: ModelEntry) -> None:
    """Show what to know at a glance; everything else on the card is one click away."""
    card = entry.card
    # Own models have names of their own; several may show one structure.
    st.subheader(words.plain(card.structure if entry.shipped else card.title), anchor=False)
    kind = "z-stacks" if card.ndim == 3 else "single planes"
    shows = "" if entry.shipped else f"{words.plain(card.structure)} "
    st.caption(f"{shows}from {words.plain(card.modality)}, {kind} · `{card.id}`")
    if entry.problem:
        st.error(words.plain(entry.problem))
    _scores(card)
    caution(card)
    for limit in card.limits[:2]:
        st.markdown(f"{words.ICONS['note']} {words.plain(limit)}")
    card_button(entry, "The whole card", width="stretch")


def _scores(card: ModelCard) -> None:
    """Show what the model reached on images it never saw."""
    found = [score for score in (reached(card.scores, metric) for metric in METRICS) if score is not None][:2]
    for column, score in zip(st.columns(2), found, strict=False):
        column.metric(METRICS[score.metric], words.number(score.median), help=words.plain(score.data))
        between = f", {words.number(score.lowest)} to {words.number(score.highest)}" if score.n > 1 else ""
        column.caption(f"{_counted(score)}{between}")


def card_button(entry: ModelEntry, label: str, width: Literal["stretch", "content"] = "content") -> None:
    """Offer the whole card, in a window of its own: it is longer than any place beside the others."""
    kind: Literal["tertiary", "secondary"] = "tertiary" if width == "content" else "secondary"
    if st.button(label, key=f"card-of-{entry.folder}", type=kind, width=width):
        st.dialog(words.plain(entry.card.title), width="medium")(whole)(entry)


def whole(entry: ModelEntry) -> None:
    """Show everything the card says."""
    card = entry.card
    st.caption(f"`{card.id}`")
    if entry.problem:
        st.error(words.plain(entry.problem))
    if card.simulated:
        st.markdown(":gray-badge[trained mostly on simulated images]")
    rows = {
        "Predicts": f"{card.structure}, in {card.units}",
        "From": f"{card.modality}, {'z-stacks' if card.ndim == 3 else 'single planes'}",
        "Voxel size": words.micrometres(card.voxel_size_um),
        "Licence": card.licence,
    }
    details = {
        "Network": f"{card.architecture}; preparation: {', then '.join(card.steps)}",
        "Training": card.training,
        "Cite": card.citation,
        "Weights": f"sha256 {card.sha256[:16]}…" if card.sha256 else "",
    }
    _list(rows)
    caution(card)
    if card.scores:
        st.markdown("**On images it never saw**")
        st.markdown(_score_table(card.scores))
        for note in dict.fromkeys(score.note for score in card.scores if score.note):
            st.caption(f"{words.plain(note[0].upper() + note[1:])}.")
    if card.limits:
        st.markdown("**Limits**")
        st.markdown("\n".join(f"- {words.plain(limit)}" for limit in card.limits))
    if card.hallucination:
        _invented(card)
    with st.expander("Training, network and citation"):
        _list(details)


def _list(rows: dict[str, str]) -> None:
    lines = (f"- **{words.plain(name)}:** {words.plain(text)}" for name, text in rows.items() if text)
    st.markdown("\n".join(lines))


def _invented(card: ModelCard) -> None:
    """Say how bright the model answers where there is nothing to predict."""
    found = dict(card.hallucination)
    count = found.pop("images", None)
    on = "" if count is None else f", measured on {count:.0f} image{'s' * (count != 1)}"
    st.markdown("**What it invents where there are no cells**")
    st.caption(f"As a share of its answer to real cells: 0 is dark, as it should be{on}.")
    _list({INVENTED.get(name, name.replace("_", " ")): words.number(value) for name, value in found.items()})


def _score_table(scores: Sequence[Score]) -> str:
    """Write the scores as a table in Markdown: a line for each kind of images, a column for each metric."""
    metrics = list(dict.fromkeys(score.metric for score in scores))
    lines: dict[str, dict[str, str]] = {}
    for score in scores:
        between = f" ({words.number(score.lowest)} to {words.number(score.highest)})" if score.n > 1 else ""
        values = lines.setdefault(f"{score.data}: {_counted(score)}", {})
        values[score.metric] = f"{words.number(score.median)}{between}"
    rows = [["Images", *(METRICS.get(name, name) for name in metrics)]]
    rows += [[images, *(values.get(name, "") for name in metrics)] for images, values in lines.items()]
    drawn = [" | ".join(words.plain(" ".join(cell.split())) for cell in row) for row in rows]
    return "\n".join([drawn[0], "|".join(["---", *["---:"] * len(metrics)]), *drawn[1:]])
