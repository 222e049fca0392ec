"""Links that open the app at one sample, model and plane, and the way in through any page's address."""

from __future__ import annotations

import streamlit as st

from labelfree_core.errors import LabelFreeError
from pages.components import opening, session

MARK = "entered_through_app"
WANTED = "wanted_page"
FOLLOWED = "followed_link"


def guard(page: str) -> None:
    """
    Send a visitor whose first request names a page file through ``app.py`` first.

    On a fresh server Streamlit runs a file in ``pages/`` alone when its address is the first request: without
    the menu, the page set-up and whatever ``app.py`` checks. Each page calls this before anything else.
    """
    if MARK in st.session_state:
        return
    st.session_state[WANTED] = (page, st.query_params.to_dict())
    st.switch_page("app.py")


def take_wanted_page() -> tuple[str, dict[str, str]] | None:
    """Mark this session as having come through ``app.py``; return where it wanted to go, once."""
    st.session_state[MARK] = True
    return st.session_state.pop(WANTED, None)


def follow() -> None:
    """Open the sample that the address names, once for each address."""
    query = st.query_params.to_dict()
    sample = query.get("sample", "")
    work = session.current()
    if not sample or st.session_state.get(FOLLOWED) == sample:
        return
    st.session_state[FOLLOWED] = sample
    if work.image is None or work.image.sample != sample:
        try:
            opening.open_sample(work, sample)
        except LabelFreeError as problem:
            st.error(str(problem))
            return
    work.linked_model = query.get("model", "")
    work.linked_z = int(query["z"]) if query.get("z", "").isdigit() else None


def state(model: str = "", z: int | None = None) -> None:
    """Write what is on the screen into the address, where a link could open it again."""
    work = session.current()
    if work.image is None or not work.image.sample:
        return
    st.session_state[FOLLOWED] = work.image.sample
    wanted = {"sample": work.image.sample} | ({"model": model} if model else {})
    if z is not None:
        wanted["z"] = str(z)
    if st.query_params.to_dict() != wanted:
        st.query_params.from_dict(wanted)
