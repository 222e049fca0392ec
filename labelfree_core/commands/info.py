"""``labelfree info``: what is in a file, and what is proposed to be done with it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from labelfree_core.commands.common import Verbs, add_json, output_path, say, say_json

if TYPE_CHECKING:
    from labelfree_core.images.proposal import Choice, Proposal
    from labelfree_core.images.reading import ImageFile


def register(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("info", help="say what is in an image file", description=__doc__)
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--thumbnails", metavar="OUT.png", help="also draw every channel as a picture")
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Describe one file."""
    from labelfree_core.images.proposal import propose
    from labelfree_core.images.reading import open_image

    file = open_image(arguments.file)
    proposal = propose(file)
    if arguments.thumbnails:
        _draw(file, output_path(arguments.thumbnails, arguments.file))
    document = describe(file, proposal)
    if arguments.json:
        say_json(document)
        return
    size = " x ".join("?" if value is None else f"{value:g}" for value in document["voxel_size_um"])  # type: ignore[attr-defined]
    say(f"{file.name}: {file.format}, axes {file.axes} {file.shape}, {file.dtype}")
    say(f"voxel size (z, y, x): {size} um ({file.voxel_size_um.source or 'not in the file'})")
    if file.simulated:
        say("SIMULATED: computed, never seen by a microscope")
    for role in proposal.roles:
        say(f"channel {role.index} {role.name}: {role.role} {role.structure} ({role.reason})")
    for label, choice in (("axes", proposal.axes), ("transmitted light", proposal.transmitted_channel)):
        say(f"proposed {label}: {choice.value} ({choice.reason}; confidence {choice.confidence:.0%})")


def describe(file: ImageFile, proposal: Proposal) -> dict[str, object]:
    """Put all that is known about a file into JSON-ready values."""
    return {
        "name": file.name,
        "format": file.format,
        "axes": file.axes,
        "shape": list(file.shape),
        "dtype": str(file.dtype),
        "voxel_size_um": [file.voxel_size_um.z, file.voxel_size_um.y, file.voxel_size_um.x],
        "voxel_size_source": file.voxel_size_um.source,
        "channels": [
            {
                "index": role.index,
                "name": role.name,
                "role": role.role,
                "structure": role.structure,
                "reason": role.reason,
                "confidence": role.confidence,
            }
            for role in proposal.roles
        ],
        "proposal": {
            "axes": as_json(proposal.axes),
            "transmitted_channel": as_json(proposal.transmitted_channel),
            "observed_channels": [as_json(choice) for choice in proposal.observed_channels],
            "voxel_size_um": as_json(proposal.voxel_size_um),
        },
        "sha256": file.sha256,
        "simulated": file.simulated,
    }


def as_json(choice: Choice) -> dict[str, object]:
    """Turn one proposal into JSON-ready values."""
    value = list(choice.value) if isinstance(choice.value, tuple) else choice.value
    return {"value": value, "reason": choice.reason, "confidence": choice.confidence}


def _draw(file: ImageFile, path: object) -> None:
    from labelfree_core.images.reading import thumbnail
    from labelfree_core.images.writing import write_bytes
    from labelfree_core.reports.sheet import Tile, contact_sheet

    names = file.channel_names or ("",)
    tiles = [Tile(thumbnail(file, n), f"{n} {name}".strip()) for n, name in enumerate(names)]
    write_bytes(str(path), contact_sheet(tiles))
