"""
The chain of pages of a TIFF file, walked before anything else is read.

A page names the next one by its place in the file. In a hostile file the last names an earlier one, and who
follows never ends: tifffile looks for a circle only among the first hundred pages. In a file that was cut off
the next page, or the text that says what the pages are, lies beyond its end: tifffile leaves both out without
a word, and a stack would be taken for one plane.
"""

from __future__ import annotations

import struct
from pathlib import Path

from labelfree_core.errors import ImageError

MOST_PAGES = 300_000
# By magic number: format of a place, format of the number of tags, bytes of a tag, where the first place is.
_KINDS = {42: ("I", "H", 12, 4), 43: ("Q", "Q", 20, 8)}
# A tag: its number, the type and number of its values, and where they are.
_TAGS = {42: "HHII", 43: "HHQQ"}
_DESCRIPTION = 270


def check_chain(path: Path) -> None:
    """
    Follow the pages of a TIFF file to the end.

    Parameters
    ----------
    path : path
        A file of another kind, or one that ends before its first page, passes: its reader says what is wrong.

    Raises
    ------
    ImageError
        If the pages never end, are more than can be read, or go on beyond the end of the file.
    """
    size = path.stat().st_size
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
            counted = file.read(count_bytes).ljust(count_bytes, b"\0")
            # A hostile number of tags asks for more than the file has.
            tags = file.read(min(struct.unpack(number, counted)[0] * tag_bytes, size))
            found = file.read(wide)
            if len(found) < wide:
                return _refuse_cut(len(seen), size)
            if len(seen) == 1 and _described_beyond(tags, order + _TAGS[kind], size):
                _refuse_cut(2, size)
            (following,) = struct.unpack(place, found)


def _described_beyond(tags: bytes, tag: str, size: int) -> bool:
    """Whether the description of a page lies beyond the end of the file."""
    inline = struct.calcsize(tag[0] + tag[-1])
    for number, _, count, at in struct.iter_unpack(tag, tags):
        if number == _DESCRIPTION:
            return bool(count > inline and at + count > size)
    return False


def _refuse_cut(page: int, size: int) -> None:
    # Slide scanners write files above 4 GB with places that this walk can't follow; tifffile can.
    if page > 1 and size < 2**32:
        raise ImageError(
            "The TIFF file is cut off: pages, or the text that says what they are, lie beyond its end. Copy "
            "it again from where it was recorded."
        )


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
