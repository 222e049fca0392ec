"""A table of image pairs: which files, which channels, what the target says and where it counts."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from labelfree_core.errors import ImageError
from labelfree_core.images.reading import open_image
from labelfree_core.images.stack import ImageStack, Origin

# What a target says; docs/models.md has the words for people.
KINDS = ("intensity", "level", "segmentation", "surface", "rings", "not", "outside", "occupied")
SPLITS = ("train", "held-out", "spatial")
COLUMNS = ("image", "target")
_TEXTS = ("image_channel", "target_channel", "known_channel", "structure")


@dataclass(frozen=True, slots=True)
class Row:
    """
    One line of a pairs table; several lines with one image belong to one field.

    ``image`` and ``target`` are files (the target may be the same file); the channels are names or
    numbers, or keys of an ``.npz``. Where ``known_channel`` is given, the target counts only where that
    channel is above zero. ``group`` must not be split between training and scoring; ``split`` is
    ``"train"``, ``"held-out"`` or ``"spatial"`` (the right quarter of the field is held out). ``weight``
    is how often the field is drawn, against others; planes further than ``empty_beyond_um`` above or below
    all that the targets of the field mark hold none of the structures. ``shift_px`` says by how far, in
    pixels of the file in y and x, the target lies from the image; it is moved back. ``kind`` says what the
    target is:

    - ``"intensity"``: a stain
    - ``"level"``: a stain without noise or background, as a simulation gives it
    - ``"segmentation"``: any value above zero is inside
    - ``"surface"``: the outline of labelled objects is the structure
    - ``"rings"``: the structure is what these outlines enclose; nothing else is said
    - ``"not"``: the structure is not where these objects are; nothing else is said
    - ``"outside"``: the structure is nowhere outside these objects; nothing else is said
    - ``"occupied"``: says only which planes hold cells
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
    weight: float = 1.0
    empty_beyond_um: float | None = None
    shift_px: tuple[int, int] = (0, 0)


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
    place = Path(root) if root else path.parent
    return tuple(
        _row(line, f"Line {number} of {path.name}", place) for number, line in enumerate(lines, start=2)
    )


def _row(line: dict[str, str | None], where: str, root: Path) -> Row:
    given = {key: (value or "").strip() for key, value in line.items() if key}
    row = Row(
        image=root / given["image"],
        target=root / given["target"],
        voxel_size_um=_numbers(given.get("voxel_size_um", ""), where) or None,
        kind=given.get("kind") or "intensity",
        split=given.get("split") or "train",
        **{name: given.get(name, "") for name in _TEXTS},
        group=given.get("group") or given["image"],
        weight=next(iter(_numbers(given.get("weight", ""), where)), 1.0),
        empty_beyond_um=next(iter(_numbers(given.get("empty_beyond_um", ""), where)), None),
        shift_px=_shift(given.get("shift_px", ""), where),
    )
    if row.kind not in KINDS or row.split not in SPLITS:
        raise ImageError(
            f"{where} has the kind '{row.kind}' and the split '{row.split}'; the kind is one of "
            f"{', '.join(KINDS)} and the split one of {', '.join(SPLITS)}."
        )
    missing = [file.name for file in (row.image, row.target) if not file.is_file()]
    if missing:
        raise ImageError(f"{where} names {missing[0]}, which is not there.")
    return row


def _numbers(text: str, where: str) -> tuple[float, ...]:
    try:
        found = tuple(float(part) for part in text.replace(",", " ").split())
    except ValueError:
        found = (-1.0,)
    if any(not np.isfinite(value) or value < 0 for value in found):
        raise ImageError(f"{where} has '{text[:40]}' where a number is needed, 0 or more. Correct it.")
    return found


def _shift(text: str, where: str) -> tuple[int, int]:
    try:
        y, x = (int(part) for part in (text or "0 0").replace(",", " ").split())
    except ValueError as problem:
        raise ImageError(
            f"{where} has the shift_px '{text[:40]}'; two whole numbers are needed, such as '8 -3' for a "
            "target that lies 8 pixels down and 3 to the left. Correct it."
        ) from problem
    return y, x


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
            flag = arrays.get("simulated")  # as a training for the page keeps its pairs
            simulated = flag is not None and flag.shape == () and bool(flag)
            origin = Origin(path.name, channel_name=channel, simulated=simulated)
            return ImageStack(arrays[channel], voxel_size_um, origin)
    file = open_image(path)
    index = file.channel_index(channel) if channel else None
    stack = file.read(channel=index)
    return stack if voxel_size_um is None else replace(stack, voxel_size_um=voxel_size_um)
