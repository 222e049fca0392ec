"""A prediction held against the stain of the same field: r, its ceiling, objects, and where they differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labelfree_core.analysis.alignment import Pair, comparable
from labelfree_core.analysis.correlation import pearson_r
from labelfree_core.analysis.masks import otsu_threshold
from labelfree_core.analysis.matching import match
from labelfree_core.analysis.objects import find_objects
from labelfree_core.analysis.published import Published
from labelfree_core.analysis.regions import Grid, Region, worst_regions
from labelfree_core.analysis.segmentation import is_labelled, is_segmentation
from labelfree_core.analysis.verdicts import Note, against_stain, of_objects, where_it_differs
from labelfree_core.images.stack import ImageStack
from labelfree_core.inference.prediction import Prediction

# Smaller blobs of a mask are specks and no objects to count.
LEAST_OBJECT_UM = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """
    What a prediction can be held against.

    ``observed`` is the stain of the same field; ``region`` is above zero where it says something, on its
    grid, and None where that is everywhere; ``prediction`` is one that is there already.
    """

    observed: ImageStack
    region: ImageStack | None = None
    prediction: Prediction | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Against:
    """How a prediction did: numbers, the worst places, and what to say."""

    pearson_r: float
    ceiling: float
    share: float
    regions: tuple[Region, ...]
    notes: tuple[Note, ...]


def against(
    evidence: Evidence, prediction: Prediction, row: Published | None, grid: tuple[float, ...]
) -> Against:
    """
    Hold a prediction against its stain.

    Parameters
    ----------
    evidence : Evidence
    prediction : Prediction
    row : Published or None
        What the paper reached for the structure.
    grid : tuple of float
        Voxel size of the image that positions are to be told in, in um.

    Returns
    -------
    against : Against

    Raises
    ------
    ImageError
        If the two can't be laid on one grid.
    """
    pair = comparable(evidence.observed, prediction.stack, region=evidence.region)
    size = pair.voxel_size_um or prediction.voxel_size_um
    inside = slice(None) if pair.region is None else pair.region
    r = pearson_r(pair.observed[inside], pair.predicted[inside])
    error = np.abs(pair.predicted - pair.observed)
    if pair.region is not None:
        error[~pair.region] = 0
    thresholds = otsu_threshold(pair.observed[inside]), otsu_threshold(pair.predicted[inside])
    regions = worst_regions(
        error,
        Grid(size, (0.0,) * error.ndim, grid),
        where_it_differs(pair.observed, pair.predicted, size, thresholds),
    )
    painted = is_segmentation(evidence.observed.voxels)
    share = 1.0 if pair.region is None else float(pair.region.mean())
    limited = f" inside the region ({share:.0%} of the field)" if pair.region is not None else ""
    found = match(*both_objects(evidence.observed, pair))
    objects = of_objects(len(found.pairs), len(found.missed), len(found.extra), inside=limited)
    simulated = evidence.observed.origin.simulated
    notes = (against_stain(r, pair.ceiling, row, painted=painted, simulated=simulated), objects)
    return Against(r, pair.ceiling, share, regions, notes)


def both_objects(observed: ImageStack, pair: Pair) -> tuple[np.ndarray, ...]:
    """
    Label the objects of stain and prediction: the stain's own labels where it has them, else Otsu's.

    What touches is cut at its waists, in both images.

    Inside a region of interest thresholds are those of its voxels, and only objects that lie mostly in it
    count.

    Parameters
    ----------
    observed : ImageStack
        As it was read.
    pair : Pair
        The same, and the prediction, on one grid.

    Returns
    -------
    observed, predicted : int32 array, shape of the pair
    """
    size = pair.voxel_size_um or (1.0,) * pair.observed.ndim
    least = least_voxels(size)
    labelled = is_labelled(observed.voxels) and observed.shape == pair.observed.shape
    return tuple(
        find_objects(
            voxels, method="watershed", min_voxels=least, voxel_size_um=pair.voxel_size_um, region=pair.region
        )
        for voxels in (observed.voxels if labelled else pair.observed, pair.predicted)
    )


def least_voxels(voxel_size_um: tuple[float, ...]) -> int:
    """
    Return how many voxels an object has at least: those of a ball (or disc) of 3 um; less is a speck.

    Examples
    --------
    >>> least_voxels((0.3, 0.3, 0.3)), least_voxels((0.5, 0.5))
    (524, 28)
    """
    ball = np.pi / 6 if len(voxel_size_um) == 3 else np.pi / 4
    return max(8, round(float(ball * LEAST_OBJECT_UM ** len(voxel_size_um) / np.prod(voxel_size_um))))
