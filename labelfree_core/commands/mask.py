"""``labelfree mask``: mark what is brighter than Otsu's threshold, or than a threshold of your own."""

from __future__ import annotations

import argparse

from labelfree_core.commands.common import (
    Verbs,
    add_image_options,
    add_json,
    add_yes,
    load,
    output_path,
    say,
    say_json,
    wanted_from,
)


def register(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("mask", help="make a mask by a threshold", description=__doc__)
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--output", required=True, metavar="OUT.tif", help="8-bit mask of 0 and 255")
    parser.add_argument(
        "--threshold", type=float, metavar="T", help="in the file's own units; default Otsu's"
    )
    add_image_options(parser)
    add_yes(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Make one mask."""
    import math

    from labelfree_core.analysis.masks import mask, otsu_threshold
    from labelfree_core.errors import ImageError
    from labelfree_core.images.writing import write_mask

    output = output_path(arguments.output, arguments.file)
    stack = load(arguments.file, wanted_from(arguments))
    threshold = arguments.threshold
    if threshold is None:
        if stack.voxels.min() == stack.voxels.max():
            raise ImageError(
                f"Every voxel of {stack.origin.name} is {stack.voxels.min():g}, so no threshold can part it. "
                "Choose another channel, or give --threshold."
            )
        threshold = otsu_threshold(stack.voxels)
    elif not math.isfinite(threshold):
        raise ImageError(
            f"The threshold {threshold} is no number that a voxel could exceed. Give another one."
        )
    inside = mask(stack.voxels, threshold)
    how = "Otsu" if arguments.threshold is None else "given"
    facts = {
        "threshold": threshold,
        "threshold_units": stack.units,
        "method": how,
        "fraction": float(inside.mean()),
        "n_voxels": int(inside.sum()),
    }
    source = {"source": stack.origin.name, "source_sha256": stack.origin.sha256}
    write_mask(output, inside, stack.voxel_size_um, provenance={**facts, **source})
    if arguments.json:
        size = None if stack.voxel_size_um is None else list(stack.voxel_size_um)
        say_json({"output": str(output), **facts, "shape": list(inside.shape), "voxel_size_um": size})
    else:
        say(f"{output}: {how} threshold {threshold:.6g} {stack.units}, {inside.mean():.1%} of the voxels")
