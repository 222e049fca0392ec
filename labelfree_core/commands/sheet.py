"""``labelfree sheet``: pictures of many images side by side, two rows of four for eight of them."""

from __future__ import annotations

import argparse

from labelfree_core.commands.common import (
    Verbs,
    add_image_options,
    add_yes,
    load,
    output_path,
    say,
    wanted_from,
)


def register(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("sheet", help="draw a contact sheet of images", description=__doc__)
    parser.add_argument("files", metavar="FILE", nargs="+", help="predictions, or any images")
    parser.add_argument("--output", required=True, metavar="OUT.png")
    parser.add_argument("--columns", type=int, default=4, metavar="N")
    add_image_options(parser)
    add_yes(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Draw one contact sheet."""
    from labelfree_core.analysis.display import limits, picture
    from labelfree_core.errors import ImageError
    from labelfree_core.images.writing import write_bytes
    from labelfree_core.reports.sheet import Tile, contact_sheet

    if arguments.columns < 1:
        raise ImageError(f"{arguments.columns} columns hold no picture. Give 1 or more.")
    output = output_path(arguments.output, *arguments.files)
    tiles = []
    for path in arguments.files:
        stack = load(path, wanted_from(arguments))
        tiles.append(Tile(picture(stack.voxels, limits(stack.voxels)), stack.origin.name))
    write_bytes(output, contact_sheet(tiles, columns=arguments.columns))
    say(f"{output}: {len(tiles)} images")
