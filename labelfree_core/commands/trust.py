"""``labelfree trust``: how far to believe what a model predicts from an image, with reasons."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from labelfree_core.commands.common import (
    ProgressLine,
    Verbs,
    add_image_options,
    add_json,
    add_region,
    add_yes,
    load_aloud,
    load_region,
    output_path,
    say,
    say_json,
    wanted_from,
)

if TYPE_CHECKING:
    from labelfree_core.analysis.trust import TrustReport


def register(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("trust", help="say how far to believe a prediction", description=__doc__)
    parser.add_argument("file", metavar="FILE", help="image with a transmitted-light channel")
    parser.add_argument("--model", required=True, metavar="ID|PATH", help="see `labelfree models`")
    add_image_options(parser)
    parser.add_argument("--observed", metavar="NAME|INDEX", help="channel of FILE with the stain")
    add_region(parser, "FILE")
    parser.add_argument(
        "--spread", choices=("fast", "full", "none"), default="fast", help="how much of the image to look at"
    )
    parser.add_argument(
        "--second", metavar="ID|PATH", help="another model of the same structure, for a second opinion"
    )
    parser.add_argument(
        "--second-map", metavar="OUT.ome.tif", help="write the map of where the two models differ"
    )
    parser.add_argument("--map", metavar="OUT.ome.tif", help="write the map of expected errors (or spread)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    add_yes(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Judge one image and one model."""
    from labelfree_core.analysis.trust import Evidence, TrustOptions, trust
    from labelfree_core.errors import ModelError
    from labelfree_core.inference.options import PredictOptions
    from labelfree_core.models.store import find_model

    entry = find_model(arguments.model)
    if arguments.second_map and arguments.second is None:
        raise ModelError("--second-map draws where two models differ: name the other one with --second.")
    maps = [
        output_path(path, arguments.file) if path else None for path in (arguments.map, arguments.second_map)
    ]
    wanted = wanted_from(arguments, propose="transmitted")
    stack = load_aloud(arguments.file, wanted, need_size=True).stack
    observed = None
    if arguments.observed is not None:
        stain = replace(wanted, channel=arguments.observed, role="observed")
        image = load_aloud(arguments.file, stain, need_size=True).stack
        observed = Evidence(image, load_region(arguments.file, stain, image, arguments.region))
    line = ProgressLine(stack.origin.name)
    predict = PredictOptions(device=arguments.device)
    options = TrustOptions(arguments.spread, predict, second=arguments.second)
    try:
        report = trust(stack, entry, observed=observed, options=options, progress=line)
    finally:
        line.close()
    for path, write in zip(maps, (_write_map, _write_second_map), strict=True):
        if path is not None:
            write(str(path), report)
    if arguments.json:
        say_json({"file": stack.origin.name, "model_id": entry.card.id, **report.as_dict()})
        return
    _in_words(f"{stack.origin.name}, {entry.card.id}", report)


def _in_words(what: str, report: TrustReport) -> None:
    say(f"{what}: {report.level}. {report.verdict}")
    for reason in report.reasons:
        say(f"  {reason}")
    for number, region in enumerate(report.regions, start=1):
        where = ", ".join(f"{position:.1f}" for position in region.position_um)
        say(f"  {number}. at ({where}) um, {region.size_um:.0f} um wide: {region.why}")


def _write_map(path: str, report: TrustReport) -> None:
    from labelfree_core.errors import PredictionError
    from labelfree_core.images.stack import ImageStack
    from labelfree_core.images.writing import write_stack

    views = report.spread
    if views is None:
        raise PredictionError(
            "There is no map to write, because no views were predicted. Use --spread fast or full, with an "
            "image that the model takes."
        )
    errors = report.expected_error_map
    kind = "standard deviation over views" if errors is None else "expected root mean square error"
    voxels = views.map if errors is None else errors
    units = f"{kind}, in {report.units}"
    stack = ImageStack(voxels, views.voxel_size_um, units=units)
    write_stack(path, stack, provenance={"units": units, "offset_um": list(views.offset_um)})


def _write_second_map(path: str, report: TrustReport) -> None:
    from labelfree_core.analysis.opinion import UNITS
    from labelfree_core.errors import PredictionError
    from labelfree_core.images.stack import ImageStack
    from labelfree_core.images.writing import write_stack

    found = report.opinion
    if found is None:
        raise PredictionError(
            f"There is no map of two models to write, because nothing was predicted: {report.reasons[0]}"
        )
    units = f"absolute difference to {found.model_id}, in {UNITS}"
    stack = ImageStack(found.difference, found.voxel_size_um, units=units)
    write_stack(path, stack, provenance={"units": units})
