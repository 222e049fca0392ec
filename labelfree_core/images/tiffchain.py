"""
The chain of pages of a TIFF file, walked before anything else is read.

A page names the next one by its place in the file. In a hostile file the last names an earlier one, and who
follows never ends: tifffile looks for a circle only among the first hundred pages.
"""

from __future__ import annotations

import struct
from pathlib import Path

from labelfree_core.errors import ImageError

MOST_PAGES = 300_000
# By magic number: format of a place, format of the number of tags, bytes of a tag, where the first place is.
_KINDS = {42: ("I", "H", 12, 4), 43: ("Q", "Q", 20, 8)}


def check_chain(path: Path) -> None:
    """
    Follow the pages of a TIFF file to the end.

    Parameters
    ----------
    path : path
        A file of another kind, or one that ends too early, passes: its reader says what is wrong.

    Raises
    ------
    ImageError
        If the pages never end, or are more than can be read.
    """
    with path.open("rb") as file:
        head = file.read(16)
        order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
        kind = struct.unpack(order + "H", head[2:4])[0] if order and len(head) == 16 else 0
        if kind not in _KINDS:
            return
        place, number, tag_bytes, at = _KINDS[kind]
        place, number = order + place, order + number
        wide, count_bytes = struct.calcsize(place), struct.calcsize(number)
        (following,) = struct.unpack_from(place, head, at)
        seen: set[int] = set()
        while following:
            _check(following, seen)
            file.seek(following)
            counted = file.read(count_bytes)
            if len(counted) < count_bytes:
                return
            file.seek(following + count_bytes + struct.unpack(number, counted)[0] * tag_bytes)
            found = file.read(wide)
            if len(found) < wide:
                return
            (following,) = struct.unpack(place, found)


def _check(following: int, seen: set[int]) -> None:
    if following in seen:
        raise ImageError(
            "The pages of the TIFF file point in a circle, so that it never ends: it is damaged. Copy or "
            "export it again from the microscope's software."
        )
    seen.add(following)
    if len(seen) > MOST_PAGES:
        raise ImageError(
            f"The TIFF file lists more than {MOST_PAGES} pages, which is the most that can be read. Save the "
            "time points or positions you need as a file of their own."
        )
