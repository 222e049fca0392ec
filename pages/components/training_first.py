"""What a training is, before there are any pairs: in three steps, and with something to try."""

from __future__ import annotations

import streamlit as st

from labelfree_core.errors import LabelFreeError
from labelfree_core.images import samples
from pages.components import cached, opening, training, training_pairs
from pages.components.session import Opened, Session

# The structure to learn from samples with several: known to everybody, and quick to learn.
FIRST_STRUCTURE = "DNA"
TRY_MINUTES = 5
STEPS = (
    (
        "A pair is one field, seen twice",
        "Once in transmitted light (bright-field, phase contrast or DIC), once with the stain or a drawn "
        "segmentation; same size, same place. One pair is enough to try. Five from different days make a "
        "model worth keeping.",
    ),
    (
        "Minutes on this computer",
        "About 5 minutes for single planes and 15 for z-stacks. You watch it learn, stop when it is good, "
        "and add minutes when it is not. Nothing is sent anywhere.",
    ),
    (
        "You get a model of your own",
        "It predicts your stain from new unstained images and appears on the Predict page. A part that the "
        "training never sees says how good it is.",
    ),
)


def show(work: Session) -> None:
    """Teach what belongs here, and offer shipped samples to try it with."""
    for column, (title, text) in zip(st.columns(len(STEPS), border=True), STEPS, strict=True):
        column.markdown(f"**{title}**")
        column.markdown(text)
    shipped = _samples()
    if not shipped:
        return
    with st.container(border=True):
        st.subheader("No images at hand? Try it", anchor=False)
        st.markdown(
            "These samples are simulated: transmitted light left of the line, stains of the same field right "
            "of it. A new network learns DNA from all but one, which is kept for the score; stop it when you "
            "like. A model for your cells needs your own images."
        )
        pressed = st.button("Try it with these pairs", type="primary", icon=":material/play_arrow:")
        for column, sample in zip(st.columns(len(shipped)), shipped, strict=True):
            picture = cached.sample_picture(sample.path, sample.path.stat().st_mtime, sample.structures)
            column.image(picture, sample.title, width="stretch", alt=f"{sample.title}, in light and stained")
        if pressed:
            _take(work, shipped)
            st.rerun()


def _samples() -> list[samples.Sample]:
    """List the shipped z-stacks, the hard ones first: what is last is kept for the score."""
    stacks = [each for each in samples.samples() if "plane" not in each.id]
    easy = [each for each in stacks if not each.hard]
    return [*(each for each in stacks if each.hard), *reversed(easy)]


def _take(work: Session, shipped: list[samples.Sample]) -> None:
    mine = training.draft(work)
    try:
        opened = [opening.open_path(work, each.path, each.path.name, sample=each.id) for each in shipped]
    except LabelFreeError as problem:
        mine.problem = str(problem)
        return
    mine.problem = ""
    training.propose(stack=True, minutes=TRY_MINUTES)
    training_pairs.take(mine, [each for each in opened if each.observed], target=_first_target)


def _first_target(opened: Opened) -> int | None:
    wanted = (number for number, stain in opened.observed.items() if stain == FIRST_STRUCTURE)
    return next(wanted, next(iter(opened.observed), None))
