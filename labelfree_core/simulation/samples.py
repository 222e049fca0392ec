"""
The samples that ship, made again bit for bit.

``python -m labelfree_core.simulation.samples FOLDER [--only ID]`` writes them and their list.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy.typing as npt

from labelfree_core.images.writing import write_channels
from labelfree_core.simulation.planes import LOW_POWER, pixels, sharpest
from labelfree_core.simulation.scene import Scene, SceneSettings, simulate

# Channel names as in the public tutorial's files.
_CHANNEL = {"DNA": "H3342", "membrane": "CMDRP", "lamin B1": "EGFP", "nucleoli": "nucleoli"}
_STAINS = ("membrane", "lamin B1", "DNA", "nucleoli")
_LOW, _RING = LOW_POWER["bright-field"], LOW_POWER["phase contrast"]


@dataclass(frozen=True, slots=True)
class Spec:
    """One sample: which scene, and for a single plane which *plane* of it and how many pixels to *bin*."""

    id: str
    title: str
    sentence: str
    seed: int
    settings: SceneSettings
    transmitted: str = "Bright_100"
    hard: bool = False
    plane: int | None = None
    bin: int = 1

    @property
    def file(self) -> str:
        """Name of the file."""
        return f"{self.id}.ome.tif"

    @property
    def voxel_size_um(self) -> tuple[float, ...]:
        """(z, y, x), or (y, x) of a single plane, in micrometres."""
        z, y, x = self.settings.voxel_size_um
        return (z, y, x) if self.plane is None else (y * self.bin, x * self.bin)


def _stack(kind: str, planes: int = 32) -> SceneSettings:
    return SceneSettings(kind=kind, shape=(planes, 128, 160), stains=_STAINS, bits=8)


SPECS = (
    Spec(
        "colony",
        "Confluent colony",
        "A touching layer of cells with large nucleoli.",
        35,
        _stack("colony"),
    ),
    Spec(
        "sparse-cells",
        "Sparse adherent cells",
        "Single spread cells with thin edges on bare glass.",
        12,
        _stack("sparse"),
    ),
    Spec(
        "mitotic-field",
        "Dividing cells",
        "A colony with many cells in division, where models tend to predict too little DNA.",
        13,
        _stack("mitotic"),
        hard=True,
    ),
    Spec(
        "dense-debris",
        "A hard one: debris and aberration",
        "A colony under dead cells and debris, out of focus, with drift, dust and uneven light.",
        14,
        _stack("hard", planes=30),
        hard=True,
    ),
    Spec(
        "phase-plane",
        "One plane in phase contrast",
        "Adherent cells at low power, 0.65 um pixels, with nuclei.",
        15,
        SceneSettings(
            "sparse", _RING.shape, _RING.voxel_size_um, "phase contrast", ("DNA",), light=_RING.light
        ),
        _RING.channel,
        plane=4,
        bin=_RING.bin,
    ),
    Spec(
        "brightfield-plane",
        "One plane in bright-field",
        "Adherent cells at low power, slightly out of focus, 0.3112 um pixels, with nuclei.",
        16,
        SceneSettings("sparse", _LOW.shape, _LOW.voxel_size_um, "bright-field", ("DNA",), light=_LOW.light),
        _LOW.channel,
        plane=2,
    ),
)


def channels(spec: Spec, scene: Scene) -> dict[str, npt.NDArray]:
    """Return the channels of a sample by their names, transmitted light first."""
    found: dict[str, npt.NDArray] = {spec.transmitted: scene.transmitted}
    found.update({_CHANNEL[name]: scene.stains[name] for name in spec.settings.stains})
    if spec.plane is None:
        return found
    sharp = {name: sharpest(v) for name, v in found.items()}
    sharp[spec.transmitted] = spec.plane
    return {name: pixels(volume, sharp[name], spec.bin) for name, volume in found.items()}


def write_sample(spec: Spec, folder: Path) -> Path:
    """Simulate one sample and write it; the same bytes of voxels every time."""
    scene = simulate(spec.seed, spec.settings)
    path = folder / spec.file
    write_channels(path, channels(spec, scene), spec.voxel_size_um, provenance=scene.provenance())
    return path


def _entry(spec: Spec) -> str:
    sizes = ", ".join(f"{size:g}" for size in spec.voxel_size_um)
    names = ", ".join(f'"{n}"' for n in (spec.transmitted, *(_CHANNEL[s] for s in spec.settings.stains)))
    return "\n".join(
        (
            "[[sample]]",
            f'id = "{spec.id}"',
            f'file = "{spec.file}"',
            f'title = "{spec.title}"',
            f'sentence = "{spec.sentence}"',
            "structures = [" + ", ".join(f'"{s}"' for s in spec.settings.stains) + "]",
            f"channels = [{names}]",
            f"voxel_size_um = [{sizes}]",
            "simulated = true",
            f"hard = {str(spec.hard).lower()}",
            f"seed = {spec.seed}",
            "",
        )
    )


def catalogue() -> str:
    """Return the text of ``samples.toml``."""
    head = "# Simulated samples with known truth; written by python -m labelfree_core.simulation.samples\n"
    return "\n".join((head, *(_entry(spec) for spec in SPECS)))


def main(argv: Sequence[str] | None = None) -> int:
    """Write the samples and their list into a folder."""
    parser = argparse.ArgumentParser(description="Make the samples that ship again.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=[spec.id for spec in SPECS])
    arguments = parser.parse_args(argv)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    (arguments.folder / "samples.toml").write_text(catalogue(), encoding="utf-8")
    for spec in SPECS:
        if arguments.only in (None, spec.id):
            write_sample(spec, arguments.folder)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
