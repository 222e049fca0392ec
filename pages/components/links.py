"""Links that open the app at one sample, model, view and plane, and the way in through any page's address."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import streamlit as st

from labelfree_core.errors import LabelFreeError
from pages.components import opening, session, words
from pages.components.session import Session
from pages.components.viewer_state import MODES, ViewState

MARK = "entered_through_app"
WANTED = "wanted_page"
SEEN = "address_seen"


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
    """
    Open the sample that the address names, once for each address that is new.

    An address that shows the open sample changes nothing: what somebody looks at now is newer than it.
    """
    query = st.query_params.to_dict()
    if st.session_state.get(SEEN) == query:
        return
    st.session_state[SEEN] = query
    sample, work = query.get("sample", ""), session.current()
    if not sample or (work.image is not None and work.image.sample == sample):
        return
    try:
        opening.open_sample(work, sample)
    except LabelFreeError as problem:
        st.error(words.plain(str(problem)))
        return
    work.linked_model = query.get("model", "")
    # A digit is more than 0 to 9 to Python's isdigit(), and a number can be too long to be read.
    work.linked_z = int(query["z"]) if re.fullmatch("[0-9]{1,6}", query.get("z", "")) else None
    work.linked_view = query.get("view", "")


def state(model: str = "", view: ViewState | None = None) -> None:
    """Write what is on the screen into the address, where a link could open it again."""
    work = session.current()
    wanted: dict[str, str] = {}
    if work.image is not None and work.image.sample:
        wanted = {"sample": work.image.sample} | ({"model": model} if model else {})
        if view is not None:
            wanted |= {"view": view.mode} | ({} if view.z is None else {"z": str(view.z)})
    _address(key="address", data={"query": urlencode(wanted)})


def wanted_view(work: Session) -> ViewState | None:
    """Return the view that a link asks for, once."""
    z, mode = work.linked_z, work.linked_view
    work.linked_z, work.linked_view = None, ""
    if z is None and mode not in MODES:
        return None
    return ViewState(z=z, mode=mode if mode in MODES else "side")


# Streamlit would add an entry to the browser's history for each plane that is looked at, and "back" would
# go through all of them.
_address = st.components.v2.component(
    "labelfree_address",
    js="""export default ({ data }) => {
      const here = new URL(window.location.href);
      if (here.search.replace("?", "") === data.query) return;
      here.search = data.query;
      window.history.replaceState(window.history.state, "", here.toString());
    };""",
)
