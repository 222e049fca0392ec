"""``labelfree gif``: observed and predicted in turn, two seconds each, for ever."""

from __future__ import annotations

import argparse

from labelfree_core.commands.common import Verbs, add_two_images, load_two, note, output_path, say


def register(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("gif", help="blink between stain and prediction", description=__doc__)
    add_two_images(parser)
    parser.add_argument("--output", required=True, metavar="OUT.gif")
    parser.add_argument("--seconds", type=float, default=2.0, metavar="S", help="a frame; default 2")
    parser.add_argument("--captions", action="store_true", help="name each frame in a strip below it")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Write one GIF."""
    from labelfree_core.analysis.alignment import comparable
    from labelfree_core.images.writing import write_bytes
    from labelfree_core.reports.gif import blink_gif

    output = output_path(arguments.output, arguments.observed, arguments.predicted)
    pair = comparable(*load_two(arguments))
    for sentence in pair.notes:
        note(sentence)
    captions = ("observed", "predicted") if arguments.captions else None
    write_bytes(
        output, blink_gif(pair.observed, pair.predicted, seconds=arguments.seconds, captions=captions)
    )
    say(f"{output}: 2 frames of {arguments.seconds:g} s")
