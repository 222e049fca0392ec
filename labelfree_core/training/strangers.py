"""Images a model is not made for, to fit its familiarity against: photographs, stains, other microscopes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from labelfree_core.analysis.familiarity import features_of
from labelfree_core.analysis.texture import Features
from labelfree_core.images.stack import ImageStack
from labelfree_core.models.card import ModelCard
from labelfree_core.training.table import Row, read_channel

MODES = ("bright-field", "phase contrast", "DIC")
STAINS = ("DNA", "lamin B1", "membrane", "mitochondria")
SCENES, SCENE, FIRST_SEED = 12, (20, 160, 192), 7_000_000
_PHOTOGRAPHS = (
    "astronaut",
    "brick",
    "camera",
    "chelsea",
    "coffee",
    "coins",
    "grass",
    "gravel",
    "hubble_deep_field",
    "ihc",
    "moon",
    "motorcycle_left",
    "page",
    "retina",
    "rocket",
    "text",
    "clock_motion",
)


def photographs(card: ModelCard) -> list[Features]:
    """Texture of the photographs that come with scikit-image, pixels taken as the model's own."""
    import skimage.data
    from skimage.io import imread

    folder = Path(skimage.data.__file__).parent
    files = [next(folder.glob(f"{name}.*"), None) for name in _PHOTOGRAPHS]
    pictures = [imread(file) for file in files if file is not None]
    grey = [picture if picture.ndim == 2 else picture[..., :3].mean(axis=-1) for picture in pictures]
    return [features_of(as_models_own(ImageStack(plane), card), card) for plane in grey]


def own_stains(rows: Sequence[Row], card: ModelCard) -> dict[str, list[Features]]:
    """
    Texture of the stains of a table's own fields: what a person shows who picks the wrong channel.

    One kind, or none where the table has no stain.

    Parameters
    ----------
    rows : sequence of Row
        Only targets of the kind ``"intensity"`` are images; labels are none.
    card : ModelCard
    """
    targets = {(row.target, row.target_channel): row for row in rows if row.kind == "intensity"}
    read = (read_channel(*target, row.voxel_size_um) for target, row in targets.items())
    found = [features_of(as_models_own(stack, card), card) for stack in read]
    return {"stains of the same fields": found} if found else {}


def simulated(card: ModelCard) -> dict[str, list[Features]]:
    """
    Texture of simulated cells under microscopes that a model was not made for, and of their stains, by kind.

    A network that was trained on simulated bright-field takes simulated cells for familiar; it shall not take
    simulated phase contrast or fluorescence for it too.

    Parameters
    ----------
    card : ModelCard
        Its modality is left out. Nothing for a 2-D model: single simulated planes of these microscopes are
        too much alike, and with them among the strange images the fit tells everything else worse.
    """
    if card.ndim != 3:
        return {}
    from labelfree_core.simulation.scene import SceneSettings, simulate

    found: dict[str, list[Features]] = {}
    for first, mode in enumerate(mode for mode in MODES if mode != card.modality):
        for number in range(SCENES):
            stain = STAINS[number % len(STAINS)]
            settings = SceneSettings(("colony", "sparse")[number % 2], SCENE, mode=mode, stains=(stain,))
            scene = simulate(FIRST_SEED + first * SCENES + number, settings)
            images = {f"simulated {mode}": scene.transmitted, "simulated stains": scene.stains[stain]}
            for kind, image in images.items():
                stack = as_models_own(ImageStack(image), card)
                found.setdefault(kind, []).append(features_of(stack, card))
    return found


def as_models_own(stack: ImageStack, card: ModelCard) -> ImageStack:
    """Give an image without a voxel size the model's: the hardest case for telling it apart."""
    if stack.voxel_size_um is not None or card.voxel_size_um is None:
        return stack
    size = (card.voxel_size_um[-1],) * (stack.voxels.ndim - 2) + tuple(card.voxel_size_um[-2:])
    return replace(stack, voxel_size_um=size)
