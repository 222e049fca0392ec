"""How a training ends that can't write down why: by the number that its process leaves."""

from __future__ import annotations

import os
import threading
import time

import psutil

TOO_LARGE, DISK_FULL = 3, 4
MIB = 2**20
_LOOK_EVERY_S = 0.2
_DIED = (
    "The system stopped the training, most likely because memory ran out. Close other programs, or bring "
    "fewer or smaller pairs, and start again."
)
_FULL = (
    "The disk of this computer is full, so the training could not go on. Free some disk space, or ask the "
    "owner of the server to, and start again."
)


def sentence(number: int | None, allowed_bytes: int) -> str:
    """
    Say why a training's process ended.

    Parameters
    ----------
    number : int or None
        What the process left.
    allowed_bytes : int
        The memory that it was allowed.

    Examples
    --------
    >>> sentence(TOO_LARGE, 2 * 2**30)[:66]
    'The training needed more than the 2048 MiB of memory that it may t'
    """
    if number == TOO_LARGE:
        return (
            f"The training needed more than the {allowed_bytes / MIB:.0f} MiB of memory that it may take "
            "here. Bring fewer or smaller pairs, or crop them, and start again."
        )
    return _FULL if number == DISK_FULL else _DIED


def stay_within(allowed_bytes: int) -> None:
    """End this process, from now on, as soon as it takes more memory than this."""
    threading.Thread(target=_watch, args=(allowed_bytes,), daemon=True).start()


def _watch(allowed_bytes: int) -> None:
    here = psutil.Process()
    while here.memory_info().rss <= allowed_bytes:
        time.sleep(_LOOK_EVERY_S)
    # At once: an exception would wait for the code that takes the memory.
    os._exit(TOO_LARGE)
