"""
Frees what a closed tab leaves behind.

Streamlit keeps the session of a tab that is gone for the case that it comes back, and drops it for good only
when the next visitor goes: on a quiet server that may be never. So one thread looks who is still connected.

The same thread collects garbage. Streamlit would do so after every run of every part of a page, a tenth of a
second each time in which no page of anybody is drawn; its setting ``runner.postScriptGC`` is off for that.
"""

from __future__ import annotations

import gc
import threading
import time
import weakref
from dataclasses import dataclass

import streamlit as st
from streamlit import config, runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.components.session import Session

LOOK_EVERY_S = 5.0


@dataclass(slots=True)
class Guest:
    """What a session of Streamlit holds of ours, and since when it is known to be without a connection."""

    work: weakref.ref[Session]
    away: float | None = None


class Watch:
    """The thread, and whom it looks after. A session is only named here, never kept alive."""

    def __init__(self) -> None:
        self._guests: dict[str, Guest] = {}
        self._lock = threading.Lock()
        self._drawn = False
        threading.Thread(target=self._look, name="labelfree-leaving", daemon=True).start()

    def add(self, number: str, work: Session) -> None:
        """Look after one session."""
        self._drawn = True
        with self._lock:
            known = self._guests.get(number)
            if known is None or known.work() is not work:
                self._guests[number] = Guest(weakref.ref(work))

    def look_once(self, patience_s: float) -> None:
        """Close the sessions that were found without a connection for so long."""
        now = time.monotonic()
        with self._lock:
            guests = list(self._guests.items())
        for number, guest in guests:
            work = guest.work()
            if runtime.exists() and runtime.get_instance().is_active_session(number):
                guest.away = None
                continue
            # Counted from the first look that finds nobody: who left between two looks may be back at once.
            guest.away = now if guest.away is None else guest.away
            if work is None or now - guest.away >= patience_s:
                with self._lock:
                    self._guests.pop(number, None)
                if work is not None:
                    work.close()

    def tidy(self) -> None:
        """Collect garbage, if a page was drawn since the last time."""
        if self._drawn:
            self._drawn = False
            gc.collect()

    def _look(self) -> None:
        while True:
            time.sleep(LOOK_EVERY_S)
            self.look_once(float(config.get_option("server.disconnectedSessionTTL")))
            self.tidy()


@st.cache_resource(show_spinner=False)
def _watch() -> Watch:
    return Watch()


def watch(work: Session) -> None:
    """Look after this visitor's session from now on."""
    context = get_script_run_ctx()
    if runtime.exists() and context is not None:
        _watch().add(context.session_id, work)
