"""Bring observed and predicted to one grid and one unit, before anything is compared."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from labelfree_core.analysis.noise import ceiling
from labelfree_core.analysis.scores import UNITS, pearson_r
from labelfree_core.analysis.segmentation import is_labelled, is_segmentation
from labelfree_core.analysis.within import check_region, region_mask
from labelfree_core.errors import ImageError
from labelfree_core.images.intensity import mean_std, standardise
from labelfree_core.images.resample import resize_published
from labelfree_core.images.stack import ImageStack

# A prediction may be centre-cropped to a multiple of 16 on the model's grid, so up to 15 voxels are missing.
MAX_CROP = 15
NO_NOISE = (
    "The observed image is a segmentation, drawn by software and not seen by a camera: it has no noise, so "
    "there is no noise ceiling."
)


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """
    Observed and predicted image, ready to be compared voxel by voxel.

    Parameters
    ----------
    observed, predicted : float32 array, shape (Z, Y, X) or (Y, X)
        One shape, both in *units*.
    voxel_size_um : tuple of float or None
        Of the common grid.
    notes : tuple of str
        What was done to get there, one sentence each.
    units : str
    region : bool array, same shape, or None
        Where the observed image says something, if that is not everywhere; only this is to be scored.
    ceiling : float
        The r that noise in the observed image allows, from the image as the camera saw it; NaN where that
        can't be judged, as for a segmentation.
    """

    observed: np.ndarray
    predicted: np.ndarray
    voxel_size_um: tuple[float, ...] | None
    notes: tuple[str, ...] = ()
    units: str = UNITS
    region: np.ndarray | None = None
    ceiling: float = float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """
    A prediction fitted to the observed channel: ``gain * predicted + offset``. For display only.

    The fit borrows brightness from the stain it is shown beside, so the voxels are no measurement.

    Parameters
    ----------
    gain, offset : float
        In units of the observed image.
    pearson_r : float
        How well the fit describes the observed image.
    voxels : float32 array
        The fitted volume.
    units : str
    """

    gain: float
    offset: float
    pearson_r: float
    voxels: np.ndarray
    units: str = "camera counts, fitted to the observed channel, for display only"


def comparable(observed: ImageStack, predicted: ImageStack, *, region: ImageStack | None = None) -> Pair:
    """
    Standardise the observed image and lay both on the grid of the predicted one.

    Parameters
    ----------
    observed : ImageStack
        The stain, in any units. It is z-scored over the whole stack first and resampled after,
        like the target of the published networks; one already in z-scores is left as it is. The
        numbers of a label image are no intensities, so it counts as a mask.
    predicted : ImageStack
        A prediction in z-scores is left as it is; one in other units is z-scored too.
    region : ImageStack, optional
        Above zero where the observed image says something, on its grid. Then z-scores are those of the
        voxels inside.

    Returns
    -------
    pair : Pair

    Raises
    ------
    ImageError
        If the two can't be laid on one grid, or one of them is flat.
    """
    notes = _notes(observed, predicted)
    inside = None if region is None else region_mask(region)
    if inside is not None:
        check_region(inside, observed.shape)
    limit = ceiling(observed.voxels, inside)
    if is_labelled(observed.voxels):
        observed = observed.with_voxels(np.not_equal(observed.voxels, 0).astype(np.uint8))
    aligned, target = align_grids(_z_score(observed, "observed", inside), predicted)
    if region is not None and inside is not None:
        shown = region.with_voxels(inside.astype(np.float32))
        inside = np.asarray(align_grids(shown, predicted)[0].voxels, np.float32) > 0.5
        check_region(inside, target.shape)
        notes.append(f"Only {inside.mean():.0%} of the field counts: where {_named(region)} is above zero.")
    target = _z_score(target, "predicted", inside)
    if aligned.shape != observed.shape:
        notes.append(
            f"The observed image was resampled and cropped from {observed.shape} to the predicted image's "
            f"{aligned.shape} voxels."
        )
    return Pair(
        aligned.voxels.astype(np.float32),
        target.voxels.astype(np.float32),
        target.voxel_size_um,
        tuple(notes),
        region=inside,
        ceiling=limit,
    )


def _notes(observed: ImageStack, predicted: ImageStack) -> list[str]:
    notes = []
    if not _is_z_score(predicted):
        notes.append(
            f"The predicted image is in {predicted.units}, so it was standardised too: errors of brightness "
            "do not show in the scores."
        )
    if is_segmentation(observed.voxels):
        notes.append(NO_NOISE)
    if is_labelled(observed.voxels):
        notes.append("The observed image is a label image: its objects were compared as a mask.")
    return notes


def _named(region: ImageStack) -> str:
    return region.origin.channel_name or region.origin.name


def align_grids(observed: ImageStack, predicted: ImageStack) -> tuple[ImageStack, ImageStack]:
    """
    Resample the observed image to the grid of the predicted one.

    Parameters
    ----------
    observed, predicted : ImageStack
        Of one field. Stacks of one shape are returned as they are.

    Returns
    -------
    observed, predicted : ImageStack
        Of one shape; a stack of one plane is compared with a plane as a plane.

    Raises
    ------
    ImageError
        If the shapes differ and the voxel sizes do not explain it, or are not known.
    """
    observed, predicted = _without_single_plane(observed, predicted)
    if observed.shape == predicted.shape:
        return observed, predicted
    found = f"The observed image has the shape {observed.shape} and the predicted one {predicted.shape}"
    if len(observed.shape) != len(predicted.shape):
        raise ImageError(f"{found}; a z-stack can't be compared with a plane. Choose one plane of the stack.")
    if observed.voxel_size_um is None or predicted.voxel_size_um is None:
        which = "observed" if observed.voxel_size_um is None else "predicted"
        raise ImageError(
            f"{found}, and the {which} file has no full voxel size to resample by. Give the voxel sizes, or "
            "predict on the input's own grid."
        )
    sizes = zip(observed.shape, observed.voxel_size_um, predicted.voxel_size_um, strict=True)
    reached = tuple(max(1, round(n * old / new)) for n, old, new in sizes)
    spare = [have - want for have, want in zip(reached, predicted.shape, strict=True)]
    if min(spare) < -1 or max(spare) > MAX_CROP:
        raise ImageError(
            f"{found}; by their voxel sizes {observed.voxel_size_um} and {predicted.voxel_size_um} um the "
            f"observed image would have the shape {reached}. They are not of the same field, or one of the "
            "voxel sizes is wrong: check both files."
        )
    # On a resampled axis one voxel more or less is rounding; more is the centre crop to a multiple of 16.
    axes = zip(observed.shape, reached, predicted.shape, strict=True)
    shape = tuple(want if want > got or (got - want == 1 and got != n) else got for n, got, want in axes)
    return _resampled(observed, shape, predicted), predicted


def match_affine(observed: np.ndarray, predicted: np.ndarray, *, region: np.ndarray | None = None) -> Match:
    """
    Fit gain and offset of a prediction to the observed channel by least squares, for display.

    Parameters
    ----------
    observed : array, shape (Z, Y, X) or (Y, X), camera counts
    predicted : array, same shape, any units
    region : bool array, same shape, optional
        Only what is inside is fitted; all voxels are brought to the fit.

    Returns
    -------
    match : Match

    Raises
    ------
    ImageError
        If the shapes differ or the prediction is flat.

    Examples
    --------
    >>> match = match_affine(np.array([[100.0, 300.0]]), np.array([[-1.0, 1.0]]))
    >>> match.gain, match.offset, match.voxels.tolist()
    (100.0, 200.0, [[100.0, 300.0]])
    """
    if observed.shape != predicted.shape:
        raise ImageError(
            f"The observed image has the shape {observed.shape} and the predicted one {predicted.shape}; "
            "to be matched they have to lie on one grid. Predict on the input's own grid."
        )
    if region is not None:
        check_region(region, observed.shape)
    inside = (...,) if region is None else region
    truth, guess = observed[inside].astype(np.float64), predicted[inside].astype(np.float64)
    mean_p, mean_o = guess.mean(), truth.mean()
    centred = (guess - mean_p).ravel()
    power = float(centred @ centred)
    if power == 0:
        raise ImageError(
            "The predicted image is flat, so there is nothing to match to the observed channel. "
            "Predict again from the transmitted-light channel."
        )
    gain = float(centred @ (truth - mean_o).ravel()) / power
    offset = float(mean_o - gain * mean_p)
    voxels = (gain * predicted.astype(np.float64) + offset).astype(np.float32)
    return Match(gain, offset, pearson_r(truth, guess), voxels)


def _is_z_score(stack: ImageStack) -> bool:
    return stack.units.lower().startswith("z-score")


def _z_score(stack: ImageStack, role: str, inside: np.ndarray | None = None) -> ImageStack:
    """Return the stack in z-scores (of what is inside a region), after checking that it can be."""
    judged = stack.voxels if inside is None else stack.voxels[inside]
    if not (np.isfinite(stack.voxels.min()) and np.isfinite(stack.voxels.max())):
        raise ImageError(
            f"The {role} image {stack.origin.name} holds values that are not numbers (NaN or infinite); "
            "a comparison needs a number in every voxel. Save the image again without them."
        )
    if judged.min() == judged.max():
        where = "" if inside is None else " inside the region"
        raise ImageError(
            f"Every voxel of the {role} image {stack.origin.name}{where} is {judged.min():g}; a flat image "
            "can't be compared. Choose the channel that holds the structure."
        )
    if _is_z_score(stack):
        return stack
    if inside is None:
        return stack.with_voxels(standardise(stack.voxels), units="z-score")
    mean, spread = mean_std(judged)
    return stack.with_voxels(
        ((stack.voxels.astype(np.float64) - mean) / spread).astype(np.float32), units="z-score"
    )


def _without_single_plane(first: ImageStack, second: ImageStack) -> tuple[ImageStack, ImageStack]:
    """Drop a z-axis of length one where the other image has no z-axis."""
    if len(first.shape) > len(second.shape) and first.shape[0] == 1:
        return _plane(first), second
    if len(second.shape) > len(first.shape) and second.shape[0] == 1:
        return first, _plane(second)
    return first, second


def _plane(stack: ImageStack) -> ImageStack:
    size = stack.voxel_size_um[1:] if stack.voxel_size_um else None
    return replace(stack, voxels=stack.voxels[0], voxel_size_um=size)


def _resampled(observed: ImageStack, shape: tuple[int, ...], predicted: ImageStack) -> ImageStack:
    """Resample to *shape* by the published rule, then cut the middle to the predicted shape."""
    voxels = observed.voxels
    if shape != observed.shape:
        factors = tuple(new / old for new, old in zip(shape, observed.shape, strict=True))
        voxels = resize_published(voxels, factors)
    corner = [(have - want) // 2 for have, want in zip(voxels.shape, predicted.shape, strict=True)]
    middle = tuple(slice(c, c + n) for c, n in zip(corner, predicted.shape, strict=True))
    return replace(observed, voxels=voxels[middle], voxel_size_um=predicted.voxel_size_um)
