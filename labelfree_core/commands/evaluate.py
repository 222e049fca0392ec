"""
Score a model on image pairs it never saw, one image a line, through the same path as a prediction.

PAIRS.csv has a line for each pair; docs/models.md lists its columns. The noise ceiling is the best r that the
noise of a stain allows.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from labelfree_core.commands.common import Verbs, add_json, output_path, say, say_json


def register(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("evaluate", help="score a model on image pairs", description=__doc__)
    parser.add_argument("--model", required=True, metavar="ID|PATH", help="see `labelfree models`")
    parser.add_argument(
        "--data", required=True, metavar="FOLDER", help="folder of image pairs, or a table of pairs"
    )
    parser.add_argument("--pairs", metavar="PAIRS.csv", help="table of pairs; default: FOLDER/pairs.csv")
    parser.add_argument("--only-held-out", action="store_true", help="leave out lines whose split is 'train'")
    parser.add_argument("--figure", metavar="OUT.html", help="also draw scores, worst and best image, pixels")
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Print a score for every image, and the median."""
    import numpy as np

    from labelfree_core.commands.evaluate_figure import draw
    from labelfree_core.images.writing import write_bytes
    from labelfree_core.models.store import find_model
    from labelfree_core.training.evaluate import evaluate, worst_and_best
    from labelfree_core.training.pairs import read_table

    figure = output_path(arguments.figure) if arguments.figure else None
    data = Path(arguments.data)
    table = arguments.pairs or (data / "pairs.csv" if data.is_dir() else data)
    rows = read_table(table, root=data if data.is_dir() else None)
    if arguments.only_held_out:
        rows = tuple(row for row in rows if row.split != "train")
    entry = find_model(arguments.model)
    found = evaluate(entry, rows)
    if figure is not None:
        write_bytes(figure, draw(entry.card, found, worst_and_best(entry, rows, found)).encode())
    median = float(np.median([score.pearson_r for score in found])) if found else float("nan")
    dice = float(np.median([score.dice for score in found])) if found else float("nan")
    if arguments.json:
        lines = [{name: _known(getattr(score, name)) for name in score.__slots__} for score in found]
        say_json({"images": lines, "n": len(found), "median_pearson_r": median, "median_dice": dice})
        return
    width = max((len(score.name) for score in found), default=5)
    say(f"{'image':{width}}  pearson r  ceiling   dice")
    for score in found:
        say(f"{score.name:{width}}  {score.pearson_r:9.3f}  {_number(score.ceiling)}  {score.dice:5.3f}")
    highest = [score.ceiling for score in found if math.isfinite(score.ceiling)]
    ceiling = _number(float(np.median(highest)) if highest else math.nan)
    say(f"{'median':{width}}  {median:9.3f}  {ceiling}  {dice:5.3f}   n = {len(found)}")


def _known(value: object) -> object:
    """Leave out what is no number: JSON has none such."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _number(value: float) -> str:
    return f"{value:7.3f}" if math.isfinite(value) else f"{'-':>7}"
