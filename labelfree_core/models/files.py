"""Writing files whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from labelfree_core.errors import ModelError


def write_atomically(file: Path, content: bytes) -> None:
    """Write *content* so that *file* is the old one or the new one, never half of it."""
    temporary = ""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        with os.fdopen(handle, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        # mkstemp makes files that only their owner reads; a model folder may be shared.
        Path(temporary).chmod(0o644)
        Path(temporary).replace(file)
    except OSError as problem:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise ModelError(
            f"{file} can't be written ({reason(problem)}); a folder with room and write permission is "
            "needed. Choose another one with the environment variable LABELFREE_MODELS."
        ) from problem


def reason(problem: Exception) -> str:
    """Name what went wrong, for a person."""
    return (problem.strerror if isinstance(problem, OSError) else "") or type(problem).__name__
