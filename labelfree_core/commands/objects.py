"""``labelfree objects``: one line per object: size, place, brightness, and whether another has it too."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from labelfree_core.commands.common import (
    Verbs,
    add_image_options,
    add_json,
    add_region,
    add_yes,
    load,
    load_region,
    output_path,
    say,
    say_json,
    wanted_from,
)

if TYPE_CHECKING:
    import numpy as np

    from labelfree_core.analysis.matching import Matching
    from labelfree_core.analysis.objects import ObjectRow
    from labelfree_core.images.stack import ImageStack


def register(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("objects", help="measure every object", description=__doc__)
    parser.add_argument("file", metavar="FILE", help="image, mask, or label image")
    parser.add_argument("--output", required=True, metavar="OUT.csv")
    parser.add_argument(
        "--against", metavar="OTHER", help="the observed image: matched, missed and extra objects"
    )
    add_region(parser, "OTHER (or of FILE, alone)")
    parser.add_argument("--method", choices=("connected", "watershed"), default="connected")
    parser.add_argument("--threshold", type=float, metavar="T", help="in FILE's units; default Otsu's")
    parser.add_argument("--min-voxels", type=int, default=8, metavar="N", help="drop smaller specks")
    add_image_options(parser)
    add_image_options(parser, "against")
    add_yes(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Measure the objects of one image, or pair those of two."""
    from labelfree_core.analysis.objects import to_csv
    from labelfree_core.images.writing import write_bytes

    output = output_path(arguments.output, arguments.file, *filter(None, [arguments.against]))
    wanted = wanted_from(arguments)
    stack = load(arguments.file, wanted)
    if arguments.against:
        rows, matching, stack = _against(stack, arguments)
    else:
        named = arguments.region or "none"
        region = load_region(arguments.file, wanted, stack, named)
        labels = _labels(stack, arguments, region, threshold=arguments.threshold)
        rows, matching = _measured(labels, stack), None
    write_bytes(output, to_csv(rows, axes=stack.axes).encode())
    counts: dict[str, object] = {"count": sum(row.status != "missed" for row in rows)}
    if matching is not None:
        counts |= {
            "matched": len(matching.pairs),
            "missed": len(matching.missed),
            "extra": len(matching.extra),
        }
    if arguments.json:
        size = None if stack.voxel_size_um is None else list(stack.voxel_size_um)
        say_json({"output": str(output), **counts, "voxel_size_um": size, "match_iou": 0.5})
    else:
        say(f"{output}: " + ", ".join(f"{value} {name}" for name, value in counts.items()))


def _against(
    stack: ImageStack, arguments: argparse.Namespace
) -> tuple[tuple[ObjectRow, ...], Matching, ImageStack]:
    """Return the rows of FILE (matched or extra), then those that only OTHER has (missed)."""
    from labelfree_core.analysis.alignment import align_grids
    from labelfree_core.analysis.matching import paired_table

    wanted = wanted_from(arguments, "against", propose="observed")
    other = load(arguments.against, wanted)
    region = load_region(arguments.against, wanted, other, arguments.region)
    _same_grid(stack, other)
    if region is not None:
        region = align_grids(region, stack)[0]
    other, stack = align_grids(other, stack)
    labels = _labels(stack, arguments, region, threshold=arguments.threshold)
    truth = _labels(other, arguments, region)
    images = {stack.origin.channel_name or "intensity": stack.voxels, "against": other.voxels}
    rows, matching = paired_table(truth, labels, voxel_size_um=stack.voxel_size_um, channels=images)
    return rows, matching, stack


def _labels(
    stack: ImageStack,
    arguments: argparse.Namespace,
    region: ImageStack | None,
    *,
    threshold: float | None = None,
) -> np.ndarray:
    from labelfree_core.analysis.objects import find_objects
    from labelfree_core.analysis.within import region_mask

    return find_objects(
        stack.voxels,
        threshold=threshold,
        method=arguments.method,
        min_voxels=arguments.min_voxels,
        voxel_size_um=stack.voxel_size_um,
        region=None if region is None else region_mask(region),
    )


def _same_grid(stack: ImageStack, other: ImageStack) -> None:
    """Refuse to resample label images: their numbers can't be averaged."""
    from labelfree_core.analysis.segmentation import is_labelled
    from labelfree_core.errors import ImageError

    if stack.shape != other.shape and (is_labelled(stack.voxels) or is_labelled(other.voxels)):
        raise ImageError(
            f"{other.origin.name} has the shape {other.shape} and {stack.origin.name} {stack.shape}; labels "
            "are compared on one grid. Predict on the input's own grid."
        )


def _measured(labels: np.ndarray, stack: ImageStack) -> tuple[ObjectRow, ...]:
    from labelfree_core.analysis.objects import table

    images = {stack.origin.channel_name or "intensity": stack.voxels}
    return table(labels, voxel_size_um=stack.voxel_size_um, channels=images)
