"""From one line of a table to what a network should answer, and where that is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from labelfree_core.analysis.masks import otsu_threshold
from labelfree_core.errors import ImageError
from labelfree_core.images.resample import resize_shape
from labelfree_core.images.stack import ImageStack
from labelfree_core.inference.preparing import prepare_observed
from labelfree_core.models.card import ModelCard
from labelfree_core.training.table import Row, read_channel

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

# A single saturated speck must not set the scale of the stain.
CLIP_PERCENT = 99.9
BRIGHTEST_LEVEL = 2.0
# A voxel of the model's grid counts as known only where practically all of it is.
WHOLLY, MOSTLY, HALF = 0.99, 0.7, 0.5
# Gaps in a drawn outline, and necks between outlines that are no nucleus, in pixels as drawn.
_RING_GAP_PX, _NECK_PX = 2, 3
# Fewer marked voxels in a plane than this are specks.
_SPECKS = 20


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """
    What one line says.

    Parameters
    ----------
    values : float32 array, shape ([Z,] Y, X), on the model's grid
        A z-score for a stain, else 0 where the structure is not and about 1 where it is.
    known : bool array, same shape
        Where it says anything.
    adds : bool
        Whether it only fills in where nothing was known before.
    marked : bool array, shape (Z,)
        Planes of the file where something is drawn; empty for a stain.
    """

    values: Array
    known: Mask
    adds: bool
    marked: Mask


def target_of(row: Row, image: ImageStack, shape: tuple[int, ...], card: ModelCard) -> Target:
    """
    Read and prepare the target of one line.

    Parameters
    ----------
    row : Row
    image : ImageStack
        Transmitted light of the field, as it was taken.
    shape : tuple of int
        Of the prepared image.
    card : ModelCard

    Raises
    ------
    ImageError
        If the target shows other voxels than the image.
    """
    stack = read_channel(row.target, row.target_channel, image.voxel_size_um)
    if stack.shape != image.shape:
        raise ImageError(
            f"{row.target.name} has {stack.shape} voxels and its image {image.shape}; a pair shows the same "
            "voxels twice."
        )
    stack, marked = moved_back(stack, row.shift_px), np.zeros(0, bool)
    known = _resized(seen(image.shape, row.shift_px), shape) > WHOLLY
    if row.known_channel:
        allowed = np.asarray(read_channel(row.target, row.known_channel, image.voxel_size_um).voxels) != 0
        marked = _planes(allowed)
        if row.kind == "surface":  # the voxels just outside belong to the outline's background
            allowed = ndimage.binary_dilation(allowed, ndimage.generate_binary_structure(allowed.ndim, 1))
        known &= _resized(np.roll(allowed, _back(row.shift_px), (-2, -1)), shape) > WHOLLY
    if row.kind == "intensity":
        return Target(_stain(stack, card), known, False, marked)
    drawn = np.asarray(stack.voxels, np.float32)
    if row.kind == "level":
        return Target(_level(drawn, shape), known, False, marked)
    return _drawn(row.kind, drawn, known, marked)


def moved_back(stack: ImageStack, shift_px: tuple[int, int]) -> ImageStack:
    """Move a target that lies *shift_px* (y, x) from its image onto it; what leaves comes in again beyond."""
    return stack.with_voxels(np.roll(stack.voxels, _back(shift_px), (-2, -1))) if any(shift_px) else stack


def seen(shape: tuple[int, ...], shift_px: tuple[int, int]) -> Mask:
    """Say which voxels of an image a target that lay *shift_px* (y, x) from it shows."""
    inside = np.zeros(shape, bool)
    y, x = (slice(max(0, -by), n - max(0, by)) for by, n in zip(shift_px, shape[-2:], strict=True))
    inside[..., y, x] = True
    return inside


def _back(shift_px: tuple[int, int]) -> tuple[int, int]:
    return -shift_px[0], -shift_px[1]


def _stain(stack: ImageStack, card: ModelCard) -> Array:
    counts = np.asarray(stack.voxels, np.float32)
    clipped = stack.with_voxels(np.minimum(counts, np.percentile(counts, CLIP_PERCENT)))
    return np.asarray(prepare_observed(clipped, card).voxels, np.float32)


def _level(light: Array, shape: tuple[int, ...]) -> Array:
    """Scale a stain without noise so that 1 is its mean where it is bright; nothing stays nothing."""
    bright = light[light > otsu_threshold(light)] if float(light.max()) > 0 else light[:0]
    scaled = light / float(bright.mean()) if bright.size else light
    return np.clip(resize_shape(scaled, shape, order=1), 0, BRIGHTEST_LEVEL).astype(np.float32)


def _drawn(kind: str, labels: Array, known: Mask, marked: Mask) -> Target:
    shape, inside = known.shape, labels > 0
    planes = _planes(inside)
    marked = planes if marked.size == 0 else planes | marked
    nothing = np.zeros(shape, np.float32)
    if kind == "rings":
        filled = _resized(enclosed(inside), shape) > HALF
        return Target(filled.astype(np.float32), filled & known, True, marked)
    if kind == "not":
        return Target(nothing, (_resized(inside, shape) > MOSTLY) & known, True, marked)
    if kind == "outside":
        return Target(nothing, (_resized(~inside, shape) > WHOLLY) & known, True, marked)
    if kind == "occupied":
        return Target(nothing, np.zeros(shape, bool), True, marked)
    return Target(_resized(surface(labels) if kind == "surface" else inside, shape), known, False, marked)


def _resized(mask: Mask, shape: tuple[int, ...]) -> Array:
    return np.clip(resize_shape(mask.astype(np.float32), shape, order=1), 0, 1).astype(np.float32)


def _planes(mask: Mask) -> Mask:
    if mask.ndim == 2:
        return np.zeros(0, bool)
    found: Mask = mask.sum((1, 2)) > _SPECKS
    return found


def surface(labels: Array) -> Mask:
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
    outline: Mask = inside & (~ndimage.binary_erosion(inside, cross) | (high != low))
    return outline


def enclosed(rings: Mask) -> Mask:
    """
    Return what outlines enclose, plane by plane, the outlines included; open lines enclose nothing.

    Parameters
    ----------
    rings : bool array, shape (Z, Y, X) or (Y, X)
        Gaps of up to four pixels are closed.
    """
    square = np.ones((3, 3), bool)
    planes = []
    for plane in rings.reshape(-1, *rings.shape[-2:]):
        # Padded, so that closing does not eat what touches the border.
        wide = np.pad(plane, _RING_GAP_PX)
        closed = ndimage.binary_closing(wide, square, iterations=_RING_GAP_PX)
        whole = ndimage.binary_fill_holes(closed)[_RING_GAP_PX:-_RING_GAP_PX, _RING_GAP_PX:-_RING_GAP_PX]
        # An outline that encloses nothing is a thin line, which opening removes.
        planes.append(ndimage.binary_opening(whole, square, iterations=_NECK_PX))
    return np.stack(planes).reshape(rings.shape)


def empty_planes(targets: Sequence[Target], beyond: int) -> Mask:
    """
    Say which planes of a file hold no cells: those more than *beyond* planes away from all that is marked.

    Parameters
    ----------
    targets : sequence of Target
        All lines of one field.
    beyond : int

    Returns
    -------
    empty : bool array, shape (Z,)
        Without anything marked no plane is known to be empty, and the array has no elements.
    """
    marks = [target.marked for target in targets if target.marked.size]
    if not marks or not np.any(marks):
        return np.zeros(0, bool)
    at = np.flatnonzero(np.any(marks, axis=0))
    planes = np.arange(marks[0].size)
    return (planes < at[0] - beyond) | (planes > at[-1] + beyond)
