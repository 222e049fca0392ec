"""Which object of one image is which object of another: matched, missed, extra."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from labelfree_core.analysis.objects import ObjectRow, table
from labelfree_core.errors import ImageError

MATCH_IOU = 0.5


@dataclass(frozen=True, slots=True)
class Matching:
    """
    Objects of an observed image against those of a predicted one, paired at IoU of 0.5 or more.

    ``pairs`` maps a matched observed label to (predicted label, IoU). ``missed`` are observed labels
    without a partner, ``extra`` predicted ones. ``best_observed`` and ``best_predicted`` hold the partner
    with the largest IoU whether or not it reaches the bar.
    """

    pairs: dict[int, tuple[int, float]]
    missed: tuple[int, ...]
    extra: tuple[int, ...]
    best_observed: dict[int, tuple[int, float]]
    best_predicted: dict[int, tuple[int, float]]

    @property
    def f1(self) -> float:
        """Twice the matched over all objects of both images; NaN where there are none."""
        total = 2 * len(self.pairs) + len(self.missed) + len(self.extra)
        return 2 * len(self.pairs) / total if total else float("nan")


def match(observed: np.ndarray, predicted: np.ndarray, *, min_iou: float = MATCH_IOU) -> Matching:
    """
    Pair the objects of two label images.

    Parameters
    ----------
    observed, predicted : int array, one shape
    min_iou : float
        From 0.5 on no object can have two partners.

    Returns
    -------
    matching : Matching

    Raises
    ------
    ImageError
        If the shapes differ.
    """
    if observed.shape != predicted.shape:
        raise ImageError(
            f"One image has the shape {observed.shape} and the other {predicted.shape}; objects are paired "
            "on one grid. Resample one of the images first."
        )
    overlaps = _overlaps(observed, predicted)
    best_observed: dict[int, tuple[int, float]] = {}
    best_predicted: dict[int, tuple[int, float]] = {}
    pairs: dict[int, tuple[int, float]] = {}
    taken: set[int] = set()
    for iou, a, b in sorted(overlaps, reverse=True):
        best_observed.setdefault(a, (b, iou))
        best_predicted.setdefault(b, (a, iou))
        if iou >= min_iou and a not in pairs and b not in taken:
            pairs[a] = (b, iou)
            taken.add(b)
    missed = tuple(n for n in _present(observed) if n not in pairs)
    extra = tuple(n for n in _present(predicted) if n not in taken)
    return Matching(pairs, missed, extra, best_observed, best_predicted)


def with_status(rows: tuple[ObjectRow, ...], matching: Matching, *, observed: bool) -> tuple[ObjectRow, ...]:
    """
    Write the outcome of a matching into the rows of the observed (or the predicted) image.

    Returns
    -------
    rows : tuple of ObjectRow
        With status, partner and IoU.
    """
    lonely = set(matching.missed if observed else matching.extra)
    word = "missed" if observed else "extra"
    best = matching.best_observed if observed else matching.best_predicted
    reverse = {b: (a, iou) for a, (b, iou) in matching.pairs.items()}
    matched = matching.pairs if observed else reverse
    done = []
    for row in rows:
        partner, iou = matched.get(row.label, best.get(row.label, (0, 0.0)))
        status = word if row.label in lonely else "matched"
        done.append(replace(row, status=status, partner=partner, iou=iou))
    return tuple(done)


def paired_table(
    observed: np.ndarray,
    predicted: np.ndarray,
    *,
    voxel_size_um: tuple[float, ...] | None = None,
    channels: Mapping[str, np.ndarray] | None = None,
) -> tuple[tuple[ObjectRow, ...], Matching]:
    """
    Measure the predicted objects (matched or extra), then those that only the observed image has (missed).

    Parameters
    ----------
    observed, predicted : int array, one shape
        Label images.
    voxel_size_um, channels
        As for :func:`labelfree_core.analysis.objects.table`.

    Returns
    -------
    rows : tuple of ObjectRow
        The observed labels count on after the predicted ones, so that every row has its own number.
    matching : Matching
    """
    found = match(observed, predicted)
    measure = {"voxel_size_um": voxel_size_um, "channels": channels}
    rows = with_status(table(predicted, **measure), found, observed=False)  # type: ignore[arg-type]
    theirs = with_status(table(observed, **measure), found, observed=True)  # type: ignore[arg-type]
    last = int(predicted.max())
    missed = tuple(replace(row, label=row.label + last) for row in theirs if row.status == "missed")
    return rows + missed, found


def _overlaps(observed: np.ndarray, predicted: np.ndarray) -> list[tuple[float, int, int]]:
    """List (IoU, observed label, predicted label) of all objects that touch."""
    sizes_a, sizes_b = np.bincount(observed.ravel()), np.bincount(predicted.ravel())
    together = (observed > 0) & (predicted > 0)
    code = observed[together].astype(np.int64) * len(sizes_b) + predicted[together]
    codes, counts = np.unique(code, return_counts=True)
    found = []
    for packed, shared in zip(codes.tolist(), counts.tolist(), strict=True):
        a, b = divmod(packed, len(sizes_b))
        found.append((shared / float(sizes_a[a] + sizes_b[b] - shared), a, b))
    return found


def _present(labels: np.ndarray) -> list[int]:
    return [n for n, count in enumerate(np.bincount(labels.ravel()).tolist()) if n and count]
