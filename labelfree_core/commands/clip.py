"""``labelfree clip``: the observed image inside the mask of the prediction, its lowest value elsewhere."""

from __future__ import annotations

import argparse

from labelfree_core.commands.common import (
    Verbs,
    add_json,
    add_two_images,
    load_two,
    output_path,
    say,
    say_json,
)


def register(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("clip", help="clip the stain by the predicted mask", description=__doc__)
    add_two_images(parser)
    parser.add_argument("--output", required=True, metavar="OUT.ome.tif")
    parser.add_argument("--threshold", type=float, metavar="T", help="in units of PREDICTED; default Otsu's")
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Clip one image."""
    from labelfree_core.analysis.alignment import align_grids
    from labelfree_core.analysis.masks import clip_to_mask, mask, otsu_threshold
    from labelfree_core.images.writing import write_stack

    output = output_path(arguments.output, arguments.observed, arguments.predicted)
    observed, predicted = align_grids(*load_two(arguments))
    threshold = otsu_threshold(predicted.voxels) if arguments.threshold is None else arguments.threshold
    inside = mask(predicted.voxels, threshold)
    clipped = clip_to_mask(observed.voxels, inside)
    facts = {"threshold": threshold, "fraction": float(inside.mean()), "limits": list(clipped.limits)}
    provenance = {"observed": observed.origin.name, "predicted": predicted.origin.name, **facts}
    write_stack(
        output, observed.with_voxels(clipped.voxels), provenance={**provenance, "units": observed.units}
    )
    if arguments.json:
        say_json({"output": str(output), **facts})
    else:
        lo, hi = clipped.limits
        say(f"{output}: {inside.mean():.1%} of the voxels kept, display limits {lo:.6g} to {hi:.6g}")
