"""
Show the shipped models images that nobody tuned on, and write down what they say.

    python benchmarks/trust/odd.py [--data FOLDER] [--models FOLDER] [--write]

Pictures that come with scikit-image, drawn ones, and simulated microscopes that no training saw; with --data,
the real image pairs of that folder too, some of them misused. Sizes are given as the model's own unless
stated. With --write the tables go into docs/trust.md. Takes about a minute.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from page import put  # noqa: E402

from labelfree_core.analysis.trust import TrustOptions, trust  # noqa: E402
from labelfree_core.errors import LabelFreeError  # noqa: E402
from labelfree_core.images.health import examine  # noqa: E402
from labelfree_core.images.stack import ImageStack  # noqa: E402
from labelfree_core.models.store import ModelEntry, find_model  # noqa: E402
from labelfree_core.simulation.scene import SceneSettings, simulate  # noqa: E402

PLANE_MODELS, STACK_MODELS = ("dna-phase-2d", "dna-brightfield-2d"), ("dna-brightfield-3d",)
SEED = 5_000_000
SCENE = (24, 192, 256)


@dataclass(frozen=True)
class Odd:
    """
    One image; ``size_um`` is its pixel size, None for the model's; ``fits`` names models it is right for.

    ``known`` names models whose fit of familiarity has seen this very image among its strange ones.
    """

    name: str
    voxels: np.ndarray
    size_um: float | None = None
    fits: tuple[str, ...] = ()
    known: tuple[str, ...] = ()


def pictures() -> Iterator[Odd]:
    """Pictures of scikit-image that are not among the photographs of the fits."""
    import skimage.data
    from skimage.io import imread

    folder = Path(skimage.data.__file__).parent
    told = {
        "cell.png": "a cell seen in another contrast",
        "horse.png": "a drawn silhouette",
        "color.png": "a colour wheel",
        "microaneurysms.png": "an eye fundus",
        "phantom.png": "a drawn section of a head",
        "chessboard_GRAY.png": "a chessboard",
    }
    for file, name in told.items():
        picture = imread(folder / file)
        grey = picture if picture.ndim == 2 else picture[..., :3].mean(axis=-1)
        yield Odd(f"{name} (scikit-image, `{file}`)", grey.astype(np.float32))


def drawn() -> Iterator[Odd]:
    """A spreadsheet saved as .tif: a column of line numbers, and numbers with gaps."""
    rng = np.random.default_rng(0)
    sheet = np.zeros((400, 300))
    sheet[:, 0] = np.arange(400)
    sheet[:, 1:] = rng.integers(0, 2, (400, 299)) * rng.integers(0, 65535, (400, 299))
    sheet[rng.random(sheet.shape) < 0.5] = 0
    yield Odd("a spreadsheet saved as .tif", sheet.astype(np.uint16))
    yield Odd("four spreadsheets saved as a stack", np.stack([np.roll(sheet, n) for n in range(4)]))


def microscopes() -> Iterator[Odd]:
    """Simulated images of a kind that no model was trained on, and the wrong channel of a right one."""
    for number, mode in enumerate(("DIC", "phase contrast")):
        scene = simulate(SEED + number, SceneSettings(shape=SCENE, mode=mode, stains=()))
        yield Odd(f"simulated {mode}, 24 planes", scene.transmitted)
        fits = PLANE_MODELS[:1] if mode == "phase contrast" else ()
        yield Odd(f"its middle plane ({mode})", scene.transmitted[SCENE[0] // 2], fits=fits)
    scene = simulate(SEED + 2, SceneSettings(shape=SCENE, stains=("DNA",)))
    yield Odd("simulated stain of DNA, taken for transmitted light", scene.stains["DNA"])
    yield Odd("its middle plane (stain)", scene.stains["DNA"][SCENE[0] // 2])
    yield Odd("numbered nuclei, taken for transmitted light", scene.nucleus_labels.astype(np.uint16))
    yield Odd("simulated bright-field, 24 planes: the right thing", scene.transmitted, fits=STACK_MODELS)


def real(folder: Path) -> Iterator[Odd]:
    """Real images of other microscopes, and of the right ones in a wrong way."""
    for file in sorted((folder / "focusstack_dna").glob("*.npz")):
        voxels = np.load(file)["signal"]
        name = f"bright-field stack of another microscope, {len(voxels)} planes (`{file.stem}`)"
        yield Odd(name, voxels, known=STACK_MODELS)
        yield Odd(f"its first plane (`{file.stem}`)", voxels[0], known=PLANE_MODELS)
        yield Odd(f"its middle plane (`{file.stem}`)", voxels[len(voxels) // 2], known=PLANE_MODELS)
        yield Odd(f"a plane between them (`{file.stem}`)", voxels[len(voxels) // 4])
    for file in sorted((folder / "phase2d_dna").glob("HeLa*.npz"))[:1]:
        held = np.load(file)
        name = "a real stain of DNA, taken for transmitted light"
        yield Odd(f"{name} (HeLa)", held["target_dna"], known=PLANE_MODELS[:1])
        yield from _stains(folder, name)
        yield Odd(
            "a real phase-contrast field, its pixel size given 2 times too small", held["signal"], 0.325
        )
        yield Odd("the same with its right size", held["signal"], 0.65, fits=PLANE_MODELS[:1])


def _stains(folder: Path, name: str) -> Iterator[Odd]:
    for file in sorted((folder / "brightfield2d_dna").glob("*.npz"))[::20]:
        yield Odd(f"{name} (MCF7, `{file.stem}`)", np.load(file)["target_dna"], known=PLANE_MODELS[1:])


def asked(odd: Odd, entry: ModelEntry) -> str:
    """Say what the trust panel says: the level, familiarity and what decided."""
    card, deep = entry.card, odd.voxels.ndim == 3
    own = card.voxel_size_um or (1.0,)
    pixel = odd.size_um or own[-1]
    stack = ImageStack(odd.voxels, (own[0], pixel, pixel) if deep else (pixel, pixel))
    try:
        report = trust(stack, entry, options=TrustOptions("none"))
    except LabelFreeError:
        return "refused"
    seen = "" if report.familiarity is None else f", familiarity {report.familiarity:.2f}"
    files = [note.cause for note in report.notes if note.level == "red" and note.topic == "file"]
    why = f" ({'; '.join(cause.rsplit('(', 1)[-1].rstrip(')') for cause in files)})" if files else ""
    said = f"{report.level}{seen}{why}"
    right = entry.card.id in odd.fits
    doubtful = (report.level == "green") if not right else (report.level == "red")
    said = f"**{said}: wrong**" if doubtful else said
    return f"{said} ¹" if card.id in odd.known else said


def doctor(odd: Odd) -> str:
    """Say what the file doctor says, which knows no model."""
    found = [f for f in examine(ImageStack(odd.voxels)) if f.level in ("warning", "severe")]
    return ", ".join(f"{f.name} ({f.level})" if f.level == "severe" else f.name for f in found) or "nothing"


def table(odds: list[Odd], models: list[ModelEntry]) -> str:
    """Make one table of images with equally many axes."""
    lines = ["| image | file doctor | " + " | ".join(f"`{entry.card.id}`" for entry in models) + " |"]
    lines.append("|---" * (len(models) + 2) + "|")
    for odd in odds:
        cells = [odd.name, doctor(odd), *(asked(odd, entry) for entry in models)]
        print(" | ".join(cells), flush=True)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Ask, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, metavar="FOLDER")
    parser.add_argument("--models", type=Path, metavar="FOLDER", default=ROOT / "weights")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    odds = [*pictures(), *drawn(), *microscopes(), *(real(given.data) if given.data else ())]
    text = "\n\n".join(
        table(
            [odd for odd in odds if odd.voxels.ndim == axes],
            [find_model(str(given.models / name)) for name in names],
        )
        for axes, names in ((2, PLANE_MODELS), (3, STACK_MODELS))
    )
    if any(odd.known for odd in odds):
        text += "\n\n¹ Among the strange images that this model's fit has seen, so no test of it."
    if given.write:
        put("odd", text)


if __name__ == "__main__":
    main()
