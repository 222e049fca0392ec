"""
Simulated image pairs for training, with the tables that ``labelfree train`` reads.

``python -m labelfree_core.simulation.pairs FOLDER --structure nucleoli --train 40 --held-out 8`` for stacks,
with ``--mode phase --planes`` for single planes at low power in phase contrast.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labelfree_core.images.writing import write_channels
from labelfree_core.simulation.cells import STRUCTURES
from labelfree_core.simulation.planes import LOW_POWER, pixels, sharpest
from labelfree_core.simulation.scene import KINDS, Scene, SceneSettings, simulate

# Around the default of scenes: files are stretched by their sources, each by its own factor.
_CONTRAST = 1.0, 1.8
# Held-out scenes have seeds of their own, far from those of training.
_FIRST_TRAIN, _FIRST_HELD_OUT = 1_000, 9_000_000
# What the models that ship predict in z-stacks.
_LEVELS = ("DNA", "lamin B1", "membrane", "nucleoli")
_COLUMNS = ("image", "target", "image_channel", "target_channel", "structure", "kind", "group", "split")
_MODES = {"brightfield": "bright-field", "phase": "phase contrast", "dic": "DIC"}
_STACK_CHANNEL = {"bright-field": "Bright_100", "phase contrast": "Phase_100", "DIC": "DIC_100"}
_STACK = (32, 160, 192)


def kind_of(seed: int) -> str:
    """Kind of scene of a seed: colonies twice as often as the others."""
    return ("colony", *KINDS)[seed % (len(KINDS) + 1)]


def write_pair(
    folder: Path,
    seed: int,
    structures: tuple[str, ...],
    shape: tuple[int, int, int] = _STACK,
    mode: str = "bright-field",
) -> Path:
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
    mode : str
        Of the transmitted light.

    Returns
    -------
    path : Path
        One OME-TIFF of 16 bit; the stains are scaled so that 10,000 is their 99.5th percentile.
    """
    contrast = float(np.random.default_rng(seed).uniform(*_CONTRAST))
    settings = SceneSettings(kind_of(seed), shape, mode=mode, stains=structures, contrast=contrast)
    scene = simulate(seed, settings)
    path = folder / f"scene_{seed}.ome.tif"
    channels = {_STACK_CHANNEL[mode]: scene.transmitted, **_truths(scene)}
    write_channels(path, channels, scene.voxel_size_um, provenance=scene.provenance())
    return path


def write_plane(folder: Path, seed: int, structures: tuple[str, ...], mode: str) -> Path:
    """
    Simulate one scene at low power; write a plane of its transmitted light and the sharpest of each stain.

    Parameters
    ----------
    folder, seed, structures, mode
        As for :func:`write_pair`.

    Returns
    -------
    path : Path
        One OME-TIFF of 16 bit, scaled as by :func:`write_pair`.
    """
    at, rng = LOW_POWER[mode], np.random.default_rng(seed)
    contrast = float(rng.uniform(*_CONTRAST))
    settings = SceneSettings(
        kind_of(seed), at.shape, at.voxel_size_um, mode, structures, light=at.light, contrast=contrast
    )
    scene = simulate(seed, settings)
    truths = _truths(scene)
    sharp = {name: sharpest(volume) for name, volume in truths.items()}
    focus = 0 if at.defocused else sharp.get("DNA", sharp[structures[0]])
    plane = int(np.clip(focus + rng.integers(at.around[0], at.around[1] + 1), 0, at.shape[0] - 1))
    channels = {at.channel: pixels(scene.transmitted, plane, at.bin)}
    channels.update({name: pixels(volume, sharp[name], at.bin) for name, volume in truths.items()})
    path = folder / f"scene_{seed}.ome.tif"
    write_channels(path, channels, at.pixel_um, provenance={**scene.provenance(), "plane": plane})
    return path


def _truths(scene: Scene) -> dict[str, npt.NDArray[np.uint16]]:
    return {
        name: np.clip(np.rint(light * 10_000), 0, 65_535).astype(np.uint16)
        for name, light in scene.clean_stains.items()
    }


def _write_tables(folder: Path, seeds: dict[int, str], structure: str, channel: str) -> None:
    rows, levels = [], []
    for seed, split in seeds.items():
        name, group = f"scene_{seed}.ome.tif", f"seed {seed}"
        rows.append((name, name, channel, structure, structure, "intensity", group, split))
        levels += [(name, name, channel, s, s, "level", group, split) for s in _LEVELS]
    for file, lines in (("pairs.csv", rows), ("levels.csv", levels)):
        with (folder / file).open("w", newline="", encoding="utf-8") as table:
            csv.writer(table).writerows([_COLUMNS, *lines])


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
    parser.add_argument("--mode", choices=tuple(_MODES), default="brightfield")
    parser.add_argument("--planes", action="store_true", help="single planes at low power, for 2-D models")
    parser.add_argument(
        "--size", type=int, nargs=3, default=_STACK, metavar=("Z", "Y", "X"), help="of stacks"
    )
    arguments = parser.parse_args(argv)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    mode = _MODES[arguments.mode]
    seeds = {_FIRST_TRAIN + k: "train" for k in range(arguments.train)}
    seeds.update({_FIRST_HELD_OUT + k: "held-out" for k in range(arguments.held_out)})
    z, y, x = arguments.size
    for seed in seeds:
        if (arguments.folder / f"scene_{seed}.ome.tif").is_file():
            continue
        if arguments.planes:
            write_plane(arguments.folder, seed, STRUCTURES, mode)
        else:
            write_pair(arguments.folder, seed, STRUCTURES, (z, y, x), mode)
    channel = LOW_POWER[mode].channel if arguments.planes else _STACK_CHANNEL[mode]
    _write_tables(arguments.folder, seeds, arguments.structure, channel)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
