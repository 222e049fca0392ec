"""One quiet menu for every plot and figure: vectors for a paper, pixels for a slide."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from labelfree_core.reports.drawing import DARK, WHITE, Drawing, Theme, to_png, to_svg
from labelfree_core.reports.pdf import to_pdf
from pages.components import downloads


def menu(draw: Callable[[Theme], Drawing], name: str) -> None:
    """
    Offer a figure in four forms, each drawn when its button is pressed.

    Parameters
    ----------
    draw : callable
        Draws the figure for a white or a dark background.
    name : str
        Begins the file names.
    """
    with st.popover("Save figure", icon=":material/download:", type="tertiary"):
        st.caption("For a paper: lines and text stay sharp at any size.")
        downloads.button("SVG", lambda: to_svg(draw(WHITE)), f"{name}.svg", "image/svg+xml")
        downloads.button("PDF", lambda: to_pdf(draw(WHITE)), f"{name}.pdf", "application/pdf")
        st.caption("For a slide.")
        downloads.button("PNG, white", lambda: to_png(draw(WHITE)), f"{name}_white.png", "image/png")
        downloads.button("PNG, dark", lambda: to_png(draw(DARK)), f"{name}_dark.png", "image/png")
