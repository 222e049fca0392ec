"""
Simulated image pairs for training, with the tables that ``labelfree train`` reads.

``python -m labelfree_core.simulation.pairs FOLDER --structure nucleoli --train 40 --held-out 8``
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from labelfree_core.images.writing import write_channels
from labelfree_core.simulation.cells import STRUCTURES
from labelfree_core.simulation.scene import KINDS, SceneSettings, simulate

# Around the default of scenes: files are stretched by their sources, each by its own factor.
_CONTRAST = 1.0, 1.8
# Held-out scenes have seeds of their own, far from those of training.
_FIRST_TRAIN, _FIRST_HELD_OUT = 1_000, 9_000_000
# What the models that ship predict in z-stacks.
_LEVELS = ("DNA", "lamin B1", "membrane", "nucleoli")
_COLUMNS = ("image", "target", "image_channel", "target_channel", "structure", "kind", "group", "split")


def kind_of(seed: int) -> str:
    """Kind of scene of a seed: colonies twice as often as the others."""
    return ("colony", *KINDS)[seed % (len(KINDS) + 1)]


def write_pair(folder: Path, seed: int, structures: tuple[str, ...], shape: tuple[int, int, int]) -> Path:
    """
    Simulate one scene and write its transmitted light and noise-free stains.

    Parameters
    ----------
    folder : Path
    seed : int
        Of the scene; it also decides the kind of scene.
    structures : tuple of str
        Stains to write.
    shape : tuple of int
        (Z, Y, X) voxels of 0.29 um.

    Returns
    -------
    path : Path
        One OME-TIFF of 16 bit; the stains are scaled so that 10,000 is their 99.5th percentile.
    """
    contrast = float(np.random.default_rng(seed).uniform(*_CONTRAST))
    settings = SceneSettings(kind=kind_of(seed), shape=shape, stains=structures, contrast=contrast)
    scene = simulate(seed, settings)
    channels = {"Bright_100": scene.transmitted}
    for name, light in scene.clean_stains.items():
        channels[name] = np.clip(np.rint(light * 10_000), 0, 65_535).astype(np.uint16)
    path = folder / f"scene_{seed}.ome.tif"
    write_channels(path, channels, scene.voxel_size_um, provenance=scene.provenance())
    return path


def main(argv: Sequence[str] | None = None) -> int:
    """
    Write scenes, ``pairs.csv`` for one structure, and ``levels.csv`` for four, to mix with real ones.

    A scene that is there already is kept.
    """
    parser = argparse.ArgumentParser(description="Simulate image pairs for training.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--structure", choices=STRUCTURES, required=True)
    parser.add_argument("--train", type=int, default=40, metavar="N")
    parser.add_argument("--held-out", type=int, default=8, metavar="N")
    parser.add_argument("--size", type=int, nargs=3, default=(32, 160, 192), metavar=("Z", "Y", "X"))
    arguments = parser.parse_args(argv)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    seeds = {_FIRST_TRAIN + k: "train" for k in range(arguments.train)}
    seeds.update({_FIRST_HELD_OUT + k: "held-out" for k in range(arguments.held_out)})
    z, y, x = arguments.size
    rows, levels = [], []
    for seed, split in seeds.items():
        name = f"scene_{seed}.ome.tif"
        if not (arguments.folder / name).is_file():
            write_pair(arguments.folder, seed, STRUCTURES, (z, y, x))
        what = arguments.structure
        rows.append((name, name, "Bright_100", what, what, "intensity", f"seed {seed}", split))
        levels += [(name, name, "Bright_100", s, s, "level", f"seed {seed}", split) for s in _LEVELS]
    for file, lines in (("pairs.csv", rows), ("levels.csv", levels)):
        with (arguments.folder / file).open("w", newline="", encoding="utf-8") as table:
            csv.writer(table).writerows([_COLUMNS, *lines])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
