"""``labelfree simulate``: grow a field of cells and take its images, with the truth behind them."""

from __future__ import annotations

import argparse

from labelfree_core.commands.common import Verbs, add_json, say, say_json
from labelfree_core.errors import LabelFreeError

KINDS = ("colony", "sparse", "mitotic", "hard")
MODES = ("bright-field", "phase contrast", "DIC")
_NAMES = {
    "DNA": "H3342",
    "membrane": "CMDRP",
    "lamin B1": "EGFP",
    "nucleoli": "nucleoli",
    "mitochondria": "mitochondria",
}


def register(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("simulate", help="simulate cells with known truth", description=__doc__)
    parser.add_argument("--seed", type=int, required=True, help="the same seed gives the same scene")
    parser.add_argument("--output", required=True, metavar="OUT.ome.tif", help="images in camera counts")
    parser.add_argument("--kind", choices=KINDS, default=KINDS[0])
    parser.add_argument("--mode", choices=MODES, default=MODES[0], help="transmitted light")
    parser.add_argument("--shape", default="32,224,336", metavar="Z,Y,X", help="voxels; default 32,224,336")
    parser.add_argument("--voxel-size", default="0.29,0.29,0.29", metavar="Z,Y,X", help="micrometres")
    parser.add_argument("--bits", type=int, choices=(8, 16), default=16)
    parser.add_argument(
        "--truth",
        metavar="TRUTH.ome.tif",
        help="also write refractive index, noise-free stains and labels, float32",
    )
    add_json(parser)
    parser.set_defaults(run=run)


def _three(text: str, kind: type, what: str) -> tuple:
    try:
        values = tuple(kind(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) != 3 or not all(0 < value < 1e5 for value in values):
        raise LabelFreeError(f"{what} '{text}' can't be read; give three positive numbers as Z,Y,X.")
    return values


def run(arguments: argparse.Namespace) -> None:
    """Simulate one scene."""
    voxel_size = _three(arguments.voxel_size, float, "The voxel size")
    shape = _three(arguments.shape, int, "The shape")
    if arguments.seed < 0:
        raise LabelFreeError(f"The seed {arguments.seed} is negative; give a whole number of 0 or more.")
    try:
        import waveorder  # noqa: F401  (the optics need it: better to say so before growing cells)
    except ImportError as missing:
        raise LabelFreeError(
            "Simulating needs the optics library waveorder, which is not installed here. "
            "Install the simulation extra: pip install 'labelfree[simulation]'."
        ) from missing
    import numpy as np

    from labelfree_core.images.writing import write_channels
    from labelfree_core.simulation.scene import SceneSettings, simulate

    settings = SceneSettings(arguments.kind, shape, voxel_size, arguments.mode, bits=arguments.bits)
    scene = simulate(arguments.seed, settings)
    images = {"Bright_100" if arguments.mode == "bright-field" else arguments.mode: scene.transmitted}
    images.update({_NAMES.get(name, name): counts for name, counts in scene.stains.items()})
    write_channels(arguments.output, images, voxel_size, provenance=scene.provenance())
    if arguments.truth:
        truth = {"refractive index": scene.index, "noise-free transmitted": scene.clean_transmitted}
        truth.update(
            {f"noise-free {_NAMES.get(name, name)}": light for name, light in scene.clean_stains.items()}
        )
        truth["cell labels"] = scene.cell_labels.astype(np.float32)
        truth["nucleus labels"] = scene.nucleus_labels.astype(np.float32)
        write_channels(arguments.truth, truth, voxel_size, provenance=scene.provenance())
    if arguments.json:
        say_json(
            {"output": arguments.output, "channels": list(images), "shape": list(shape), **scene.provenance()}
        )
    else:
        say(
            f"{arguments.output}: {', '.join(images)}; {shape} voxels (Z, Y, X), simulated, "
            f"seed {arguments.seed}"
        )
