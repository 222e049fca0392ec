"""Make what a model's trust panel reads: familiarity, expected error, and hallucination on the card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labelfree_core.analysis import calibration
from labelfree_core.analysis.calibration import Calibration
from labelfree_core.analysis.familiarity import FILE_NAME, Familiarity, features_of, look, pixel_of
from labelfree_core.analysis.hallucination import hallucination
from labelfree_core.analysis.spread import middle, spread
from labelfree_core.analysis.texture import Features
from labelfree_core.errors import ImageError, LabelFreeError
from labelfree_core.images.stack import ImageStack
from labelfree_core.models.card import ModelCard
from labelfree_core.models.cardfile import write_card
from labelfree_core.models.store import ModelEntry
from labelfree_core.training.familiarity import Field, Table, cross_validate
from labelfree_core.training.pairs import (
    SPATIAL_GAP_PX,
    SPATIAL_SHARE,
    Row,
    load_pairs,
    read_channel,
    read_table,
    scored_rows,
)
from labelfree_core.training.strangers import as_models_own, own_stains, photographs, simulated

# Fewer fields than this are cut into quarters, and groups are still left out as a whole.
FEW_FIELDS = 5
FEWEST_OWN, MOST_OWN = 5, 10
MOST_SCRAMBLED = 3
MOST_OTHERS = 24
LEAST_KNOWN = 0.01
_ENDINGS = (".npz", ".tif", ".tiff", ".png", ".jpg", ".jpeg", ".npy")


def images_of(rows: Sequence[Row]) -> Iterator[tuple[Row, ImageStack]]:
    """Read the transmitted-light image of every field once, whatever its targets."""
    seen: set[tuple[Path, str]] = set()
    for row in rows:
        if (row.image, row.image_channel) not in seen:
            seen.add((row.image, row.image_channel))
            yield row, read_channel(row.image, row.image_channel, row.voxel_size_um)


def fields_of(rows: Sequence[Row], card: ModelCard) -> list[Field]:
    """
    Take from every field what familiarity looks at; a few fields are cut into quarters.

    To a model of planes a z-stack is its middle plane.
    """
    seen = ((row, look(stack, card)) for row, stack in images_of(rows))
    cut = ((row, planes if card.ndim == 3 else planes[len(planes) // 2][None]) for row, planes in seen)
    taken = [Field(row.image.stem, row.group, planes) for row, planes in cut]
    if len(taken) >= FEW_FIELDS:
        return taken
    return [quarter for field in taken for quarter in _quarters(field)]


def _quarters(field: Field) -> list[Field]:
    height, width = (n // 2 for n in field.voxels.shape[-2:])
    return [
        Field(f"{field.name}, quarter {2 * i + j}", field.group, field.voxels[..., ys, xs])
        for i, ys in enumerate((slice(None, height), slice(height, None)))
        for j, xs in enumerate((slice(None, width), slice(width, None)))
    ]


def _halved_where_alone(fields: Sequence[Field]) -> list[Field]:
    """Cut the only field of a group in two, so that one half is judged by a fit that knows the other."""
    sizes = Counter(field.group for field in fields)
    halved = []
    for field in fields:
        middle = field.voxels.shape[-1] // 2
        parts = (slice(None, middle), slice(middle, None)) if sizes[field.group] == 1 else (slice(None),)
        for number, part in enumerate(parts, start=1):
            name = field.name if len(parts) == 1 else f"{field.name}, half {number}"
            halved.append(replace(field, name=name, voxels=field.voxels[..., part]))
    return halved


def others_of(
    places: Sequence[Path], card: ModelCard, *, root: Path, rows: Sequence[Row]
) -> dict[str, list[Features]]:
    """
    Describe images of other kinds.

    Parameters
    ----------
    places : sequence of paths
        Tables of pairs (the kind is the table's name), or folders with a folder for each kind.
    card : ModelCard
    root : path
        What the tables' files are relative to.
    rows : sequence of Row
        The model's own table: its stains are strange images, its transmitted light is not.

    Returns
    -------
    others : dict of str to list of arrays
        With photographs, stains and simulated microscopes. To a model of planes a z-stack is its first,
        middle and last plane. Images that the model refuses, by their voxel size for example, need no
        familiarity and are left out.
    """
    known = {row.image for row in rows}
    stacks: dict[str, list[ImageStack]] = {}
    for place in places:
        if place.is_dir():
            for file in sorted(place.glob("*/*")):
                if file.suffix.lower() in _ENDINGS and file not in known:
                    stacks.setdefault(file.parent.name, []).append(_any_image(file))
        else:
            pairs = images_of(read_table(place, root=root))
            stacks[place.stem] = [stack for row, stack in pairs if row.image not in known]
    found = {"photographs": photographs(card), **own_stains(rows, card), **simulated(card)}
    for kind, images in stacks.items():
        chosen = np.unique(np.linspace(0, len(images) - 1, min(MOST_OTHERS, len(images))).round().astype(int))
        for image in (image for i in chosen for image in _images(images[i], card)):
            try:
                found.setdefault(kind, []).append(features_of(as_models_own(image, card), card))
            except LabelFreeError:
                continue
    return found


def _images(stack: ImageStack, card: ModelCard) -> list[ImageStack]:
    if card.ndim == 3 or stack.voxels.ndim == 2:
        return [stack]
    size = stack.voxel_size_um and stack.voxel_size_um[-2:]
    ends = (0, len(stack.voxels) // 2, -1)
    return [replace(stack, voxels=stack.voxels[z], voxel_size_um=size) for z in ends]


def _any_image(file: Path) -> ImageStack:
    try:
        return read_channel(file, "signal" if file.suffix == ".npz" else "", None)
    except ImageError:
        return read_channel(file, "0", None)


def write_familiarity(
    entry: ModelEntry, rows: Sequence[Row], others: dict[str, list[Features]], *, leave_out: str = "group"
) -> tuple[Path, Table]:
    """
    Fit the familiarity of a model, write it into its folder, and return how well it tells apart.

    Parameters
    ----------
    entry : ModelEntry
    rows : sequence of Row
    others : dict
        Of :func:`others_of`.
    leave_out : {"group", "field"}
        What the fields that set the border are left out with: their whole group (a new experiment shall be
        familiar), or themselves alone (where groups are kinds of cells, and a new kind shall be strange; the
        only field of a kind is cut in two).
    """
    fields = fields_of(rows, entry.card)
    if leave_out == "field":
        fields = [replace(field, group=field.name) for field in _halved_where_alone(fields)]
    fitted, table = cross_validate(fields, others)
    replace(fitted, pixel_um=pixel_of(entry.card)).save(entry.folder / FILE_NAME)
    return entry.folder / FILE_NAME, table


def write_own_familiarity(entry: ModelEntry, rows: Sequence[Row]) -> Familiarity | None:
    """
    Fit the familiarity of a model that a person made from a few pairs of their own.

    As :func:`write_familiarity`, with photographs and the stains of the pairs as the only other images and
    without a table; at most ten fields are looked at.

    Parameters
    ----------
    entry : ModelEntry
    rows : sequence of Row
        The pairs, whatever their split: images that the model is meant for.

    Returns
    -------
    fitted : Familiarity or None
        None, and no file, below five fields: of fewer nobody can say what is usual among them.
    """
    images = list({(row.image, row.image_channel): row for row in rows}.values())
    if len(images) < FEWEST_OWN:
        return None
    chosen = np.unique(np.linspace(0, len(images) - 1, MOST_OWN).round().astype(int))
    taken = [images[i] for i in chosen]
    fields = fields_of(taken, entry.card)
    alone = [replace(field, group=f"{number}") for number, field in enumerate(fields)]
    others = {"photographs": photographs(entry.card), **own_stains(taken, entry.card)}
    fitted = cross_validate(alone, others, folds=len(alone), scored=False)[0]
    fitted = replace(fitted, pixel_um=pixel_of(entry.card))
    fitted.save(entry.folder / FILE_NAME)
    return fitted


def write_calibration(entry: ModelEntry, rows: Sequence[Row], *, note: str = "") -> Calibration:
    """
    Measure what error a disagreement means, on held-out fields, and write it into the model's folder.

    Parameters
    ----------
    entry : ModelEntry
    rows : sequence of Row
        Only those that are held out, or whose right part is, are used.
    note : str
        What to know about the fields.

    Raises
    ------
    ImageError
        If no row is held out: errors on training fields would promise too much.
    """
    card = entry.card
    rows = [row for row in scored_rows(rows) if not row.structure or row.structure == card.structure]
    fields = [field for row in rows if row.split != "train" for field in _spread_and_error(row, entry)]
    if not fields:
        raise ImageError(
            "No line of the table is held out, and errors on training fields would promise too much. Set the "
            "split of some lines to 'held-out' or 'spatial'."
        )
    found = calibration.calibrate(fields, weights_sha256=card.sha256, note=note)
    calibration.save(found, entry.folder)
    return found


def _spread_and_error(
    row: Row, entry: ModelEntry
) -> list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
    """Spread over the views and error of their mean in the middle of a field, where the target is known."""
    image = read_channel(row.image, row.image_channel, row.voxel_size_um)
    whole = load_pairs([replace(row, split="held-out")], [entry.card])[0]
    spatial = row.split == "spatial"  # only the right quarter was never trained on
    corner = (0, image.shape[-1] // 2) if spatial else middle(image)[1]
    part = image.with_voxels(image.voxels[..., corner[1] :]) if spatial else image
    views = spread(part, entry, extent="full" if spatial else "fast")
    target, known = whole.targets[0], whole.known[0]
    scale = [n / own for n, own in zip(target.shape[-2:], image.shape[-2:], strict=True)]
    starts = [round(c * s) for c, s in zip(corner, scale, strict=True)]
    # Rounding may make the part a pixel wider than what is left of the field.
    height, width = (
        min(n, whole_n - s)
        for n, whole_n, s in zip(views.map.shape[-2:], target.shape[-2:], starts, strict=True)
    )
    window = (..., slice(starts[0], starts[0] + height), slice(starts[1], starts[1] + width))
    target, known = target[window], known[window].copy()
    spread_map, mean = views.map[..., :height, :width], views.mean[..., :height, :width]
    if spatial:
        known[..., : max(0, int(whole.image.shape[-1] * SPATIAL_SHARE) + SPATIAL_GAP_PX - starts[1])] = False
    if target.shape != spread_map.shape or known.mean() < LEAST_KNOWN:
        return []
    return [(spread_map[known], (mean - target)[known])]


def write_hallucination(entry: ModelEntry, rows: Sequence[Row]) -> dict[str, float]:
    """Measure hallucination on a few fields, held-out ones first, and write it onto the model's card."""
    rows = sorted(rows, key=lambda row: row.split == "train")
    stacks = [middle(stack)[0] for _, stack in images_of(rows[:MOST_SCRAMBLED])]
    measured = {name: round(value, 4) for name, value in hallucination(stacks, entry).items()}
    write_card(entry.folder, replace(entry.card, hallucination=measured))
    return measured
