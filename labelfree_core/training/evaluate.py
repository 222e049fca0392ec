"""How good a model is on fields it never saw, one image at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from labelfree_core.analysis.masks import agreement, otsu_threshold
from labelfree_core.analysis.noise import ceiling
from labelfree_core.analysis.scores import pearson_r
from labelfree_core.images.stack import ImageStack
from labelfree_core.inference.options import PredictOptions
from labelfree_core.inference.padding import pad
from labelfree_core.inference.predict import predict
from labelfree_core.models.card import ModelCard, Score
from labelfree_core.models.store import ModelEntry
from labelfree_core.training.pairs import Pair, Row, load_pairs, read_channel, scored_rows


@dataclass(frozen=True, slots=True)
class ImageScore:
    """
    Scores of one field: Pearson r where the target is known, and Dice of the Otsu masks there.

    For a segmentation target Dice is against the segmentation itself; ``n_voxels`` counts the known voxels;
    ``ceiling`` is the best r that the noise of a stain allows, NaN where there is no such question.
    """

    name: str
    group: str
    structure: str
    pearson_r: float
    dice: float
    n_voxels: int
    ceiling: float = math.nan


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """
    One field to look at, float32 planes (Y, X) on the model's grid.

    Of a z-stack the middle plane of the transmitted light, and the maximum over z of the others.
    ``pixel_um`` is the side of a pixel, where it is known.
    """

    name: str
    pearson_r: float
    image: npt.NDArray[np.float32]
    observed: npt.NDArray[np.float32]
    predicted: npt.NDArray[np.float32]
    pixel_um: float | None = None


def run_network(network: nn.Module, image: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """
    Run a network on a prepared image as a whole.

    Parameters
    ----------
    network : torch module
        In eval mode.
    image : float32 array, shape (Z, Y, X) or (Y, X)

    Returns
    -------
    predicted : float32 array, shape (outputs, [Z,] Y, X)
    """
    padded, padding = pad(image, network.divisor)  # type: ignore[arg-type]
    with torch.inference_mode():
        out = network(torch.from_numpy(np.ascontiguousarray(padded))[None, None])[0].numpy()
    return np.stack([padding.cut(channel) for channel in out])


def score_pair(
    predicted: npt.NDArray[np.float32], pair: Pair, cards: Sequence[ModelCard]
) -> list[ImageScore]:
    """
    Score the outputs of a network on one field.

    Parameters
    ----------
    predicted : float32 array, shape (structures, [Z,] Y, X)
    pair : Pair
    cards : sequence of ModelCard
        Naming the structures in order.

    Returns
    -------
    scores : list of ImageScore
        One for each structure whose target holds anything.
    """
    found = []
    for at, card in enumerate(cards):
        known = pair.known[at]
        target, prediction = pair.targets[at][known], predicted[at][known]
        if target.size == 0 or float(target.std()) < 1e-6:
            continue
        is_mask = float(target.min()) >= 0 and float(target.max()) <= 1
        inside = target > (0.5 if is_mask else otsu_threshold(target))
        overlap = agreement(inside, prediction > otsu_threshold(predicted[at]))
        r = pearson_r(target, prediction) if float(prediction.std()) > 1e-9 else 0.0
        found.append(ImageScore(pair.name, pair.group, card.structure, r, overlap.dice, int(target.size)))
    return found


def held_out_scores(
    network: nn.Module, pairs: Sequence[Pair], cards: Sequence[ModelCard]
) -> list[ImageScore]:
    """Score every held-out field; training fields are never scored."""
    network.eval()
    return [
        score
        for pair in pairs
        if pair.held_out
        for score in score_pair(run_network(network, pair.image), pair, cards)
    ]


def held_out_r(network: nn.Module, pairs: Sequence[Pair], cards: Sequence[ModelCard]) -> dict[str, float]:
    """Pearson r of every held-out field, named by field (and structure where there are several)."""
    several = len(cards) > 1
    return {
        f"{score.name}, {score.structure}" if several else score.name: score.pearson_r
        for score in held_out_scores(network, pairs, cards)
    }


def summarise(scores: Sequence[ImageScore], data: str, *, note: str = "") -> tuple[Score, ...]:
    """
    Condense scores of one structure into the two lines of a card: Pearson r and Dice, with n.

    Parameters
    ----------
    scores : sequence of ImageScore
        Of held-out images.
    data : str
        Which images.
    """
    if not scores:
        return ()

    def line(metric: str, values: list[float]) -> Score:
        return Score(data, metric, len(values), float(np.median(values)), min(values), max(values), note)

    return (
        line("pearson_r", [score.pearson_r for score in scores]),
        line("dice", [score.dice for score in scores]),
    )


def evaluate(entry: ModelEntry, rows: Sequence[Row]) -> list[ImageScore]:
    """
    Score a model on a table of pairs through :func:`labelfree_core.predict`, on the model's grid.

    Parameters
    ----------
    entry : ModelEntry
    rows : sequence of Row
        Lines for another structure than the model's are left out; a spatial split scores the right part.

    Returns
    -------
    scores : list of ImageScore
    """
    card = entry.card
    rows = [row for row in scored_rows(rows) if not row.structure or row.structure == card.structure]
    found = []
    for row in rows:
        image = read_channel(row.image, row.image_channel, row.voxel_size_um)
        predicted = predict(image, entry, options=PredictOptions(grid="model")).voxels
        for pair in load_pairs([row], [card]):
            if row.split == "spatial" and not pair.held_out:
                continue
            # A held-out part is the right end of its field.
            part = predicted[..., predicted.shape[-1] - pair.image.shape[-1] :]
            scored = score_pair(part[None], pair, [card])
            found += [replace(score, ceiling=_ceiling(row, image)) for score in scored]
    return found


def _ceiling(row: Row, image: ImageStack) -> float:
    """Judge the noise of a stain as the camera saw it, before anything smooths it."""
    if row.kind != "intensity":
        return math.nan
    return ceiling(np.asarray(read_channel(row.target, row.target_channel, image.voxel_size_um).voxels))


def worst_and_best(entry: ModelEntry, rows: Sequence[Row], scores: Sequence[ImageScore]) -> list[Example]:
    """
    Predict the images with the lowest and the highest r again, to look at them.

    Parameters
    ----------
    entry : ModelEntry
    rows, scores : sequences
        As given to and returned by :func:`evaluate`.
    """
    if not scores:
        return []
    ranked = sorted(scores, key=lambda score: score.pearson_r)
    return [_example(entry, rows, score) for score in (ranked[0], ranked[-1])[: len(ranked)]]


def _example(entry: ModelEntry, rows: Sequence[Row], score: ImageScore) -> Example:
    card = entry.card
    fitting = [row for row in rows if not row.structure or row.structure == card.structure]
    row, pair = next((r, p) for r in fitting for p in load_pairs([r], [card]) if p.name == score.name)
    image = read_channel(row.image, row.image_channel, row.voxel_size_um)
    predicted = predict(image, entry, options=PredictOptions(grid="model")).voxels
    part = predicted[..., predicted.shape[-1] - pair.image.shape[-1] :]
    observed = np.where(pair.known[0], pair.targets[0], 0)
    pixel = None if card.voxel_size_um is None else card.voxel_size_um[-1]
    if pair.image.ndim == 2:
        return Example(score.name, score.pearson_r, pair.image, observed, part, pixel)
    middle = pair.image[pair.image.shape[0] // 2]
    return Example(score.name, score.pearson_r, middle, observed.max(0), part.max(0), pixel)
