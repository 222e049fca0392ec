"""
Logs for the owner of a server: one JSON object a line, with times, sizes and states.

They never hold what belongs to a person: no contents of images and no names of files. So the words of an
exception, which may name a file, stay out too; its type and its place in the program are there.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

from labelfree_core.errors import LabelFreeError

LOGGERS = ("labelfree_core", "labelfree")
_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_FRAMES = 8


class JsonLines(logging.Formatter):
    """Writes a record and its extra values as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": record.process,
            "event": record.getMessage(),
        }
        line.update({name: value for name, value in vars(record).items() if name not in _USUAL})
        if record.exc_info is not None and record.exc_info[1] is not None:
            line |= _described(record.exc_info[1])
        return json.dumps(line, default=lambda value: type(value).__name__)


def configure(level: str | None = None) -> None:
    """
    Send the log to the error output, once a process.

    Parameters
    ----------
    level : str, optional
        ``"DEBUG"``, ``"INFO"``, ``"WARNING"`` or ``"ERROR"``; if not given, what ``LABELFREE_LOG`` says,
        else ``"WARNING"``.

    Raises
    ------
    LabelFreeError
        If there is no such level.
    """
    wanted = (level or os.environ.get("LABELFREE_LOG", "") or "WARNING").upper()
    known = logging.getLevelNamesMapping()
    if wanted not in known:
        raise LabelFreeError(
            f"LABELFREE_LOG is {wanted!r}; it has to be one of {', '.join(known)}. Correct it."
        )
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(wanted)
        if not any(isinstance(handler.formatter, JsonLines) for handler in logger.handlers):
            handler = logging.StreamHandler(sys.stderr)
            handler.setFormatter(JsonLines())
            logger.addHandler(handler)
        # Others who listen at the root, such as the web server's own log, must not write it once more.
        logger.propagate = False


def _described(problem: BaseException) -> dict[str, object]:
    frames = traceback.extract_tb(problem.__traceback__)[-_FRAMES:]
    places = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
    return {"error": type(problem).__name__, "where": places}
