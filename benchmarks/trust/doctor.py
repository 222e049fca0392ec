"""
Put faults of known kind and strength into simulated scenes, and ask the file doctor.

    python benchmarks/trust/doctor.py [--scenes 8] [--data FOLDER] [--write]

With --data, false alarms are counted on the real images of that folder too (every image file below it, the
transmitted-light channel). With --write the table goes into docs/trust.md. Takes about three minutes.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from page import put  # noqa: E402

from labelfree_core.errors import LabelFreeError  # noqa: E402
from labelfree_core.images.health import examine  # noqa: E402
from labelfree_core.images.stack import ImageStack  # noqa: E402
from labelfree_core.loading import Wanted, load  # noqa: E402
from labelfree_core.simulation.degrade import Camera, expose  # noqa: E402
from labelfree_core.simulation.scene import KINDS, Scene, SceneSettings, simulate  # noqa: E402

SHAPE = (24, 192, 192)
FIRST_SEED = 4_000_000
FAULTY = ("warning", "severe")
TOLD = ("note", *FAULTY)
ENDINGS = (".npz", ".tif", ".tiff", ".png", ".npy")
Rng = np.random.Generator
Voxels = np.ndarray


def light(scene: Scene, voxels: Voxels, rng: Rng) -> Voxels:
    """Take the picture of noise-free light."""
    return expose(rng, voxels.astype(np.float32), Camera(8000.0, 1.6, 1.0, 100.0, 16))


def radius(shape: tuple[int, ...]) -> Voxels:
    """Squared distance from the middle, 2 in the corners."""
    y, x = (np.linspace(-1, 1, n) for n in shape[-2:])
    return (y[:, None] ** 2 + x**2).astype(np.float32)


def striped(scene: Scene, rng: Rng, strength: float) -> Voxels:
    """Add to every row a number of its own, *strength* times the contrast."""
    rows = strength * scene.transmitted.std() * rng.normal(size=(scene.transmitted.shape[1], 1))
    return np.clip(np.rint(scene.transmitted + rows), 0, 65535).astype(np.uint16)


def compressed(scene: Scene, quality: int) -> Voxels:
    """Save every plane as JPEG, in 8 bits."""
    low, high = np.percentile(scene.transmitted, (0.1, 99.9))
    planes = (255 * np.clip((scene.transmitted - low) / (high - low), 0, 1)).astype(np.uint8)
    out = []
    for plane in planes:
        held = io.BytesIO()
        Image.fromarray(plane).save(held, "JPEG", quality=quality)
        out.append(np.asarray(Image.open(held)))
    return np.stack(out)


def drifting(scene: Scene, step_px: float) -> Voxels:
    """Move every plane sideways by *step_px* more than the one below."""
    moved = [
        ndimage.shift(plane.astype(np.float32), (step_px * z, 0), order=1, mode="mirror")
        for z, plane in enumerate(scene.transmitted)
    ]
    return np.rint(np.stack(moved)).astype(np.uint16)


def inverted(scene: Scene, rng: Rng, shading: float) -> Voxels:
    """Exchange dark and bright in a picture whose corners are darker by *shading*."""
    taken = light(scene, scene.clean_transmitted * (1 - shading / 2 * radius(SHAPE)), rng).astype(np.int64)
    return (taken.max() - taken).astype(np.uint16)


def repeated(scene: Scene, planes: slice, *, value: int | None = None) -> Voxels:
    """Replace planes by the one before them, or by a value."""
    out = scene.transmitted.copy()
    out[planes] = out[planes.start - 1] if value is None else value
    return out


FAULTS: Mapping[tuple[str, str], Callable[[Scene, Rng], Voxels]] = {
    ("focus", "blurred by 4 pixels before the camera"): lambda s, r: light(
        s, ndimage.gaussian_filter(s.clean_transmitted, (0, 4, 4)), r
    ),
    ("focus", "blurred by 8 pixels before the camera"): lambda s, r: light(
        s, ndimage.gaussian_filter(s.clean_transmitted, (0, 8, 8)), r
    ),
    ("saturation", "brightest 1 % cut off"): lambda s, r: s.transmitted.clip(
        None, np.percentile(s.transmitted, 99)
    ),
    ("saturation", "darkest 15 % cut off"): lambda s, r: s.transmitted.clip(np.percentile(s.transmitted, 15)),
    ("stripes", "rows, 0.3 of the contrast"): lambda s, r: striped(s, r, 0.3),
    ("stripes", "rows, as strong as the contrast"): lambda s, r: striped(s, r, 1.0),
    ("uneven light", "corners 30 % darker"): lambda s, r: light(
        s, s.clean_transmitted * (1 - 0.15 * radius(SHAPE)), r
    ),
    ("uneven light", "corners 70 % darker"): lambda s, r: light(
        s, s.clean_transmitted * (1 - 0.35 * radius(SHAPE)), r
    ),
    ("z-drift", "0.5 pixels a plane"): lambda s, r: drifting(s, 0.5),
    ("z-drift", "1 pixel a plane"): lambda s, r: drifting(s, 1.0),
    ("brightness along z", "lamp fades by 40 %"): lambda s, r: light(
        s, s.clean_transmitted * np.linspace(1, 0.6, SHAPE[0])[:, None, None], r
    ),
    ("contrast", "inverted, corners 30 % darker"): lambda s, r: inverted(s, r, 0.3),
    ("contrast", "inverted, even light"): lambda s, r: inverted(s, r, 0.0),
    ("planes", "6 planes"): lambda s, r: s.transmitted[9:15],
    ("duplicate planes", "3 planes repeated"): lambda s, r: repeated(s, slice(8, 11)),
    ("empty", "3 planes black"): lambda s, r: repeated(s, slice(20, 23), value=0),
    ("JPEG blocks", "quality 75"): lambda s, r: compressed(s, 75),
    ("JPEG blocks", "quality 30"): lambda s, r: compressed(s, 30),
    ("structure", "noise only"): lambda s, r: light(s, np.ones(SHAPE), r),
}


def scenes(count: int, *, mode: str = "bright-field") -> Iterator[Scene]:
    """Simulate scenes of every kind."""
    for number in range(count):
        kind = KINDS[number % 3]  # "hard" scenes have faults of their own
        yield simulate(FIRST_SEED + number, SceneSettings(kind=kind, shape=SHAPE, mode=mode, stains=()))


def levels_of(voxels: Voxels, expected: str = "bright-field") -> dict[str, str]:
    """Level of each check."""
    found = examine(ImageStack(voxels, (0.29,) * voxels.ndim), expected=expected)
    return {finding.name: finding.level for finding in found}


def measure(count: int) -> tuple[list[tuple[str, str, int, int, int]], dict[str, int]]:
    """Return (check, fault, scenes, told, warned) for every fault, and false alarms by check."""
    told: dict[tuple[str, str], list[str]] = {key: [] for key in FAULTS}
    alarms: dict[str, int] = {}
    for number, scene in enumerate(scenes(count)):
        rng = np.random.default_rng(number)
        for name, level in levels_of(scene.transmitted).items():
            alarms[name] = alarms.get(name, 0) + (level in FAULTY)
        for key, spoil in FAULTS.items():
            told[key].append(levels_of(spoil(scene, rng)).get(key[0], "ok"))
    halo = ("halo", "phase contrast taken for bright-field")
    told[halo] = [levels_of(scene.transmitted)["halo"] for scene in scenes(count, mode="phase contrast")]
    rows = [
        (check, fault, len(found), sum(f in TOLD for f in found), sum(f in FAULTY for f in found))
        for (check, fault), found in told.items()
    ]
    return rows, alarms


def read(path: Path) -> ImageStack:
    """Read the transmitted light of a file, or the array called signal of an archive."""
    if path.suffix == ".npz":
        return ImageStack(np.load(path)["signal"])
    return load(path, Wanted(accept=True), need_size=False).stack


def real(folder: Path) -> tuple[int, dict[str, int]]:
    """Count the images of a folder and the warnings by check."""
    count, alarms = 0, {}
    for path in sorted(p for p in folder.glob("**/*") if p.name.lower().endswith(ENDINGS)):
        try:
            stack = read(path)
        except LabelFreeError:
            continue
        count += 1
        for finding in examine(stack, expected="any"):
            alarms[finding.name] = alarms.get(finding.name, 0) + (finding.level in FAULTY)
    return count, alarms


def describe(rows: list[tuple[str, str, int, int, int]], alarms: dict[str, int], scenes: int) -> str:
    """Make the table."""
    lines = ["| check | fault | told | as a warning |", "|---|---|---|---|"]
    lines += [f"| {c} | {fault} | {told} of {n} | {warned} of {n} |" for c, fault, n, told, warned in rows]
    wrong = {name: n for name, n in alarms.items() if n}
    said = ", ".join(f"{name} {n}" for name, n in wrong.items()) or "none"
    return "\n".join([*lines, "", f"Warnings about the same {scenes} scenes without a fault: {said}."])


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--scenes", type=int, default=8)
    parser.add_argument("--data", type=Path, metavar="FOLDER")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    rows, alarms = measure(given.scenes)
    table = describe(rows, alarms, given.scenes)
    if given.data is not None:
        count, wrong = real(given.data)
        said = ", ".join(f"{name} {n}" for name, n in wrong.items() if n) or "none"
        table += f"\nWarnings about {count} real images: {said}."
    print(table)
    if given.write:
        put("doctor", table)


if __name__ == "__main__":
    main()
