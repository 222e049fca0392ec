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

CSS = """
<style>
.block-container {max-width: 1900px; padding: 3.6rem clamp(1rem, 3vw, 3.5rem) 3rem;}
/* The menu begins where the page does. */
[data-testid="stTopNav"] {
  padding-left: calc(clamp(1rem, 3vw, 3.5rem) + max(0px, 50vw - 950px) - 8px) !important;}
h1 {font-size: 2.2rem !important; font-weight: 650; letter-spacing: -0.02em; padding-bottom: 0.1rem;}
h3 {font-size: 1.3rem !important;}
[data-testid="stImage"] img {image-rendering: pixelated; border-radius: 4px;
  box-shadow: 0 0 0 1px rgba(128, 140, 148, 0.35);}
/* Enlarged pixel by pixel already, with a scale bar whose text must survive being made smaller. */
[class*="st-key-framed-"] [data-testid="stImage"] img {image-rendering: auto;}
/* As many in a row as have room. Samples: two on a tablet, three on a laptop, six on a projector; cards of
   models, with more to read: two, three, four; those to choose from, with a picture below that should be seen
   too: two, two, four; channels: three, five, five. */
[class*="st-key-grid-"] {--least: 330px; display: grid !important; align-items: stretch; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, var(--least)), 1fr));}
.st-key-grid-channels {--least: 220px !important;}
@media (min-width: 1200px) {[class*="st-key-grid-choice-"] {--least: 400px !important;}}
@media (min-width: 1800px) {
  [class*="st-key-grid-"] {--least: 280px;}
  .st-key-grid-channels {--least: 300px !important;}
  .st-key-grid-models {--least: 400px !important;}
}
/* A contact sheet: four in a row, two on a tablet, where four would be too small to see. */
.st-key-sheet {display: grid !important; align-items: start; gap: 1rem;
  grid-template-columns: repeat(4, minmax(0, 1fr));}
@media (max-width: 900px) {.st-key-sheet {grid-template-columns: repeat(2, minmax(0, 1fr));}}
.st-key-sheet > div {width: 100% !important; min-width: 0;}
[class*="st-key-grid-"] > div {width: 100% !important; height: 100%; min-width: 0;}
/* As large as the picture beside it, at every width. */
[class*="st-key-square-"] {aspect-ratio: 1; min-height: 0; max-width: 46rem;}
[class*="st-key-square-"] > div,
[class*="st-key-square-"] [data-testid="stPlotlyChart"] {height: 100% !important;}
[class*="st-key-card-"] [data-testid="stCheckbox"] p {font-weight: 600;}
/* Small print that a projector still shows; what warns in it is never faded. */
[data-testid="stCaptionContainer"] {opacity: 0.8;}
[data-testid="stCaptionContainer"]:has(.stMarkdownColoredText) {opacity: 1;}
/* A table beside a viewer: below each other on a tablet, where the table would lose half of its columns. */
@media (max-width: 1000px) {
  [class*="st-key-stacked-"] > [data-testid="stLayoutWrapper"] > [data-testid="stHorizontalBlock"] {
    flex-direction: column;}
  [class*="st-key-stacked-"] > [data-testid="stLayoutWrapper"] > [data-testid="stHorizontalBlock"]
    > [data-testid="stColumn"] {width: 100%; flex: none;}
}
/* More numbers than a tablet has room for beside each other: three in a row. */
@media (max-width: 1000px) {
  .st-key-many-metrics [data-testid="stHorizontalBlock"] {flex-wrap: wrap;}
  .st-key-many-metrics [data-testid="stColumn"] {flex: 0 1 calc(33% - 1rem);
    min-width: 28%;}
}
/* Writes the address and shows nothing. */
.st-key-address {position: absolute;}
/* Places below the viewer: five in a row on a laptop, three on a tablet. */
.st-key-places {display: grid !important; align-items: stretch; gap: 0.75rem; min-height: 12.25rem;
  grid-template-columns: repeat(auto-fit, minmax(205px, 1fr));}
.st-key-places > div {width: 100% !important; height: 100%; min-width: 0;}
/* A map has its room before it is there, and whatever its shape: nothing below it moves when it comes. */
[class*="st-key-map-"] [class*="st-key-framed-"] {min-height: min(22rem, 42vw);}
[class*="st-key-map-"] [data-testid="stHtml"] > div, [class*="st-key-map-"] [data-testid="stImage"] {
  height: min(22rem, 42vw); display: flex; align-items: center; justify-content: center;}
[class*="st-key-map-"] [data-testid="stHtml"] > div {border: 1px dashed rgba(128, 140, 148, 0.6);
  border-radius: 4px; padding: 1rem; text-align: center; opacity: 0.8;}
[class*="st-key-map-"] [data-testid="stImage"] {align-items: flex-start;}
[class*="st-key-map-"] [data-testid="stImage"] img {width: auto !important; max-height: min(22rem, 42vw);}
[class*="st-key-below-map-"] {min-height: 5.5rem;}
@media (max-width: 900px) {[class*="st-key-below-map-"] {min-height: 7.5rem;}}
@media (min-width: 640px) {.st-key-looks {height: 2.5rem;}}
/* The verdict in one sentence of up to so many lines. */
.st-key-verdict {min-height: 1.6rem;}
@media (max-width: 1300px) {.st-key-verdict {min-height: 3.2rem;}}
/* How the pairs are split: as high as the warning that may stand there. */
.st-key-split {min-height: 3.5rem;}
/* An image of a batch: waiting, under way, ready. */
[class*="st-key-batch-state-"] {min-height: 2.5rem;}
/* A line that will be written later, in the room of what will be written. */
.lf-later {display: grid; line-height: 1.6;}
.lf-later > * {grid-area: 1 / 1;}
.lf-later > :last-child {visibility: hidden;}
/* What is said while something is worked out again lies over the page and moves nothing. */
[data-testid="stLayoutWrapper"]:has(> .st-key-working) {position: absolute; right: 0; z-index: 1;
  width: auto !important; padding: 0.9rem 1.2rem;}
/* On a tablet the whole menu fits without its pictures. */
@media (max-width: 900px) {
  [data-testid="stTopNavLink"] > span:has([data-testid="stIconMaterial"]) {display: none;}
}
.lf-lead {font-size: 1.1rem; line-height: 1.55; max-width: 64rem; opacity: 0.88;}
.lf-foot {font-size: 0.8rem; opacity: 0.6; padding-top: 2.5rem;}
.lf-fact {font-size: 0.95rem; line-height: 1.5;}
.lf-ramp {height: 10px; border-radius: 2px; max-width: 30rem;}
.lf-ends {display: flex; justify-content: space-between; max-width: 30rem; font-size: 0.85rem; opacity: 0.8;
  font-variant-numeric: tabular-nums;}
/* Streamlit writes white on the main button, too pale on the bright colour of the dark theme. The server does
   not hear of a theme that changes while a page is open, so the style itself chooses. */
[data-testid="stBaseButton-primary"]:not(:disabled), [data-testid="stBaseButton-primary"]:not(:disabled) p {
  color: light-dark(#fff, #05201f);}
[data-testid="stBaseButton-primary"]:not(:disabled):is(:hover, :focus-visible) {
  background-color: light-dark(#042c2f, #63cbc7); border-color: light-dark(#042c2f, #63cbc7);}
/* Streamlit marks the focus of links, menu and unticked boxes too faintly, and hides a picture's button. */
:is([data-testid="stTopNavLink"], [data-testid="stSidebarNavLink"], [data-testid="stPageLink-NavLink"],
  [data-testid^="stBaseButton"]):focus-visible,
label:has(input[type="checkbox"]:focus-visible) > div:first-of-type {
  outline: 2px solid light-dark(#0b6e75, #6fd0cc) !important; outline-offset: 1px;
  box-shadow: none !important;}
:is([data-testid="stTopNavLink"], [data-testid="stSidebarNavLink"]):focus-visible {outline-offset: -2px;}
[data-testid="stElementToolbar"]:has(:focus-visible) {opacity: 1 !important;}
[data-testid="stMetricValue"] {font-variant-numeric: tabular-nums;}
</style>
"""


def style() -> None:
    """Apply the few rules that the theme can't say."""
    st.html(CSS)


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
