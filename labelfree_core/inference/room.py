"""The private folder of one server, where images and results wait to be handed over."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import psutil

_PREFIX = "labelfree-room-"


def make_room() -> Path:
    """
    Make the folder, and delete what servers left behind that were killed before they could.

    Returns
    -------
    folder : path
        Readable by this user only; the number in its name tells a later server whose it was.
    """
    for room in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        number = room.name.removeprefix(_PREFIX).split("-")[0]
        if number.isdigit() and not psutil.pid_exists(int(number)):
            shutil.rmtree(room, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
