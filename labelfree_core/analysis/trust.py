"""How far to believe a prediction: what speaks for it, what against it, and where to look."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from labelfree_core.analysis.alignment import Pair, comparable
from labelfree_core.analysis.calibration import Calibration, load_calibration
from labelfree_core.analysis.familiarity import level as level_of
from labelfree_core.analysis.familiarity import load_familiarity, look, texture
from labelfree_core.analysis.masks import mask
from labelfree_core.analysis.matching import match
from labelfree_core.analysis.noise import ceiling
from labelfree_core.analysis.objects import label
from labelfree_core.analysis.published import published
from labelfree_core.analysis.regions import Grid, Region, worst_regions
from labelfree_core.analysis.scores import pearson_r
from labelfree_core.analysis.spread import Spread, spread
from labelfree_core.analysis.verdicts import (
    counted,
    observed_reasons,
    of_familiarity,
    of_findings,
    of_scores,
    of_spread,
    where_it_differs,
    where_views_disagree,
)
from labelfree_core.errors import ImageError
from labelfree_core.images.health import examine
from labelfree_core.images.stack import ImageStack
from labelfree_core.images.voxelsize import judge
from labelfree_core.inference.options import PredictOptions, ProgressCallback
from labelfree_core.inference.predict import predict
from labelfree_core.inference.prediction import Prediction
from labelfree_core.models.store import ModelEntry, find_model

LEVELS = ("green", "amber", "red")
# Smaller blobs of a mask are specks and no objects to count.
LEAST_OBJECT_UM = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class TrustReport:
    """
    What is known about how far to believe one prediction.

    Parameters
    ----------
    level : str
        ``"green"``, ``"amber"`` or ``"red"``: the worst of familiarity, voxel size and the file doctor.
    reasons : tuple of str
        Plain sentences, the most important first.
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
    regions : tuple of Region
        The worst first.
    units : str
        Of the prediction.
    """

    level: str
    reasons: tuple[str, ...]
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
    regions: tuple[Region, ...] = ()
    units: str = ""

    def as_dict(self) -> dict[str, object]:
        """Return everything but the maps as JSON-ready values; what has no number is None."""
        calibration, views = self.calibration, self.spread
        numbers = {
            name: None if (value := getattr(self, name)) is None or not math.isfinite(value) else value
            for name in ("familiarity", "expected_error", "pearson_r", "ceiling", "r_of_ceiling")
        }
        return {
            "level": self.level,
            "reasons": list(self.reasons),
            **numbers,
            "published_r": self.published_r,
            "spread": None
            if views is None
            else {"disagreement": self.disagreement, "views": views.views, "share_of_area": views.share},
            "calibrated": calibration is not None,
            "regions": [asdict(region) for region in self.regions],
            "units": self.units,
        }


@dataclass(frozen=True, slots=True)
class TrustOptions:
    """
    How thoroughly to look.

    ``extent`` of the spread: ``"fast"`` (about the time of one prediction), ``"full"`` or ``"none"``;
    ``predict`` says on which device, and with how much memory.
    """

    extent: str = "fast"
    predict: PredictOptions = field(default_factory=PredictOptions)


def trust(
    stack: ImageStack,
    model: ModelEntry | str,
    *,
    observed: ImageStack | None = None,
    prediction: Prediction | None = None,
    options: TrustOptions | None = None,
    progress: ProgressCallback | None = None,
) -> TrustReport:
    """
    Judge how far a prediction of *model* from *stack* can be believed.

    Parameters
    ----------
    stack : ImageStack
        The transmitted-light image, as it was taken.
    model : ModelEntry or str
    observed : ImageStack, optional
        The stain of the same field.
    prediction : Prediction, optional
        One that is there already; else one is made where *observed* is given.
    options : TrustOptions, optional
    progress : callable, optional
        As for a prediction.

    Returns
    -------
    report : TrustReport
        Also for an image that can't be predicted: then it is red and says why.

    Examples
    --------
    >>> import labelfree_core as lf
    >>> stack = lf.open_image("cells.ome.tif").read(channel=3)  # doctest: +SKIP
    >>> trust(stack, "dna-brightfield-3d").level  # doctest: +SKIP
    'green'
    """
    entry = model if isinstance(model, ModelEntry) else find_model(model)
    card, options = entry.card, options or TrustOptions()
    size = judge(stack.voxel_size_um, card.voxel_size_um)
    expected = "bright-field" if card.modality == "bright-field" else card.modality
    level, reasons = of_findings((size, *examine(stack, expected=expected)))
    row = published(card.structure, card.modality)
    report = TrustReport(level, reasons, units=card.units, published_r=None if row is None else row.pearson_r)
    if level == "red":
        return report
    report = _noting(report, *of_scores(card.scores))
    report = _with_familiarity(report, stack, entry)
    if options.extent != "none":
        views = spread(stack, entry, extent=options.extent, options=options.predict, progress=progress)
        report = _with_spread(report, views, stack, load_calibration(entry.folder, card))
    if observed is not None:
        if prediction is None:
            prediction = predict(stack, entry, options=options.predict, progress=progress)
        report = _with_observed(report, observed, prediction, stack)
    return report


def _with_familiarity(report: TrustReport, stack: ImageStack, entry: ModelEntry) -> TrustReport:
    fitted = load_familiarity(entry.folder, entry.card)
    if fitted is None:
        sentence = (
            f"Whether '{entry.card.id}' has seen images like this one is not known: it keeps no "
            "familiarity file."
        )
        return _noting(report, "amber", sentence)
    try:
        found = fitted.familiarity(texture(look(stack, entry.card)))
    except ImageError as problem:  # a flat plane among the ones looked at
        return _noting(report, "amber", f"How familiar the image is could not be told: {problem}")
    grade = level_of(found)
    return replace(_noting(report, grade, of_familiarity(found, grade)), familiarity=found)


def _with_spread(
    report: TrustReport, views: Spread, stack: ImageStack, calibration: Calibration | None
) -> TrustReport:
    errors = None if calibration is None else calibration.expected_error(views.map)
    typical = None if errors is None else float(np.sqrt(np.square(errors, dtype=np.float64).mean()))
    grade, sentence = of_spread(views.typical, typical, report.units)
    regions = worst_regions(
        views.map if errors is None else errors,
        Grid(views.voxel_size_um, views.offset_um, _size_like(stack, views.map.ndim, views.voxel_size_um)),
        where_views_disagree(views.mean, calibrated=errors is not None),
    )
    report = _noting(report, grade, sentence)
    if calibration is not None and calibration.note:
        report = _noting(report, "green", calibration.note)
    return replace(
        report,
        disagreement=views.typical,
        spread=views,
        expected_error=typical,
        expected_error_map=errors,
        calibration=calibration,
        regions=regions,
    )


def _with_observed(
    report: TrustReport, observed: ImageStack, prediction: Prediction, stack: ImageStack
) -> TrustReport:
    pair = comparable(observed, prediction.stack)
    r, limit = pearson_r(pair.observed, pair.predicted), ceiling(observed.voxels)
    share = r / limit if limit > 0 else float("nan")
    size = pair.voxel_size_um or prediction.voxel_size_um
    error = pair.predicted - pair.observed
    smooth = np.abs(error)
    regions = worst_regions(
        smooth,
        Grid(size, (0.0,) * smooth.ndim, _size_like(stack, smooth.ndim, size)),
        where_it_differs(pair.observed, pair.predicted, size),
    )
    grade, sentences = observed_reasons(r, limit, report.published_r)
    report = replace(
        report, pearson_r=r, ceiling=limit, r_of_ceiling=share, regions=(*regions, *report.regions[:2])
    )
    for sentence in (*sentences, _counted(pair, size)):
        report = _noting(report, grade, sentence)
    return report


def _counted(pair: Pair, size_um: tuple[float, ...]) -> str:
    """Count the objects above Otsu's threshold that both, or one of the two, have."""
    least = max(8, round(float(np.pi / 6 * LEAST_OBJECT_UM ** len(size_um) / np.prod(size_um))))
    labels = [label(mask(voxels), min_voxels=least) for voxels in (pair.observed, pair.predicted)]
    found = match(*labels)
    return counted(len(found.pairs), len(found.missed), len(found.extra))


def _noting(report: TrustReport, level: str, sentence: str) -> TrustReport:
    worst = max(report.level, level, key=LEVELS.index)
    return replace(report, level=worst, reasons=(*report.reasons, sentence))


def _size_like(stack: ImageStack, ndim: int, fallback: tuple[float, ...]) -> tuple[float, ...]:
    size = stack.voxel_size_um or fallback
    return size[-ndim:] if len(size) >= ndim else (fallback[0], *size)
