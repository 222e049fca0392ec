"""What a person sets before a prediction: models, device, grid; and what it will take."""

from __future__ import annotations

import streamlit as st

from labelfree_core.errors import LabelFreeError
from labelfree_core.inference.options import Estimate
from labelfree_core.models.store import ModelEntry
from pages.components import cached, cards, words
from pages.components.session import Opened, Session

POLL_SECONDS = 0.5
DEVICES = {"auto": "Automatic"} | {kind: name[0].upper() + name[1:] for kind, name in words.DEVICES.items()}


def models(work: Session, entries: list[ModelEntry]) -> list[ModelEntry]:
    """Show a card for each model, and return those that are chosen."""
    image = work.image
    assert image is not None
    fitting = [entry for entry in entries if cards.fits(entry, image)]
    if work.linked_model:
        st.session_state.pop(f"model-{work.linked_model}", None)
        work.chosen = [work.linked_model]
    elif fitting and (not work.chosen or _chosen_for_another(work, image, fitting)):
        work.chosen = [fitting[0].card.id]
    work.chosen_for = _kind(image)
    rest = [entry for entry in entries if entry not in fitting]
    chosen = _grid(work, fitting or rest, "models")
    if image.light_assumed:
        st.caption(
            f"{words.ICONS['warning']} Your image is taken for {image.modality}; the file does not say. If "
            "it is another kind of transmitted light, say so on the Start page."
        )
    if fitting and rest:
        open_it = any(entry.card.id in work.chosen for entry in rest)
        with st.expander(f"{len(rest)} more, made for other kinds of image than yours", expanded=open_it):
            st.caption(
                "They can be run too. Each says what differs; expect less of them, and hold the result "
                "against a stain."
            )
            chosen += _grid(work, rest, "more-models")
    work.chosen = [entry.card.id for entry in chosen]
    return chosen


def _kind(image: Opened) -> tuple[str, str, bool]:
    return image.digest, image.modality, image.is_stack


def _chosen_for_another(work: Session, image: Opened, fitting: list[ModelEntry]) -> bool:
    """Whether models were chosen for another image, or another kind of light, and none of them fits."""
    return work.chosen_for != _kind(image) and not any(entry.card.id in work.chosen for entry in fitting)


def _grid(work: Session, entries: list[ModelEntry], name: str) -> list[ModelEntry]:
    image = work.image
    assert image is not None
    with st.container(key=f"grid-choice-{name}"):
        return [entry for entry in entries if cards.choice(entry, image, chosen=entry.card.id in work.chosen)]


def settings(work: Session) -> None:
    """Keep the choices that few people need out of sight."""
    with st.popover("Settings", icon=":material/tune:"):
        device = st.selectbox(
            "Compute on",
            list(DEVICES),
            list(DEVICES).index(work.device),
            DEVICES.__getitem__,
            help="Automatic takes the fastest there is.",
        )
        now = "crop" if work.crop else work.grid
        grid = st.radio(
            "Voxels of the result",
            list(words.GRIDS),
            list(words.GRIDS).index(now),
            format_func=words.GRIDS.__getitem__,
            help="The published tutorial compares at the model's 0.29 µm, cropped to a multiple of 16.",
        )
        quick = st.toggle(
            "Quick preview",
            work.engine == "preview",
            help="8-bit arithmetic on the processor: sooner there, for looking and not for measuring.",
        )
        work.engine = "preview" if quick else "torch"
        work.device = str(device)
        work.grid, work.crop = ("model", True) if grid == "crop" else (str(grid), False)


def _told(work: Session, entries: list[ModelEntry]) -> list[Estimate]:
    """Return the estimates that are known; the worker is asked for one after the other."""
    found: list[Estimate] = []
    for entry in entries:
        answer = cached.estimate(work, entry)
        if answer is None:
            break
        found.append(answer)
    return found


@st.fragment(run_every=POLL_SECONDS)
def _wait(work: Session, entries: list[ModelEntry]) -> None:
    """Look again until the worker has told what each model takes."""
    try:
        known = len(_told(work, entries)) == len(entries)
    except LabelFreeError:
        known = True  # the page says what is wrong
    if known:
        st.rerun()
    st.caption("Working out how long this takes …")


def estimate(work: Session, chosen: list[ModelEntry]) -> None:
    """Say what the chosen predictions will take, and what speaks against them."""
    image = work.image
    assert image is not None
    if not chosen:
        st.caption("Choose at least one structure.")
        return
    if work.jobs:  # the progress of these says more
        return
    missing = [entry for entry in chosen if work.result(entry.card.id) is None] or chosen
    try:
        found = _told(work, missing)
    except LabelFreeError as problem:
        st.error(words.plain(str(problem)))
        return
    if len(found) < len(missing):
        _wait(work, missing)
        return
    seconds, peak = sum(each.seconds for each in found), max(each.peak_bytes for each in found)
    name = words.device(found[0].device)
    st.caption(f"About {words.duration(seconds)} and {words.memory(peak)} of memory, on the {name}.")
    for warning in dict.fromkeys(text for each in found for text in each.warnings):
        st.caption(f":orange[:material/info:] {words.plain(warning)}")
