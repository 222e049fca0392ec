"""
Temporary folders that are gone with the program that made them, even where it was killed.

A program deletes its own when it ends. The number of its process stands in their names, so that the next
program can tell what a killed one left behind, and delete that too.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import tempfile
from pathlib import Path

import psutil

from labelfree_core.errors import LabelFreeError

_NAME = re.compile(r"labelfree-[a-z]+-([0-9]{1,10})-\w+")


def prefix(kind: str) -> str:
    """
    Begin the name of a temporary folder or file; what killed programs left goes first.

    Parameters
    ----------
    kind : str
        What it is for, in small letters.

    Returns
    -------
    prefix : str
        For :mod:`tempfile`.

    Raises
    ------
    OSError
        If no temporary folder can be written.
    """
    _sweep()
    return f"labelfree-{kind}-{os.getpid()}-"


def own_folder(kind: str) -> Path:
    """
    Make a temporary folder that only this user can read.

    Parameters
    ----------
    kind : str
        What it is for, in small letters.

    Raises
    ------
    LabelFreeError
        If none can be written.
    """
    try:
        return Path(tempfile.mkdtemp(prefix=prefix(kind)))
    except OSError as problem:
        raise LabelFreeError(
            f"No temporary folder can be written ({problem.strerror or 'the disk may be full'}), and one is "
            "needed. Free some disk space, or set the environment variable TMPDIR, and try again."
        ) from problem


@functools.cache
def _sweep() -> None:
    """Delete what ended programs left; once, before this one makes its first folder."""
    for left in Path(tempfile.gettempdir()).glob("labelfree-*"):
        found = _NAME.fullmatch(left.name)
        # In a container the number of a server is the same each time: then it is this one's own, and older.
        if found and (int(found[1]) == os.getpid() or not psutil.pid_exists(int(found[1]))):
            shutil.rmtree(left, ignore_errors=True)
