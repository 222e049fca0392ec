"""What is known about how far to believe one prediction: the level, its reasons, numbers and maps."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np

from labelfree_core.analysis.calibration import Calibration
from labelfree_core.analysis.opinion import Opinion
from labelfree_core.analysis.regions import Region
from labelfree_core.analysis.spread import Spread
from labelfree_core.analysis.verdicts import LEVELS, Note, verdict


@dataclass(frozen=True, slots=True, eq=False)
class TrustReport:
    """
    What is known about how far to believe one prediction.

    Parameters
    ----------
    notes : tuple of Note
        Everything that was found, in the order it was looked at.
    training_use : str
        What the model's training did with this very image, see
        :func:`labelfree_core.models.seen.training_use`.
    familiarity : float or None
        0 (strange) to 1 (like the training images); None where the model keeps no familiarity file, or
        the image can't be prepared for it.
    disagreement : float or None
        Root mean square over the views, as a share of the prediction's contrast.
    spread : Spread or None
        The map behind it.
    expected_error : float or None
        Root mean square error to be expected, in *units*; None where the model is not calibrated.
    expected_error_map : float32 array or None
        The same for each voxel of the spread's grid.
    calibration : Calibration or None
    pearson_r, ceiling, r_of_ceiling : float or None
        Against the observed channel, where there is one.
    published_r : float or None
        What the paper reached for this structure.
    share : float or None
        Of the field that the stain was compared in; below 1 inside a region of interest.
    regions : tuple of Region
        The worst first.
    opinion : Opinion or None
        How another model of the same structure agrees, where one was asked.
    units : str
        Of the prediction.
    """

    notes: tuple[Note, ...] = ()
    training_use: str = "unknown"
    familiarity: float | None = None
    disagreement: float | None = None
    spread: Spread | None = None
    expected_error: float | None = None
    expected_error_map: np.ndarray | None = None
    calibration: Calibration | None = None
    pearson_r: float | None = None
    ceiling: float | None = None
    r_of_ceiling: float | None = None
    published_r: float | None = None
    share: float | None = None
    regions: tuple[Region, ...] = ()
    opinion: Opinion | None = None
    units: str = ""

    @property
    def level(self) -> str:
        """Return ``"green"``, ``"amber"`` or ``"red"``: the worst of all that was found."""
        return verdict(self.notes)[0]

    @property
    def verdict(self) -> str:
        """What the level means and what decided it, in one sentence without technical words."""
        return verdict(self.notes)[1]

    @property
    def blocked(self) -> bool:
        """Whether the image can't be predicted, so that nothing was run."""
        return any(note.level == "red" and note.topic == "file" for note in self.notes)

    @property
    def ordered(self) -> tuple[Note, ...]:
        """All notes, the worst first."""
        return tuple(sorted(self.notes, key=lambda note: -LEVELS.index(note.level)))

    @property
    def reasons(self) -> tuple[str, ...]:
        """Plain sentences with their numbers, the worst first."""
        return tuple(note.sentence for note in self.ordered)

    def as_dict(self) -> dict[str, object]:
        """Return everything but the maps as JSON-ready values; what has no number is None."""
        calibration, views = self.calibration, self.spread
        numbers = {
            name: None if (value := getattr(self, name)) is None or not math.isfinite(value) else value
            for name in ("familiarity", "expected_error", "pearson_r", "ceiling", "r_of_ceiling", "share")
        }
        return {
            "level": self.level,
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "training_use": self.training_use,
            **numbers,
            "published_r": self.published_r,
            "spread": None
            if views is None
            else {"disagreement": self.disagreement, "views": views.views, "share_of_area": views.share},
            "calibrated": calibration is not None,
            "regions": [asdict(region) for region in self.regions],
            "second": None if self.opinion is None else self.opinion.as_dict(),
            "units": self.units,
        }
