"""
Look for a measure that tells phase contrast from bright-field, beside the one that the file doctor has.

    python benchmarks/trust/halo.py --data FOLDER [--scenes 6] [--write]

FOLDER holds phase2d_dna and brightfield2d_dna. Measures were chosen on the first half of the images, split by
kind of cells and by experiment. With --write the table goes into docs/trust.md. Takes about two minutes.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from scipy import ndimage
from scipy.stats import skew
from skimage.filters import threshold_otsu

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from page import put  # noqa: E402

from labelfree_core.images.filters import box_mean  # noqa: E402
from labelfree_core.images.thumbnails import spread  # noqa: E402
from labelfree_core.simulation.scene import KINDS, SceneSettings, simulate  # noqa: E402

MODES = ("phase contrast", "bright-field")
FOLDERS = ("phase2d_dna", "brightfield2d_dna")
CELLS = ("3T3", "BMDM", "HeLa_plating", "HeLa_train", "MCF10A", "RAW")
FIRST_SEEDS = (4_100_000, 4_000_000)
WINDOW_PX, LOOKS = 768, 7
Plane = np.ndarray


def blur(plane: Plane, sigma_px: float) -> Plane:
    """Blur by a Gaussian."""
    return ndimage.gaussian_filter(plane, sigma_px, mode="nearest")


def tails(plane: Plane) -> float:
    """How far bright reaches above the middle, against dark below it: what the file doctor has."""
    low, middle, high = np.percentile(blur(plane, 1), (1, 50, 99))
    return float((high - middle) / max(middle - low, 1e-12))


def ring(plane: Plane) -> float:
    """Brightness of 6 pixels around textured bodies, against what is 15 to 60 pixels away."""
    texture = np.sqrt(blur((blur(plane, 2) - blur(plane, 4)) ** 2, 8))
    body = texture > threshold_otsu(texture)
    away = ndimage.distance_transform_edt(~body)
    near, far = (away > 0) & (away <= 6), (away > 15) & (away <= 60)
    return float((plane[near].mean() - plane[far].mean()) / plane.std()) if far.any() else 0.0


def asymmetry(plane: Plane) -> float:
    """Skewness of the brightness between 6 and 12 pixels."""
    return float(skew(blur(plane, 6) - blur(plane, 12), axis=None))


def textured(plane: Plane) -> float:
    """How much more fine texture bright places of 10 to 20 pixels hold than dark ones, as a logarithm."""
    fine, coarse = np.abs(blur(plane, 1) - blur(plane, 2)), blur(plane, 10) - blur(plane, 20)
    low, high = np.percentile(coarse, (10, 90))
    return float(np.log(fine[coarse > high].mean() / fine[coarse < low].mean()))


def curvature(plane: Plane) -> float:
    """Skewness of the stronger curvature at 2.5 pixels: above 0 where bright rims are the sharper ones."""
    yy, xx, xy = (
        ndimage.gaussian_filter(plane, 2.5, order=order, mode="nearest") for order in ((2, 0), (0, 2), (1, 1))
    )
    middle, reach = (yy + xx) / 2, np.sqrt(((yy - xx) / 2) ** 2 + xy**2)
    return -float(skew(middle + np.where(middle > 0, reach, -reach), axis=None))


MEASURES: Mapping[str, Callable[[Plane], float]] = {
    "bright tail against dark tail (the check as it is)": tails,
    "bright ring around textured bodies": ring,
    "asymmetry of brightness at 6 to 12 pixels": asymmetry,
    "fine texture in bright or in dark places": textured,
    "sign of the curvature of rims": curvature,
}


def measured(voxels: np.ndarray) -> list[float]:
    """Each measure, as the median over the planes that the file doctor looks at."""
    planes = voxels if voxels.ndim == 3 else voxels[None]
    y, x = (max(0, (n - WINDOW_PX) // 2) for n in planes.shape[1:])
    middle = planes[spread(len(planes), LOOKS), y : y + WINDOW_PX, x : x + WINDOW_PX].astype(np.float32)
    flat = middle - box_mean(middle, 61)  # without what is slower than 30 pixels: lamp and dirt
    return [float(np.median([measure(plane) for plane in flat])) for measure in MEASURES.values()]


def group(name: str) -> str:
    """Kind of cells of a phase-contrast image, experiment of a bright-field one."""
    kind = next((kind for kind in CELLS if name.startswith(kind)), "")
    return kind or re.split(r"_(?:preincup_)?snap|_MMStack", name)[0].lower()


def halves(folder: Path) -> list[np.ndarray]:
    """Measure the images of a folder; rows of the first half, and of the other."""
    files = sorted(folder.glob("*.npz"))
    groups = sorted({group(file.stem) for file in files})
    found: list[list[list[float]]] = [[], []]
    for file in files:
        found[groups.index(group(file.stem)) % 2].append(measured(np.load(file)["signal"]))
    return [np.array(half) for half in found]


def simulated(mode: str, first_seed: int, count: int) -> np.ndarray:
    """Measure simulated stacks."""
    scenes = (
        simulate(first_seed + n, SceneSettings(kind=KINDS[n % 3], shape=(24, 192, 192), mode=mode, stains=()))
        for n in range(count)
    )
    return np.array([measured(scene.transmitted) for scene in scenes])


def auroc(phase: np.ndarray, bright: np.ndarray) -> float:
    """Chance that phase contrast measures higher than bright-field."""
    return float((phase[:, None] > bright).mean() + 0.5 * (phase[:, None] == bright).mean())


def direction(phase: np.ndarray, bright: np.ndarray) -> np.ndarray:
    """Fisher's linear discriminant of all measures."""
    inside = np.cov(np.concatenate([phase - phase.mean(0), bright - bright.mean(0)]).T)
    return np.linalg.solve(inside, phase.mean(0) - bright.mean(0))


def describe(phase: list[np.ndarray], bright: list[np.ndarray]) -> str:
    """Make the table from (half, other half, simulated, other simulated) of both kinds."""
    weights = direction(*(np.concatenate([kind[0], kind[2]]) for kind in (phase, bright)))
    columns = [(name, np.eye(len(MEASURES))[n]) for n, name in enumerate(MEASURES)]
    lines = ["| measure | first half | other half | simulated stacks |", "|---|---|---|---|"]
    for name, along in (*columns, ("all five, weighed on the first half", weights)):
        found = [auroc(phase[n] @ along, bright[n] @ along) for n in (0, 1, 3)]
        lines.append(f"| {name} | " + " | ".join(f"{value:.2f}" for value in found) + " |")
    counts = [f"{len(phase[n])} and {len(bright[n])}" for n in (0, 1, 3)]
    return "\n".join([*lines, "", "Images in phase contrast and bright-field: " + ", ".join(counts) + "."])


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, metavar="FOLDER", required=True)
    parser.add_argument("--scenes", type=int, default=6)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    phase, bright = (
        [*halves(given.data / folder), *(simulated(mode, seed, given.scenes) for seed in FIRST_SEEDS)]
        for folder, mode in zip(FOLDERS, MODES, strict=True)
    )
    table = describe(phase, bright)
    print(table)
    if given.write:
        put("halo", table)


if __name__ == "__main__":
    main()
