"""
``labelfree VERB ...``: the same verbs as the pages, for a terminal and for scripts.

A new verb is one file in :mod:`labelfree_core.commands` with a function ``register(verbs)`` that adds its
parser and sets ``run``, and one word in :data:`VERBS`. What a verb needs is imported inside ``run``, so that
``labelfree --help`` answers at once.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module

from labelfree_core import __version__
from labelfree_core.errors import LabelFreeError

VERBS = (
    "info",
    "check",
    "models",
    "predict",
    "trust",
    "compare",
    "mask",
    "clip",
    "gif",
    "objects",
    "sheet",
    "batch",
    "rerun",
    "train",
    "evaluate",
    "calibrate",
    "simulate",
)

MENDABLE, USAGE = 1, 2
DEBUG_VARIABLE = "LABELFREE_DEBUG"


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        The words after ``labelfree``; those of this process where not given.

    Returns
    -------
    exit_code : int
        0, or 1 with one sentence on stderr. Wrong usage leaves through ``SystemExit(2)``.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a console that lacks a letter shows a question mark
            stream.reconfigure(errors="replace")
    arguments = build_parser().parse_args(argv)
    with warnings.catch_warnings():
        # What matters is a note or an error; the rest is for developers.
        if not os.environ.get(DEBUG_VARIABLE):
            warnings.simplefilter("ignore")
        return _guarded(arguments)


def build_parser() -> argparse.ArgumentParser:
    """Put the parser of every verb together."""
    parser = argparse.ArgumentParser(
        prog="labelfree",
        description="Predict fluorescence from transmitted-light images, compare it with the stain, and "
        "learn how far to trust it.",
        epilog="Exit code: 0 done; 1 something you can mend, told in one sentence; 2 wrong usage.",
    )
    parser.add_argument("--version", action="version", version=f"labelfree {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for name in VERBS:
        import_module(f"labelfree_core.commands.{name}").register(verbs)
    return parser


def _guarded(arguments: argparse.Namespace) -> int:
    """Run the chosen verb; say what can be mended in one sentence, and a bug in one too."""
    try:
        arguments.run(arguments)
        sys.stdout.flush()
        return 0
    except LabelFreeError as problem:
        return _refuse(str(problem))
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as problem:
        return _refuse(_about_file(problem))
    except MemoryError:
        return _refuse(
            "This machine has not enough memory for that. Close other programs, or use a smaller image."
        )
    except KeyboardInterrupt:
        return _refuse("Stopped; unfinished files were not kept.")
    except Exception as bug:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        return _refuse(
            f"This is a bug in labelfree, not your mistake ({type(bug).__name__}: {_one_line(bug)}). Please "
            f"report it; {DEBUG_VARIABLE}=1 shows where it happened."
        )


def _refuse(sentence: str) -> int:
    sys.stderr.write(f"labelfree: {_one_line(sentence)}\n")
    return MENDABLE


def _about_file(problem: OSError) -> str:
    where = f"{problem.filename}: " if problem.filename else ""
    if isinstance(problem, FileNotFoundError):
        return f"{where}there is no such file or folder. Check the path and try again."
    if isinstance(problem, IsADirectoryError):
        return f"{where}this is a folder, and a file is needed. Name a file in it."
    if isinstance(problem, PermissionError):
        return f"{where}not allowed. Choose another folder, or close the program that has the file open."
    return f"{where}{problem.strerror or problem}. Check the disk and the path, and try again."


def _one_line(text: object) -> str:
    return " ".join(str(text).split())
