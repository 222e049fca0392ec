"""Where observed and predicted differ, and which of the two is brighter there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labelfree_core.analysis.display import HIGH_PERCENTILE, LOW_PERCENTILE, Limits, project
from labelfree_core.analysis.within import check_region

NAMES = ("observed_minus_predicted", "predicted_minus_observed", "absolute")


@dataclass(frozen=True, slots=True, eq=False)
class Differences:
    """
    Three difference volumes and one pair of limits for all of them.

    Parameters
    ----------
    observed_minus_predicted, predicted_minus_observed, absolute : float32 array, (Z, Y, X) or (Y, X)
        In the units of what was compared, usually standard deviations of the stain.
    limits : (lo, hi)
        The display percentiles over the three volumes together.
    """

    observed_minus_predicted: np.ndarray
    predicted_minus_observed: np.ndarray
    absolute: np.ndarray
    limits: Limits

    def projections(self, how: str = "mean", axis: int = 0) -> dict[str, np.ndarray]:
        """
        Project the three volumes, by mean unless asked otherwise.

        Returns
        -------
        projections : dict of name to 2-D float array
            In the order ``observed_minus_predicted``, ``predicted_minus_observed``, ``absolute``.
        """
        return {name: project(getattr(self, name), how, axis) for name in NAMES}

    @property
    def symmetric_limits(self) -> Limits:
        """Limits with zero in the middle, for a diverging colour map of a single slice."""
        reach = max(abs(self.limits[0]), abs(self.limits[1]))
        return -reach, reach


def differences(
    observed: np.ndarray, predicted: np.ndarray, *, region: np.ndarray | None = None
) -> Differences:
    """
    Subtract predicted from observed, observed from predicted, and take the absolute difference.

    Parameters
    ----------
    observed, predicted : array, shape (Z, Y, X) or (Y, X)
        On one grid and in one unit; see :func:`labelfree_core.analysis.alignment.comparable`.
    region : bool array, same shape, optional
        Outside of it nothing is known, and the differences are 0.

    Returns
    -------
    differences : Differences
        New arrays, with the 0.02 and 99.8 percentiles over the three volumes together.

    Examples
    --------
    >>> differences(np.array([[3.0]]), np.array([[1.0]])).absolute
    array([[2.]], dtype=float32)
    """
    forward = np.subtract(observed, predicted, dtype=np.float64).astype(np.float32)
    if region is not None:
        check_region(region, forward.shape)
        forward[~region] = 0
    backward, absolute = -forward, np.abs(forward)
    counted = (slice(None),) if region is None else region
    together = np.concatenate([volume[counted].ravel() for volume in (forward, backward, absolute)])
    lo, hi = np.percentile(together, (LOW_PERCENTILE, HIGH_PERCENTILE), overwrite_input=True)
    return Differences(forward, backward, absolute, (float(lo), float(hi)))
