"""``labelfree compare``: scores and difference maps of a prediction against the observed stain."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from labelfree_core.commands.common import (
    Verbs,
    add_json,
    add_region,
    add_two_images,
    load_region,
    load_two,
    note,
    output_path,
    say,
    say_json,
    wanted_from,
)

if TYPE_CHECKING:
    from labelfree_core.analysis.alignment import Pair


def register(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("compare", help="score a prediction against the stain", description=__doc__)
    add_two_images(parser)
    add_region(parser, "OBSERVED")
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
    observed, predicted = load_two(arguments)
    wanted = wanted_from(arguments, "observed", propose="observed")
    region = load_region(arguments.observed, wanted, observed, arguments.region)
    pair = comparable(observed, predicted, region=region)
    found = scores(
        pair.observed, pair.predicted, region=pair.region, noise_ceiling=pair.ceiling, units=pair.units
    )
    use, said = _training_use(arguments.predicted)
    # A simulated image is easier than those of the paper.
    structure = "" if observed.origin.simulated else arguments.structure
    words = " ".join(filter(None, [explain(found, structure, arguments.modality), said]))
    if arguments.differences or arguments.picture:
        _differences(pair, arguments)
    for sentence in pair.notes:
        note(sentence)
    if arguments.json:
        row = published(structure, arguments.modality) if structure else None
        say_json(
            {
                **found.as_dict(),
                "shape": list(pair.observed.shape),
                "published_r": row.pearson_r if row else None,
                "published_ceiling": row.ceiling if row else None,
                "region": region.origin.channel_name or region.origin.channel_index if region else None,
                "training_use": use,
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


def _training_use(predicted: str) -> tuple[str, str]:
    """Say whether the model saw the image behind a prediction, by what the prediction's file tells."""
    from labelfree_core.errors import LabelFreeError
    from labelfree_core.images.writing import read_provenance
    from labelfree_core.models.seen import training_sentence, training_use
    from labelfree_core.models.store import find_model

    try:
        made = read_provenance(predicted)
        model, image = made["model"], made["input"]
        entry = find_model(model["id"])  # type: ignore[index]
    except (LabelFreeError, KeyError, TypeError):  # no prediction of ours, or its model is not here
        return "unknown", ""
    if model["sha256"] != entry.card.sha256:  # type: ignore[index]
        return "unknown", ""
    use = training_use(entry, str(image["sha256"]))  # type: ignore[index]
    return use, training_sentence(use)


def _unit(name: str) -> str:
    return {"psnr": " dB", "mae": " standard deviations"}.get(name, "")


def _differences(pair: Pair, arguments: argparse.Namespace) -> None:
    from labelfree_core.analysis.difference import NAMES, differences
    from labelfree_core.analysis.display import rescale, to_uint8
    from labelfree_core.images.writing import write_bytes, write_channels
    from labelfree_core.reports.sheet import Tile, contact_sheet

    found = differences(pair.observed, pair.predicted, region=pair.region)
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
