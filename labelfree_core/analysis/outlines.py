"""Objects as their outlines, to be drawn over an image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labelfree_core.analysis.objects import ObjectRow

STATUSES = ("matched", "missed", "extra", "")


def outline(labels: np.ndarray) -> np.ndarray:
    """
    Mark the outermost pixels of each object, plane by plane.

    Parameters
    ----------
    labels : int array, shape (Z, Y, X) or (Y, X)

    Returns
    -------
    edge : bool array, same shape
        Touching objects get a line each.

    Examples
    --------
    >>> outline(np.pad(np.full((3, 3), 7), 1)).astype(int)[1:4].tolist()
    [[0, 1, 1, 1, 0], [0, 1, 0, 1, 0], [0, 1, 1, 1, 0]]
    """
    edge = np.zeros(labels.shape, bool)
    for axis in (-2, -1):
        change = np.diff(labels, axis=axis) != 0
        before = [slice(None)] * labels.ndim
        after = [slice(None)] * labels.ndim
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        edge[tuple(before)] |= change
        edge[tuple(after)] |= change
    return edge & (labels != 0)


def outlines(
    predicted: np.ndarray, rows: Sequence[ObjectRow], observed: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """
    Draw the objects of a table, apart by what became of them.

    Parameters
    ----------
    predicted : int array, shape (Z, Y, X) or (Y, X)
        Label image of the prediction.
    rows : sequence of ObjectRow
        As :func:`labelfree_core.analysis.matching.paired_table` makes them.
    observed : int array, same shape, optional
        Label image of the stain, for the missed ones.

    Returns
    -------
    drawn : dict of str to bool array
        ``"matched"``, ``"missed"`` and ``"extra"``, or ``""`` where nothing was compared; only those that
        there are.
    """
    last = int(predicted.max())
    edges = {"predicted": outline(predicted)}
    if observed is not None:
        edges["observed"] = outline(observed)
    drawn: dict[str, np.ndarray] = {}
    for status in STATUSES:
        numbers = [row.label for row in rows if row.status == status]
        if not numbers:
            continue
        missed = status == "missed" and observed is not None
        labels = observed if missed and observed is not None else predicted
        wanted = np.zeros(int(labels.max()) + 1, bool)
        wanted[[number - last if missed else number for number in numbers]] = True
        drawn[status] = edges["observed" if missed else "predicted"] & wanted[labels]
    return drawn
