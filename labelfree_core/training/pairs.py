"""Image pairs for training and scoring: a table of files, prepared exactly as for a prediction."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from labelfree_core.errors import ImageError
from labelfree_core.images.reading import open_image
from labelfree_core.images.resample import resize_shape
from labelfree_core.images.stack import ImageStack, Origin
from labelfree_core.inference.preparing import prepare, prepare_observed
from labelfree_core.models.card import ModelCard

KINDS = ("intensity", "segmentation", "surface")
SPLITS = ("train", "held-out", "spatial")
COLUMNS = ("image", "target")
# A single saturated speck must not set the scale of the stain.
CLIP_PERCENT = 99.9
SPATIAL_SHARE = 0.76
SPATIAL_GAP_PX = 8


@dataclass(frozen=True, slots=True)
class Row:
    """
    One line of a pairs table.

    ``image`` and ``target`` are files (the target may be the same file); the channels are names or
    numbers, or keys of an ``.npz``. ``kind`` says what the target is: ``"intensity"`` (a stain),
    ``"segmentation"`` (any value above zero is inside) or ``"surface"`` (the outline of such objects).
    Where ``known_channel`` is given, the target counts only where that channel is above zero.
    ``group`` must not be split between training and scoring; ``split`` is ``"train"``, ``"held-out"`` or
    ``"spatial"`` (the right quarter of the field is held out).
    """

    image: Path
    target: Path
    image_channel: str = ""
    target_channel: str = ""
    known_channel: str = ""
    structure: str = ""
    kind: str = "intensity"
    voxel_size_um: tuple[float, ...] | None = None
    group: str = ""
    split: str = "train"


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
    """

    name: str
    group: str
    held_out: bool
    image: npt.NDArray[np.float32]
    targets: npt.NDArray[np.float32]
    known: npt.NDArray[np.bool_]


def read_table(path: str | Path, *, root: str | Path | None = None) -> tuple[Row, ...]:
    """
    Read a pairs table (CSV with a header; files relative to *root*, or to the table without one).

    Raises
    ------
    ImageError
        If a column or a file is missing, or a word is not one of those allowed.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            lines = list(csv.DictReader(handle))
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise ImageError(f"{path.name} can't be read as a CSV table of pairs ({problem}).") from problem
    if not lines or not set(COLUMNS) <= set(lines[0]):
        raise ImageError(
            f"{path.name} has the columns {', '.join(lines[0]) if lines else 'of an empty file'}; a table of "
            f"pairs needs at least {' and '.join(COLUMNS)}, one pair a line. See docs/models.md."
        )
    return tuple(
        _row(line, number, path, Path(root) if root else path.parent)
        for number, line in enumerate(lines, start=2)
    )


def _row(line: dict[str, str | None], number: int, table: Path, root: Path) -> Row:
    given = {key: (value or "").strip() for key, value in line.items() if key}
    size = tuple(float(part) for part in given.get("voxel_size_um", "").replace(",", " ").split())
    row = Row(
        image=root / given["image"],
        target=root / given["target"],
        voxel_size_um=size or None,
        kind=given.get("kind") or "intensity",
        split=given.get("split") or "train",
        **{k: given.get(k, "") for k in ("image_channel", "target_channel", "known_channel", "structure")},
        group=given.get("group") or given["image"],
    )
    if row.kind not in KINDS or row.split not in SPLITS:
        raise ImageError(
            f"Line {number} of {table.name} has the kind '{row.kind}' and the split '{row.split}'; the kind "
            f"is one of {', '.join(KINDS)} and the split one of {', '.join(SPLITS)}."
        )
    missing = [file.name for file in (row.image, row.target) if not file.is_file()]
    if missing:
        raise ImageError(f"Line {number} of {table.name} names {missing[0]}, which is not there.")
    return row


def read_channel(path: Path, channel: str, voxel_size_um: tuple[float, ...] | None) -> ImageStack:
    """
    Read one channel of an image file, or one array of an ``.npz``, with a voxel size that may be given.

    Raises
    ------
    ImageError
        If the channel does not exist, or the file can't be read.
    """
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            if channel not in arrays:
                raise ImageError(f"{path.name} has no array '{channel}'; it has {', '.join(arrays.files)}.")
            return ImageStack(arrays[channel], voxel_size_um, Origin(path.name, channel_name=channel))
    file = open_image(path)
    index = file.channel_index(channel) if channel else None
    stack = file.read(channel=index)
    return stack if voxel_size_um is None else replace(stack, voxel_size_um=voxel_size_um)


def load_pairs(rows: Sequence[Row], cards: Sequence[ModelCard]) -> tuple[Pair, ...]:
    """
    Load and prepare every field of a table.

    Parameters
    ----------
    rows : sequence of Row
        Lines with the same image belong to one field.
    cards : sequence of ModelCard
        One for each structure, all with one preparation; a row without a structure belongs to the first.

    Returns
    -------
    pairs : tuple of Pair
        A field with a spatial split gives two pairs.
    """
    fields: dict[tuple[Path, str], list[Row]] = {}
    for row in rows:
        fields.setdefault((row.image, row.image_channel), []).append(row)
    return tuple(pair for lines in fields.values() for pair in _field(lines, cards))


def _field(rows: Sequence[Row], cards: Sequence[ModelCard]) -> tuple[Pair, ...]:
    first = rows[0]
    image = read_channel(first.image, first.image_channel, first.voxel_size_um)
    prepared = prepare(image, cards[0]).voxels.astype(np.float32, copy=False)
    targets = np.zeros((len(cards), *prepared.shape), np.float32)
    known = np.zeros(targets.shape, bool)
    for row in rows:
        at = _output(row, cards)
        targets[at], known[at] = _target(row, image, prepared.shape, cards[at])
    whole = Pair(first.image.stem, first.group, first.split == "held-out", prepared, targets, known)
    return _split(whole) if first.split == "spatial" else (whole,)


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


def _target(
    row: Row, image: ImageStack, shape: tuple[int, ...], card: ModelCard
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    stack = read_channel(row.target, row.target_channel, image.voxel_size_um)
    if stack.shape != image.shape:
        raise ImageError(
            f"{row.target.name} has {stack.shape} voxels and its image {image.shape}; a pair shows the same "
            "voxels twice."
        )
    known = np.ones(shape, bool)
    if row.known_channel:
        inside = np.asarray(read_channel(row.target, row.known_channel, image.voxel_size_um).voxels) != 0
        known = resize_shape(inside.astype(np.float32), shape, order=1) > 0.99
    if row.kind == "intensity":
        counts = np.asarray(stack.voxels, np.float32)
        stain = stack.with_voxels(np.minimum(counts, np.percentile(counts, CLIP_PERCENT)))
        return np.asarray(prepare_observed(stain, card).voxels, np.float32), known
    labels = np.asarray(stack.voxels, np.float32)
    inside = surface(labels) if row.kind == "surface" else labels > 0
    return np.clip(resize_shape(inside.astype(np.float32), shape, order=1), 0, 1), known


def surface(labels: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """
    Return the outline of labelled objects: their outermost voxels, and voxels that touch another object.

    Parameters
    ----------
    labels : array, shape (Z, Y, X) or (Y, X), whole numbers
        0 outside.
    """
    inside = labels > 0
    cross = ndimage.generate_binary_structure(inside.ndim, 1)
    high = ndimage.maximum_filter(labels, footprint=cross)
    low = ndimage.minimum_filter(np.where(inside, labels, high), footprint=cross)
    outline: npt.NDArray[np.bool_] = inside & (~ndimage.binary_erosion(inside, cross) | (high != low))
    return outline


def _split(pair: Pair) -> tuple[Pair, Pair]:
    """Hold out the right quarter of a field, with a gap so that no patch sees both."""
    cut = int(pair.image.shape[-1] * SPATIAL_SHARE)
    left, right = slice(0, cut), slice(cut + SPATIAL_GAP_PX, None)

    def part(at: slice, name: str, held_out: bool) -> Pair:
        image, targets, known = pair.image[..., at], pair.targets[..., at], pair.known[..., at]
        return Pair(f"{pair.name} ({name})", pair.group, held_out, image, targets, known)

    return part(left, "left part", False), part(right, "right part", True)
