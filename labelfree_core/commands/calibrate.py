"""
Make a model's trust files from image pairs: familiarity, expected error, and on its card hallucination and
the images that training saw.

Familiarity is fitted on the fields of the table against altered copies of them, photographs and --others, and
scored on fields and kinds that the fit did not see. Expected error needs held-out lines in the table.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from labelfree_core.commands.common import Verbs, add_json, note, say, say_json

if TYPE_CHECKING:
    from labelfree_core.training.familiarity import Table

PARTS = ("familiarity", "error", "hallucination", "images")


def register(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("calibrate", help="make a model's trust files", description=__doc__)
    parser.add_argument("--model", required=True, metavar="ID|FOLDER", help="see `labelfree models`")
    parser.add_argument("--pairs", required=True, metavar="PAIRS.csv", help="table of image pairs")
    parser.add_argument("--data", metavar="FOLDER", help="folder that the table's files are relative to")
    parser.add_argument(
        "--others",
        action="append",
        default=[],
        metavar="FOLDER|PAIRS.csv",
        help="other kinds of images: a folder with a folder for each kind, or another model's table; may be "
        "repeated",
    )
    parser.add_argument(
        "--leave-out",
        choices=("group", "field"),
        default="group",
        help="what sets the border of familiarity; field, where groups are kinds of cells",
    )
    parser.add_argument("--only", choices=PARTS, action="append", help="make only this; may be repeated")
    parser.add_argument(
        "--all-fields",
        action="store_true",
        help="the last round of training took the held-out lines too: list them as trained on",
    )
    parser.add_argument("--note", default="", help="what to know about the held-out fields")
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Make the files and print how good they are."""
    from labelfree_core.models.store import find_model
    from labelfree_core.training import calibrate
    from labelfree_core.training.pairs import read_table
    from labelfree_core.training.seen import write_images

    entry = find_model(arguments.model)
    root = Path(arguments.data) if arguments.data else Path(arguments.pairs).parent
    rows = read_table(arguments.pairs, root=root)
    parts = arguments.only or PARTS
    made: dict[str, object] = {"model_id": entry.card.id}
    if "familiarity" in parts:
        places = [Path(place) for place in arguments.others]
        others = calibrate.others_of(places, entry.card, root=root, rows=rows)
        path, table = calibrate.write_familiarity(entry, rows, others, leave_out=arguments.leave_out)
        made["familiarity"] = table
        note(f"wrote {path}")
        if not arguments.json:
            _say_table(table)
    if "error" in parts:
        found = calibrate.write_calibration(entry, rows, note=arguments.note)
        made["calibration_error"] = found.calibration_error if found.fields > 1 else None
        if not arguments.json:
            said = f"{found.calibration_error:.3f}" if found.fields > 1 else "not known, with one field"
            say(f"expected calibration error: {said} ({found.fields} held-out fields)")
    if "hallucination" in parts:
        measured = calibrate.write_hallucination(entry, rows)
        made["hallucination"] = measured
        if not arguments.json:
            shares = ", ".join(f"{name} {value:.2f}" for name, value in measured.items())
            say(f"hallucination, as a share of the real signal: {shares}")
    if "images" in parts:
        listed = write_images(find_model(arguments.model), rows, all_fields=arguments.all_fields)
        made["images"] = listed
        note(f"listed {len(listed) // 2} images on the card")
    if arguments.json:
        say_json(made)


def _say_table(table: Table) -> None:
    say(f"{'kind':34} {'n':>4}  AUROC  unseen  caught  unseen")
    for kind, row in table.items():
        if "auroc" not in row:
            say(f"{kind:34} {row['n']:4.0f}  false alarms {row['false_alarms']:.1%}")
            continue
        numbers = (row["auroc"], row["auroc_unseen_kind"], row["caught"], row["caught_unseen_kind"])
        say(f"{kind:34} {row['n']:4.0f}  " + "  ".join(f"{number:5.3f}" for number in numbers))
