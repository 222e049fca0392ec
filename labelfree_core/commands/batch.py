"""``labelfree batch``: many images, many models; one bad file never stops the rest."""

from __future__ import annotations

import argparse
import glob
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from labelfree_core.commands.common import (
    ProgressLine,
    Verbs,
    add_image_options,
    add_json,
    add_yes,
    note,
    say,
    say_json,
    wanted_from,
)
from labelfree_core.commands.predict import add_run_options
from labelfree_core.errors import LabelFreeError

if TYPE_CHECKING:
    from labelfree_core.batch import BatchProgress


def register(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("batch", help="predict in many images", description=__doc__)
    parser.add_argument("files", metavar="FILE", nargs="+", help="images; * and ? work on every system")
    parser.add_argument("--model", action="append", required=True, metavar="ID|PATH", help="may be repeated")
    parser.add_argument("--output-folder", required=True, metavar="FOLDER")
    parser.add_argument(
        "--observed-channel", metavar="NAME|INDEX", help="score against this stain of each file"
    )
    parser.add_argument("--again", action="store_true", help="predict anew what is there already")
    add_image_options(parser)
    add_yes(parser)
    add_run_options(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Run one batch; exit 1 where a prediction failed, after all others were made."""
    from labelfree_core import batch
    from labelfree_core.commands.predict import options_from

    options = batch.BatchOptions(
        wanted=wanted_from(arguments, propose="transmitted"),
        predict=options_from(arguments),
        observed_channel=arguments.observed_channel,
    )
    files = [name for pattern in arguments.files for name in _expanded(pattern)]
    watch = _Watch()
    result = batch.run(
        files,
        arguments.model,
        arguments.output_folder,
        resume=not arguments.again,
        options=options,
        progress=watch,
    )
    if arguments.json:
        rows = [asdict(row) for row in result.rows]
        sheets = [str(path) for path in result.sheets]
        say_json({"summary": str(result.summary), "contact_sheets": sheets, "rows": rows})
    else:
        say(f"{result.summary}: {len(result.rows)} predictions, {result.failed} failed")
    if result.failed:
        raise LabelFreeError(
            f"{result.failed} of {len(result.rows)} predictions were not made; {result.summary} says why for "
            "each. Mend those and start again: what is done is kept."
        )


class _Watch:
    """Tells of every prediction on stderr, and of the running one on a terminal."""

    def __init__(self) -> None:
        self._line = ProgressLine()

    def __call__(self, progress: BatchProgress) -> None:
        if progress.inner is not None:
            self._line(progress.inner)
        if progress.row is None:
            return
        self._line.close()
        row = progress.row
        if row.status == "failed":
            note(f"{row.file}, {row.model}: failed: {row.problem}")
        elif sys.stderr.isatty():
            note(f"{progress.finished} of {progress.total}: {row.file}, {row.model}: {row.status}")


def _expanded(pattern: str) -> list[str]:
    """Expand * and ? where the shell has not, as on Windows; other names stay as they are."""
    if Path(pattern).exists() or not glob.has_magic(pattern):
        return [pattern]
    return sorted(glob.glob(pattern)) or [pattern]  # noqa: PTH207 - pathlib has no pattern with a drive
