"""``labelfree compare``: scores and difference maps of a prediction against the observed stain."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from labelfree_core.commands.common import (
    Verbs,
    add_json,
    add_two_images,
    load_two,
    note,
    output_path,
    say,
    say_json,
)

if TYPE_CHECKING:
    from labelfree_core.analysis.alignment import Pair


def register(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("compare", help="score a prediction against the stain", description=__doc__)
    add_two_images(parser)
    parser.add_argument("--structure", default="", help="to set beside what the paper reached, such as DNA")
    parser.add_argument("--modality", default="bright-field", choices=("bright-field", "DIC"))
    parser.add_argument("--differences", metavar="OUT.ome.tif", help="write the three difference volumes")
    parser.add_argument(
        "--picture", metavar="OUT.png", help="draw their mean projections between one pair of limits"
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Score one pair."""
    from labelfree_core.analysis.alignment import comparable
    from labelfree_core.analysis.scores import explain, published, scores

    inputs = (arguments.observed, arguments.predicted)
    for target in (arguments.differences, arguments.picture):
        if target:
            output_path(target, *inputs)
    pair = comparable(*load_two(arguments))
    found = scores(pair.observed, pair.predicted, units=pair.units)
    words = explain(found, arguments.structure, arguments.modality)
    if arguments.differences or arguments.picture:
        _differences(pair, arguments)
    for sentence in pair.notes:
        note(sentence)
    if arguments.json:
        row = published(arguments.structure, arguments.modality) if arguments.structure else None
        say_json(
            {
                **found.as_dict(),
                "shape": list(pair.observed.shape),
                "published_r": row.pearson_r if row else None,
                "published_ceiling": row.ceiling if row else None,
                "explanation": words,
                "notes": list(pair.notes),
            }
        )
        return
    for name, value in found.as_dict().items():
        if isinstance(value, float):
            say(f"{name:14s} {value:.4f}{_unit(name)}")
    say(f"{'n_voxels':14s} {found.n_voxels}")
    say(words)


def _unit(name: str) -> str:
    return {"psnr": " dB", "mae": " standard deviations"}.get(name, "")


def _differences(pair: Pair, arguments: argparse.Namespace) -> None:
    from labelfree_core.analysis.difference import NAMES, differences
    from labelfree_core.analysis.display import rescale, to_uint8
    from labelfree_core.images.writing import write_bytes, write_channels
    from labelfree_core.reports.sheet import Tile, contact_sheet

    found = differences(pair.observed, pair.predicted)
    if arguments.differences:
        volumes = {name: getattr(found, name) for name in NAMES}
        write_channels(arguments.differences, volumes, pair.voxel_size_um)
    if arguments.picture:
        tiles = [
            Tile(to_uint8(rescale(flat, found.limits)), name.replace("_", " "))
            for name, flat in found.projections().items()
        ]
        height, width = tiles[0].picture.shape
        write_bytes(arguments.picture, contact_sheet(tiles, columns=3, cell_px=(width, height)))
