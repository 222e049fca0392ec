"""Where the pages keep what they have worked out: so many bytes for one person, and for everybody."""

from __future__ import annotations

import dataclasses
import itertools
import threading
import weakref
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import NamedTuple

import numpy as np
import streamlit as st

from labelfree_core.settings import Settings

MIB = 2**20
# Of a result that holds no arrays, with what Python needs around it.
_LEAST_BYTES = 1024


class Kind(NamedTuple):
    """What a result is, and how many of its kind a shelf holds at most; None for as many as there is room."""

    name: str
    most: int | None = None


class Kept(NamedTuple):
    """A result, the bytes it takes, when it was last used, counted over all shelves, and what it is."""

    value: object
    size: int
    used: int
    kind: Kind | None = None


class Everybody:
    """All shelves of this server, and the lock under which they change. A shelf is only named here."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.shelves: weakref.WeakSet[Shelf] = weakref.WeakSet()
        self.clock = itertools.count()

    def fit(self, allowed: float) -> None:
        """Let go of what was not used for longest, whoever it belongs to; the newest of all stays."""
        while sum(shelf.size for shelf in self.shelves) > allowed:
            first = [(*shelf.oldest, shelf) for shelf in self.shelves if len(shelf)]
            if sum(len(shelf) for *_, shelf in first) < 2:
                return
            _, key, shelf = min(first, key=lambda each: each[0])
            shelf.drop(key)


@st.cache_resource(show_spinner=False)
def everybody() -> Everybody:
    """Return what knows all shelves."""
    return Everybody()


class Shelf:
    """
    Results of one person, the longest unused first.

    Parameters
    ----------
    most : int, optional
        How many are kept at most.
    """

    def __init__(self, most: int | None = None) -> None:
        self._kept: OrderedDict[Hashable, Kept] = OrderedDict()
        self._most = most
        self.size = 0

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._kept

    def take(self, key: Hashable) -> object:
        """
        Return a result and note that it was used.

        Raises
        ------
        KeyError
            If it is not there (any more).
        """
        all_of_them = everybody()
        with all_of_them.lock:
            found = self._kept[key]._replace(used=next(all_of_them.clock))
            self._kept[key] = found
            self._kept.move_to_end(key)
            return found.value

    def put(self, key: Hashable, value: object, allowed_mib: float, *, kind: Kind | None = None) -> None:
        """Keep a result, and let go of older ones until this shelf fits, and all of them together do."""
        all_of_them, size = everybody(), size_of(value)
        with all_of_them.lock:
            all_of_them.shelves.add(self)
            self.drop(key)
            self._kept[key] = Kept(value, size, next(all_of_them.clock), kind)
            self.size += size
            if kind is not None and kind.most is not None:
                alike = [each for each, kept in self._kept.items() if kept.kind == kind]
                for each in alike[: len(alike) - kind.most]:
                    self.drop(each)
            while len(self._kept) > 1 and (
                self.size > allowed_mib * MIB or len(self._kept) > (self._most or len(self._kept))
            ):
                self.drop(next(iter(self._kept)))
            all_of_them.fit(Settings.read().all_caches_mib * MIB)

    @property
    def oldest(self) -> tuple[int, Hashable]:
        """When the result that was not used for longest was used, and its key."""
        key, kept = next(iter(self._kept.items()))
        return kept.used, key

    def drop(self, key: Hashable) -> None:
        """Let go of one result, where it is there."""
        gone = self._kept.pop(key, None)
        if gone is not None:
            self.size -= gone.size

    def clear(self) -> None:
        """Let go of everything."""
        with everybody().lock:
            self._kept.clear()
            self.size = 0


def size_of(value: object) -> int:
    """
    Count the bytes that a result keeps in memory.

    An array that is a part of another one keeps all of that; what a result holds twice counts once.

    Examples
    --------
    >>> whole = np.zeros((100, 100))
    >>> size_of((whole[0], whole[1])) == whole.nbytes
    True
    """
    return max(_LEAST_BYTES, _count(value, set()))


def _count(value: object, seen: set[int]) -> int:
    while isinstance(value, np.ndarray) and isinstance(value.base, np.ndarray):
        value = value.base
    if isinstance(value, (str, int, float, bool, type)) or value is None or id(value) in seen:
        return 0
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, (bytes, bytearray)):
        return len(value)
    if isinstance(value, Mapping):
        return sum(_count(part, seen) for part in value.values())
    if isinstance(value, (tuple, list, set, frozenset)):
        return sum(_count(part, seen) for part in value)
    if dataclasses.is_dataclass(value):
        return sum(_count(getattr(value, part.name), seen) for part in dataclasses.fields(value))
    return 0
