"""Image pairs for training and scoring: fields of a table, prepared exactly as for a prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labelfree_core.errors import ImageError
from labelfree_core.inference.preparing import prepare
from labelfree_core.models.card import ModelCard
from labelfree_core.training.table import Row, read_channel, read_table
from labelfree_core.training.targets import HALF, Target, empty_planes, target_of

__all__ = [
    "SPATIAL_GAP_PX",
    "SPATIAL_SHARE",
    "Pair",
    "Row",
    "load_for_training",
    "load_pairs",
    "read_channel",
    "read_table",
    "scored_rows",
]

# Targets that a prediction can be held against; the other kinds say something of parts of a field only.
SCORED = ("intensity", "level", "segmentation", "surface")

SPATIAL_SHARE = 0.76
SPATIAL_GAP_PX = 8


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """
    One field on the model's grid.

    Parameters
    ----------
    name, group : str
        Of the field and of what must not be split.
    held_out : bool
        Whether the field is for scoring only.
    image : float32 array, shape (Z, Y, X) or (Y, X)
        As the network sees it.
    targets : float32 array, shape (structures, [Z,] Y, X)
        A z-score for a stain, 0 to 1 for a segmentation.
    known : bool array, shape of *targets*
        Where the target means something.
    weight : float
        How often it is drawn, against others of its table.
    table : int
        Which of several tables it is from.
    simulated : bool
        Whether no microscope took the image.
    """

    name: str
    group: str
    held_out: bool
    image: npt.NDArray[np.float32]
    targets: npt.NDArray[np.float32]
    known: npt.NDArray[np.bool_]
    weight: float = 1.0
    table: int = 0
    simulated: bool = False


def load_pairs(rows: Sequence[Row], cards: Sequence[ModelCard], *, table: int = 0) -> tuple[Pair, ...]:
    """
    Load and prepare every field of a table.

    Parameters
    ----------
    rows : sequence of Row
        Lines with the same image belong to one field; a later line of one structure replaces an earlier
        one, or fills in where nothing was known, by its kind.
    cards : sequence of ModelCard
        One for each structure, all with one preparation; a row without a structure belongs to the first.
    table : int
        Number of the table, where there are several.

    Returns
    -------
    pairs : tuple of Pair
        A field with a spatial split gives two pairs.
    """
    fields: dict[tuple[Path, str], list[Row]] = {}
    for row in rows:
        fields.setdefault((row.image, row.image_channel), []).append(row)
    return tuple(pair for lines in fields.values() for pair in _field(lines, cards, table))


def scored_rows(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Keep the lines that a prediction can be scored against, and nothing that was concluded from them."""
    return tuple(replace(row, empty_beyond_um=None) for row in rows if row.kind in SCORED)


def load_for_training(rows: Sequence[Row], cards: Sequence[ModelCard], *, table: int = 0) -> tuple[Pair, ...]:
    """
    Load a table to train on: held-out fields are scored by their targets only.

    Parameters
    ----------
    rows, cards, table
        As for :func:`load_pairs`.
    """
    seen = [row for row in rows if row.split != "held-out"]
    unseen = [row for row in scored_rows(rows) if row.split != "train"]
    return (
        *(pair for pair in load_pairs(seen, cards, table=table) if not pair.held_out),
        *(pair for pair in load_pairs(unseen, cards, table=table) if pair.held_out),
    )


def _field(rows: Sequence[Row], cards: Sequence[ModelCard], table: int) -> tuple[Pair, ...]:
    first = rows[0]
    image = read_channel(first.image, first.image_channel, first.voxel_size_um)
    prepared = prepare(image, cards[0]).voxels.astype(np.float32, copy=False)
    targets = np.zeros((len(cards), *prepared.shape), np.float32)
    known = np.zeros(targets.shape, bool)
    found: list[Target] = []
    for row in rows:
        at = _output(row, cards)
        target = target_of(row, image, prepared.shape, cards[at])
        new = target.known & ~known[at] if target.adds else np.ones(prepared.shape, bool)
        targets[at] = np.where(new, target.values, targets[at])
        known[at] = np.where(new, target.known, known[at])
        found.append(target)
    beyond = [row.empty_beyond_um for row in rows if row.empty_beyond_um is not None]
    if beyond and image.voxel_size_um is not None and prepared.ndim == 3:
        empty = empty_planes(found, round(max(beyond) / image.voxel_size_um[0]))
        _mark_empty(targets, known, empty)
    whole = Pair(
        first.image.stem,
        first.group,
        first.split == "held-out",
        prepared,
        targets,
        known,
        first.weight,
        table,
        image.origin.simulated,
    )
    return _split(whole) if first.split == "spatial" else (whole,)


def _mark_empty(
    targets: npt.NDArray[np.float32], known: npt.NDArray[np.bool_], empty: npt.NDArray[np.bool_]
) -> None:
    """Note in place that nothing of any structure is in the planes of the file that are *empty*."""
    if not empty.size:
        return
    depth = targets.shape[1]
    # Planes of the file to planes of the model, by their centres.
    at = (np.arange(depth) + 0.5) * empty.size / depth - 0.5
    planes = np.interp(at, np.arange(empty.size), empty.astype(float)) > HALF
    nothing = ~known & planes[:, None, None]
    targets[nothing] = 0
    known |= nothing


def _output(row: Row, cards: Sequence[ModelCard]) -> int:
    structures = [card.structure for card in cards]
    if not row.structure:
        return 0
    if row.structure not in structures:
        raise ImageError(
            f"{row.image.name} has a target for '{row.structure}', and the cards are for "
            f"{', '.join(structures)}. Add a card, or correct the table."
        )
    return structures.index(row.structure)


def _split(pair: Pair) -> tuple[Pair, Pair]:
    """Hold out the right quarter of a field, with a gap so that no patch sees both."""
    cut = int(pair.image.shape[-1] * SPATIAL_SHARE)
    left, right = slice(0, cut), slice(cut + SPATIAL_GAP_PX, None)

    def part(at: slice, name: str, held_out: bool) -> Pair:
        image, targets, known = pair.image[..., at], pair.targets[..., at], pair.known[..., at]
        label = f"{pair.name} ({name})"
        return replace(pair, name=label, held_out=held_out, image=image, targets=targets, known=known)

    return part(left, "left part", False), part(right, "right part", True)
