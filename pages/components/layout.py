"""What all pages share: the frame, the line that says which image is open, and empty pages that teach."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import streamlit as st

from labelfree_core import __version__
from pages.components import leaving, links, room, running, session, words
from pages.components.session import Opened, Session

# A file: an icon by name would be fetched from another computer.
ICON = str(Path(__file__).with_name("icon.png"))
# Address, title and icon, in the order of the menu.
PAGES = (
    ("start", "Start", "home"),
    ("predict", "Predict", "auto_awesome"),
    ("compare", "Compare", "compare"),
    ("trust", "Trust", "verified_user"),
    ("masks", "Masks", "gradient"),
    ("untagged", "Untagged structure", "visibility_off"),
    ("models", "Models", "menu_book"),
    ("train", "Train your own", "school"),
)

FEW_METRICS = 4


def style() -> None:
    """Apply the few rules that the theme can't say."""
    st.html(Path(__file__).with_name("layout.css"))


def footer() -> None:
    """Say on every page what a prediction is not."""
    st.html(
        '<div class="lf-foot">A prediction is a network\'s guess, not a measurement. '
        f"Nothing leaves this computer. labelfree {__version__}</div>"
    )


def end() -> NoReturn:
    """End a page early, with its last line."""
    footer()
    st.stop()


def page(name: str, title: str, lead: str) -> Session:
    """
    Begin a page: guard, title, one sentence, and the open image.

    Returns
    -------
    work : Session
        This browser tab's session.
    """
    links.guard(name)
    st.title(title)
    st.html(f'<div class="lf-lead">{lead}</div>')
    work = session.current()
    leaving.watch(work)
    running.collect(work)
    if work.dropped:
        st.warning(words.plain(room.sentence(work)))
    return work


def open_image_line(work: Session) -> None:
    """Name the open image in one quiet line."""
    image = work.image
    if image is None:
        return
    size = image.voxel_size_um
    order = "" if size is None else f" ({' × '.join('zyx'[-len(size) :])})"
    parts = [
        f"**{words.plain(image.file.name)}**",
        extent(image.sizes),
        f"{'voxel' if image.is_stack else 'pixel'} size not known"
        if size is None
        else f"{words.points(len(size))} of {words.micrometres(size)}{order}",
        f"input: {words.plain(image.channel_label(image.transmitted))}" + _light(image),
    ]
    simulated = " :orange-badge[:material/science: simulated]" if image.file.simulated else ""
    st.caption(" · ".join(parts) + simulated)


def _light(image: session.Opened) -> str:
    """Name the kind of transmitted light where the channel's name does not, and that it is assumed."""
    if image.transmitted is None or image.modality == image.named_light:
        return ""
    return f" ({image.modality}{', assumed' if image.light_assumed else ''})"


def extent(sizes: Mapping[str, int]) -> str:
    """
    Say how large an image is, from the length of each of its axes.

    >>> extent({"Z": 32, "C": 5, "Y": 128, "X": 160})
    '32 planes, 5 channels, 128 × 160 pixels (y × x)'
    """
    names = {"T": "times", "C": "channels", "Z": "planes", "S": "colours"}
    counts = [
        f"{n} {names.get(axis, f'along {axis}')}" for axis, n in sizes.items() if axis not in "YX" and n > 1
    ]
    return ", ".join([*counts, f"{sizes['Y']} × {sizes['X']} pixels (y × x)"])


def metrics(values: Sequence[tuple[str, float | None, str]]) -> None:
    """Show numbers in a row, each with its name and what it means; a dash where one is not known."""
    with st.container(key="many-metrics" if len(values) > FEW_METRICS else None):
        for column, (label, value, meaning) in zip(st.columns(len(values)), values, strict=True):
            with column.container(gap="xsmall"):
                st.metric(label, words.number(math.nan if value is None else value))
                st.caption(words.plain(meaning))


def need_image(work: Session) -> Opened:
    """Return the open image; where there is none, stop here and show the way on."""
    if work.image is not None:
        open_image_line(work)
        return work.image
    empty(
        "No image is open yet",
        "This page works on a bright-field, phase-contrast or DIC image. Pick a sample or open your own on "
        "the Start page; it takes one click.",
        "start",
        "Choose an image",
    )


def need_prediction(work: Session, what: str) -> None:
    """Stop here where nothing has been predicted for the open image: with its progress, or the way on."""
    if work.results():
        return
    running.start_linked(work)
    if work.jobs:
        running.panel(work)
        end()
    for key, sentence in work.problems.items():
        if work.image is not None and key.image == work.image.key:
            st.error(words.plain(f"{key.model}: {sentence}"))
    running.elsewhere(work)
    empty("Nothing is predicted yet", what, "predict", "Go to Predict")


def empty(title: str, what: str, target: str, label: str) -> NoReturn:
    """Show an empty state that says what belongs here and how to get there, and end the page."""
    with st.container(border=True):
        st.subheader(title, anchor=False)
        st.write(what)
        if st.button(label, type="primary", icon=":material/arrow_forward:"):
            st.switch_page(f"pages/{target}.py")
    end()
