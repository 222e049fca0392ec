"""How often each field is drawn, and what a network answers where there is nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelfree_core.errors import ModelError
from labelfree_core.training.pairs import Pair

_BACKGROUND_PERCENT = 5


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """
    Fields to draw patches from.

    ``chances`` is the probability of each pair; ``background`` what each output should answer where there
    is nothing: 0 for a segmentation, the dark end of a stain.
    """

    pairs: tuple[Pair, ...]
    chances: npt.NDArray[np.float64]
    background: npt.NDArray[np.float32]


def pool(pairs: Sequence[Pair], shares: Sequence[float] = ()) -> Pool:
    """
    Say how often each field is drawn.

    Groups of one table are drawn in proportion to the square root of their size, times the weight of their
    fields: a large experiment counts more, but not as much as it has fields.

    Parameters
    ----------
    pairs : sequence of Pair
        For training.
    shares : sequence of float, optional
        Share of the patches from each table. Without, the tables are drawn like one.

    Raises
    ------
    ModelError
        If there is nothing to draw from, or the shares do not fit the tables.

    Examples
    --------
    >>> one = np.zeros((1, 4, 4), np.float32)
    >>> fields = [Pair(str(n), g, False, one[0], one, one == 0) for n, g in enumerate("aaaab")]
    >>> pool(fields).chances.round(3).tolist()
    [0.167, 0.167, 0.167, 0.167, 0.333]
    """
    if not pairs:
        raise ModelError("No field is left to train on; every pair of the table is held out.")
    sizes = Counter((pair.table, pair.group) for pair in pairs)
    chances = np.array([pair.weight / np.sqrt(sizes[pair.table, pair.group]) for pair in pairs])
    if shares:
        tables = np.array([pair.table for pair in pairs])
        chances *= _to_shares(chances, tables, shares)
    if chances.sum() <= 0:
        raise ModelError("Every training field has the weight 0. Give at least one of them a weight above 0.")
    return Pool(tuple(pairs), chances / chances.sum(), _background(pairs))


def _to_shares(
    chances: npt.NDArray[np.float64], tables: npt.NDArray[np.int_], shares: Sequence[float]
) -> npt.NDArray[np.float64]:
    if tables.max() >= len(shares) or min(shares) < 0 or sum(shares) <= 0:
        raise ModelError(
            f"There are {tables.max() + 1} tables of pairs and {len(shares)} shares ({list(shares)}); give "
            "one share for each table, 0 or more."
        )
    factors = np.zeros(len(chances))
    for table, share in enumerate(shares):
        own = tables == table
        if own.any() and chances[own].sum() > 0:
            factors[own] = share / chances[own].sum()
    return factors


def _background(pairs: Sequence[Pair]) -> npt.NDArray[np.float32]:
    found = []
    for at in range(len(pairs[0].targets)):
        dark = [
            np.percentile(pair.targets[at][pair.known[at]], _BACKGROUND_PERCENT)
            for pair in pairs
            if pair.known[at].any()
        ]
        found.append(np.median(dark) if dark else 0.0)
    return np.array(found, np.float32)
