"""Names and words from files, made safe to show: a file's author decides what they say, not what they do."""

from __future__ import annotations

import unicodedata

# What Markdown, HTML and LaTeX act on when a page shows the text.
_ACTING = str.maketrans(dict.fromkeys("<>[]{}`|$\\", "_"))


def plain_text(text: str, *, limit: int = 120) -> str:
    r"""
    Make one short line that no page, terminal or table takes for a command.

    Parameters
    ----------
    text : str
        Anything out of a file.
    limit : int
        Most characters kept.

    Returns
    -------
    plain : str
        Without control or direction marks; markup characters become ``_``.

    Examples
    --------
    >>> plain_text("<b>DNA</b>\n(live)")
    '_b_DNA_/b_ (live)'
    """
    # A name of 10^6 characters is cut before it is looked at.
    short = " ".join(text[: 4 * limit].split())
    kept = "".join(c for c in short if unicodedata.category(c)[0] != "C")
    return kept.translate(_ACTING)[:limit].strip()


def file_name(name: str) -> str:
    r"""
    Last part of a path of any system, safe to show and to build a new name from.

    Examples
    --------
    >>> file_name("../../etc/passwd"), file_name(r"C:\\images\\a.tif"), file_name("..")
    ('passwd', 'a.tif', 'image')
    """
    last = name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    return plain_text(last).lstrip(".") or "image"
