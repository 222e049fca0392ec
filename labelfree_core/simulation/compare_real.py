"""
Measure real stacks and simulated scenes side by side, and draw the statistics.

``python -m labelfree_core.simulation.compare_real DATA docs/simulation`` with a folder of OME-TIFF stacks
that hold a bright-field channel; only numbers and curves are written, never an image.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from labelfree_core.errors import LabelFreeError
from labelfree_core.images.reading import open_image
from labelfree_core.simulation.realism import Likeness, measure
from labelfree_core.simulation.scene import SceneSettings, simulate

_NUMBERS = ("contrast", "slope", "skew", "kurtosis", "gradient", "gradient_kurtosis", "along_z")


def real(folder: Path) -> dict[str, Likeness]:
    """Measure the bright-field channel of each stack of a folder."""
    found = {}
    for path in sorted(folder.glob("*.ome.tif")):
        file = open_image(path)
        stack = file.read(channel=file.channel_index("Bright_100"))
        if stack.voxel_size_um is None or stack.voxels.ndim != 3:
            raise LabelFreeError(f"{path.name} is no z-stack with voxel sizes; give stacks that state them.")
        z, y, x = stack.voxel_size_um
        found[path.name.split(".")[0]] = measure(stack.voxels, (z, y, x))
    return found


def simulated(seeds: Sequence[int], shape: tuple[int, int, int]) -> dict[str, Likeness]:
    """Measure confluent colonies of these seeds."""
    settings = SceneSettings(shape=shape, stains=(), bits=8)
    return {f"seed {seed}": measure(simulate(seed, settings).transmitted, (0.29,) * 3) for seed in seeds}


def draw(stacks: dict[str, Likeness], scenes: dict[str, Likeness], path: Path) -> None:
    """Draw power spectra, real as lines and simulated as dashes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for group, style, colour in ((stacks, "-", "#0072b2"), (scenes, "--", "#d55e00")):
        for k, one in enumerate(group.values()):
            label = ("real" if style == "-" else "simulated") if k == 0 else None
            axes.loglog(one.frequency_per_um, one.power, style, color=colour, alpha=0.75, label=label)
    axes.set(xlabel="Spatial frequency (cycles/µm)", ylabel="Share of power")
    axes.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})


def main(argv: Sequence[str] | None = None) -> int:
    """Write ``realism.json`` and ``spectra.svg``."""
    parser = argparse.ArgumentParser(description="Compare simulated scenes with real stacks.")
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[7100001, 7100002, 7100003, 7100004])
    arguments = parser.parse_args(argv)
    stacks, scenes = real(arguments.data), simulated(arguments.seeds, (32, 160, 192))
    table = {
        kind: {name: {n: round(float(getattr(one, n)), 3) for n in _NUMBERS} for name, one in group.items()}
        for kind, group in (("real", stacks), ("simulated", scenes))
    }
    arguments.folder.mkdir(parents=True, exist_ok=True)
    (arguments.folder / "realism.json").write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    draw(stacks, scenes, arguments.folder / "spectra.svg")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
