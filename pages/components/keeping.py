"""
Keeps what the pages have worked out for one person, within bytes.

Streamlit's own cache counts entries, and one entry here may be a kilobyte or a gigabyte.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextlib import nullcontext
from typing import ParamSpec, TypeVar, cast

import streamlit as st

from labelfree_core.settings import Settings
from pages.components import session
from pages.components.shelves import Kind

Given = ParamSpec("Given")
Found = TypeVar("Found")


def kept(
    spinner: str = "", *, image: bool = False, most: int | None = None
) -> Callable[[Callable[Given, Found]], Callable[Given, Found]]:
    """
    Let a function keep its results for the person who looks at the page.

    Arguments whose names begin with an underscore are not looked at: the others have to name them.

    Parameters
    ----------
    spinner : str
        Said while it works, where that takes long.
    image : bool
        Whether the result is a part of the open image, which ``LABELFREE_SESSION_MIB`` counts.
    most : int, optional
        How many results of this function are kept; for those that a moved slider makes by the dozen.
    """

    def decorate(work_out: Callable[Given, Found]) -> Callable[Given, Found]:
        names = enumerate(inspect.signature(work_out).parameters)
        kind = Kind(f"{work_out.__module__}.{work_out.__qualname__}", most)
        looked_at = [number for number, name in names if not name.startswith("_")]

        @functools.wraps(work_out)
        def call(*given: Given.args, **named: Given.kwargs) -> Found:
            work, limits = session.current(), Settings.read()
            shelf = work.channels if image else work.shelf
            key = (kind.name, *(given[number] for number in looked_at))
            try:
                return cast(Found, shelf.take(key))
            except KeyError:
                with st.spinner(spinner) if spinner else nullcontext():
                    found = work_out(*given, **named)
            shelf.put(key, found, limits.session_mib if image else limits.cache_mib, kind=kind)
            return found

        return call

    return decorate
