"""A second opinion: what another model of the same structure predicts from the same image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelfree_core.analysis.alignment import align_grids
from labelfree_core.analysis.correlation import pearson_r
from labelfree_core.analysis.masks import agreement, mask
from labelfree_core.analysis.published import same_structure
from labelfree_core.analysis.verdicts import Note
from labelfree_core.errors import ImageError, ModelError
from labelfree_core.images.intensity import mean_std
from labelfree_core.inference.prediction import Prediction
from labelfree_core.models.card import ModelCard
from labelfree_core.models.store import ModelEntry, find_model

# Two models that agree less than this are told apart from two that agree: chosen and not measured.
LEAST_AGREEMENT = 0.5
UNITS = "standard deviations of each prediction"
WHY_STANDARDISED = (
    "Each prediction is standardised over this image first, since every model has the scale of its own "
    "training stain: the map shows where they differ in shape, and not which one is brighter."
)
_LEARNT = ("trained", "part")


@dataclass(frozen=True, slots=True, eq=False)
class Opinion:
    """
    How the predictions of two models of one structure agree.

    Parameters
    ----------
    model_id : str
        The second model.
    kinship : str
        ``"apart"`` (they learnt from different images), ``"related"`` (one was trained further from the
        other, or they share training images) or ``"unknown"`` (the cards do not say).
    pearson_r : float
        Over all voxels; NaN where one of the predictions is flat.
    dice : float
        Of their two Otsu masks; NaN where neither marks anything.
    difference : float32 array, shape (Z, Y, X) or (Y, X)
        Absolute difference of the standardised predictions, in standard deviations.
    voxel_size_um : tuple of float
        Of the map.
    """

    model_id: str
    kinship: str
    pearson_r: float
    dice: float
    difference: npt.NDArray[np.float32]
    voxel_size_um: tuple[float, ...]

    def as_dict(self) -> dict[str, object]:
        """Return everything but the map as JSON-ready values; what has no number is None."""
        numbers = {
            name: value if math.isfinite(value) else None
            for name, value in (("pearson_r", self.pearson_r), ("dice", self.dice))
        }
        return {"model_id": self.model_id, "kinship": self.kinship, **numbers}


def why_not(first: ModelCard, second: ModelCard) -> str:
    """
    Say why a model can give no second opinion on another; empty where it can.

    Both have to show the same structure, from images of the same kind and with as many axes. A card that
    only says "transmitted light", as many imported ones do, goes with every kind.

    Examples
    --------
    >>> dna = ModelCard("a", "A", "DNA", "bright-field", 2, "fnet", sha256="00")
    >>> why_not(dna, ModelCard("b", "B", "nuclei", "transmitted light", 2, "fnet", sha256="11"))
    ''
    >>> why_not(dna, ModelCard("c", "C", "membrane", "bright-field", 2, "fnet", sha256="22"))
    "'c' predicts membrane and 'a' predicts DNA"
    """
    if first.sha256 == second.sha256:
        return f"'{second.id}' has the very weights of '{first.id}', so that it would repeat them"
    if not same_structure(first.structure, second.structure):
        return f"'{second.id}' predicts {second.structure} and '{first.id}' predicts {first.structure}"
    if first.ndim != second.ndim:
        kinds = [
            f"'{card.id}' takes {'z-stacks' if card.ndim == 3 else 'planes'}" for card in (second, first)
        ]
        return " and ".join(kinds)
    lights = {card.modality.lower().split()[0].strip(",;") for card in (first, second)} - {"transmitted"}
    if len(lights) > 1:
        return f"'{second.id}' reads {second.modality} and '{first.id}' reads {first.modality}"
    return ""


def others(first: ModelEntry, entries: Sequence[ModelEntry]) -> tuple[ModelEntry, ...]:
    """Return the models among *entries* that can give a second opinion on the first."""
    return tuple(each for each in entries if not each.problem and not why_not(first.card, each.card))


def second_model(first: ModelEntry, second: ModelEntry | str) -> ModelEntry:
    """
    Find the model that is to give a second opinion.

    Raises
    ------
    ModelError
        If there is no such model, or it can't be held against the first.
    """
    found = second if isinstance(second, ModelEntry) else find_model(second)
    reason = why_not(first.card, found.card)
    if reason:
        raise ModelError(
            f"{reason}. A second opinion needs another model of the same structure and kind of image; "
            "`labelfree models` lists what there is."
        )
    return found


def kinship(first: ModelCard, second: ModelCard) -> str:
    """
    Say whether two models learnt from different images, as far as their cards tell.

    Examples
    --------
    >>> a = ModelCard("a", "A", "DNA", "DIC", 2, "fnet", sha256="0a", images={"x": "trained"})
    >>> b = ModelCard("b", "B", "DNA", "DIC", 2, "fnet", sha256="0b", images={"y": "part"})
    >>> child = ModelCard("c", "C", "DNA", "DIC", 2, "fnet", training="Started from 'a', weights sha256 0a.")
    >>> kinship(a, b), kinship(a, child), kinship(b, child)
    ('apart', 'related', 'unknown')
    """
    for parent, child in ((first, second), (second, first)):
        if parent.sha256 and f"weights sha256 {parent.sha256}" in child.training:
            return "related"
    seen = [{name for name, use in card.images.items() if use in _LEARNT} for card in (first, second)]
    if seen[0] & seen[1]:
        return "related"
    return "apart" if all(seen) else "unknown"


def compare_opinions(first: Prediction, second: Prediction, *, kin: str = "unknown") -> Opinion:
    """
    Compare what two models predict from one image.

    Parameters
    ----------
    first, second : Prediction
        Of one image; where their grids differ, the finer one is brought to the coarser.
    kin : {"apart", "related", "unknown"}
        See :func:`kinship`.

    Returns
    -------
    opinion : Opinion

    Raises
    ------
    ImageError
        If they are not of one image, or can't be laid on one grid.

    References
    ----------
    .. [1] Lakshminarayanan et al. (2017), arXiv:1612.01474: networks trained apart disagree more on what
       they never saw.
    """
    if first.origin != second.origin:
        raise ImageError(
            f"The two predictions are of {first.origin.name} and of {second.origin.name}, or of different "
            "channels; a second opinion is on the same image. Predict both from one channel of one file."
        )
    coarse, fine = sorted((first, second), key=lambda prediction: prediction.voxels.size)
    moved, kept = align_grids(fine.stack, coarse.stack)
    apart = np.abs(_standardised(moved.voxels) - _standardised(kept.voxels))
    return Opinion(
        second.model_id,
        kin,
        pearson_r(moved.voxels, kept.voxels),
        agreement(mask(moved.voxels), mask(kept.voxels)).dice,
        apart,
        kept.voxel_size_um or coarse.voxel_size_um,
    )


def _standardised(voxels: npt.NDArray[np.generic]) -> npt.NDArray[np.float32]:
    """Shift and scale to mean 0 and standard deviation 1; a flat prediction becomes 0."""
    mean, spread = mean_std(voxels)
    return (np.asarray(voxels, np.float32) - np.float32(mean)) / np.float32(spread or 1.0)


def of_opinion(found: Opinion) -> Note:
    """
    Say what a second opinion means; agreement changes no level, and disagreement makes amber.

    Examples
    --------
    >>> of_opinion(Opinion("b", "apart", 0.81, 0.77, np.zeros((2, 2)), (1.0, 1.0))).sentence[:69]
    'Two models that learnt from different images agree here: r 0.81, Dice'
    """
    r, dice = found.pearson_r, found.dice
    if not math.isfinite(r):
        sentence = f"One of the two predictions, this one or that of '{found.model_id}', is flat."
        return Note("amber", "one of two models found nothing in the image", sentence)
    who = {
        "apart": "Two models that learnt from different images",
        "related": f"This model and '{found.model_id}', which share a part of their training,",
        "unknown": f"This model and '{found.model_id}', which may or may not share training images,",
    }[found.kinship]
    masks = f", Dice of their Otsu masks {dice:.2f}" if math.isfinite(dice) else ""
    if r >= LEAST_AGREEMENT:
        weak = " What shares its training shares its mistakes." if found.kinship == "related" else ""
        sentence = (
            f"{who} agree here: r {r:.2f}{masks}. Agreement is no proof; disagreement is a warning.{weak}"
        )
        return Note("green", "", sentence)
    sentence = (
        f"{who} disagree here: r {r:.2f}{masks}. At least one of them is wrong: look at the map of their "
        "difference, and compare with a stain before measuring."
    )
    return Note("amber", "another model of the same structure predicts something else", sentence)
