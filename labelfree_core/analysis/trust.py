"""How far to believe a prediction: what speaks for it, what against it, and where to look."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from labelfree_core.analysis.against import Against, Evidence, against
from labelfree_core.analysis.calibration import Calibration, load_calibration
from labelfree_core.analysis.familiarity import features_of, load_familiarity
from labelfree_core.analysis.familiarity import level as level_of
from labelfree_core.analysis.opinion import (
    Opinion,
    compare_opinions,
    kinship,
    of_opinion,
    second_model,
)
from labelfree_core.analysis.published import published
from labelfree_core.analysis.regions import Grid, worst_regions
from labelfree_core.analysis.spread import Spread, spread
from labelfree_core.analysis.trustreport import TrustReport
from labelfree_core.analysis.verdicts import (
    LEVELS,
    Note,
    of_calibration,
    of_familiarity,
    of_few_fields,
    of_findings,
    of_scores,
    of_spread,
    of_training,
    where_views_disagree,
)
from labelfree_core.errors import ImageError
from labelfree_core.images.health import examine
from labelfree_core.images.stack import ImageStack
from labelfree_core.images.voxelsize import judge
from labelfree_core.inference.options import PredictOptions, ProgressCallback
from labelfree_core.inference.predict import predict
from labelfree_core.inference.prediction import Prediction
from labelfree_core.models.card import ModelCard
from labelfree_core.models.seen import training_use_of
from labelfree_core.models.store import ModelEntry, find_model

# So few fields do not show all that is usual.
FEW_FIELDS = 10

__all__ = ["LEVELS", "Evidence", "TrustOptions", "TrustReport", "trust"]


@dataclass(frozen=True, slots=True)
class TrustOptions:
    """
    How thoroughly to look.

    ``extent`` of the spread: ``"fast"`` (about the time of one prediction), ``"full"`` or ``"none"``;
    ``predict`` says on which device, and with how much memory; ``views`` is a spread that is there already;
    ``second`` is another model of the same structure to ask, or its opinion that is there already.
    """

    extent: str = "fast"
    predict: PredictOptions = field(default_factory=PredictOptions)
    views: Spread | None = None
    second: ModelEntry | Opinion | str | None = None


def trust(
    stack: ImageStack,
    model: ModelEntry | str,
    *,
    observed: Evidence | ImageStack | None = None,
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
    observed : ImageStack or Evidence, optional
        The stain of the same field; with where it is known, and a prediction that is there already. Else
        one is made to hold against it.
    options : TrustOptions, optional
    progress : callable, optional
        As for a prediction.

    Returns
    -------
    report : TrustReport
        Also for an image that can't be predicted: then it is red and says why.

    Raises
    ------
    ModelError
        If there is no such model, or the second one is no match for it.

    Examples
    --------
    >>> import labelfree_core as lf
    >>> stack = lf.open_image("cells.ome.tif").read(channel=3)  # doctest: +SKIP
    >>> lf.trust(stack, "dna-brightfield-3d").level  # doctest: +SKIP
    'green'
    """
    entry = model if isinstance(model, ModelEntry) else find_model(model)
    card, options = entry.card, options or TrustOptions()
    second = options.second
    if second is not None and not isinstance(second, Opinion):
        second = second_model(entry, second)
    row = published(card.structure, card.modality)
    report = TrustReport(
        _examined(stack, card),
        training_use_of(card, stack),
        published_r=None if row is None else row.pearson_r,
        units=card.units,
    )
    if report.blocked:
        return report
    report = _noting(report, *of_training(report.training_use), of_scores(card.scores))
    report = _with_familiarity(report, stack, entry)
    views = options.views
    if views is None and options.extent != "none":
        views = spread(stack, entry, extent=options.extent, options=options.predict, progress=progress)
    if views is not None:
        report = _with_spread(report, views, stack, load_calibration(entry.folder, card))
    given = Evidence(observed) if isinstance(observed, ImageStack) else observed
    made = None if given is None else given.prediction
    if made is None and (given is not None or isinstance(second, ModelEntry)):
        made = predict(stack, entry, options=options.predict, progress=progress)
    if made is not None and isinstance(second, ModelEntry):
        other = predict(stack, second, options=options.predict, progress=progress)
        second = compare_opinions(made, other, kin=kinship(card, second.card))
    if isinstance(second, Opinion):
        report = replace(_noting(report, of_opinion(second)), opinion=second)
    if given is None or made is None:
        return report
    try:
        return _with_evidence(report, against(given, made, row, _size_like(stack, made)))
    except ImageError as problem:  # a flat prediction is a finding about it, and no reason to say nothing
        sentence = f"Stain and prediction could not be compared: {problem}"
        return _noting(report, Note("amber", "it could not be compared with the stain", sentence))


def _examined(stack: ImageStack, card: ModelCard) -> tuple[Note, ...]:
    """Ask the file doctor, and whether the voxel size suits the model."""
    size = judge(stack.voxel_size_um, card.voxel_size_um)
    return tuple(of_findings((size, *examine(stack, expected=card.modality))))


def _with_familiarity(report: TrustReport, stack: ImageStack, entry: ModelEntry) -> TrustReport:
    fitted = load_familiarity(entry.folder, entry.card)
    if fitted is None:
        sentence = (
            f"Whether '{entry.card.id}' has seen images like this one is not known: it keeps no "
            "familiarity file. A training from five or more fields makes one."
        )
        return _noting(report, Note("amber", "nobody has measured which images this model knows", sentence))
    try:
        found = fitted.familiarity(features_of(stack, entry.card))
    except ImageError as problem:  # a flat plane among the ones looked at
        sentence = f"How familiar the image is could not be told: {problem}"
        return _noting(report, Note("amber", "the image could not be examined", sentence))
    report = replace(_noting(report, of_familiarity(found, level_of(found))), familiarity=found)
    return report if fitted.fields > FEW_FIELDS else _noting(report, of_few_fields(fitted.fields))


def _with_spread(
    report: TrustReport, views: Spread, stack: ImageStack, calibration: Calibration | None
) -> TrustReport:
    errors = None if calibration is None else calibration.expected_error(views.map)
    typical = None if errors is None else float(np.sqrt(np.square(errors, dtype=np.float64).mean()))
    regions = worst_regions(
        views.map if errors is None else errors,
        Grid(views.voxel_size_um, views.offset_um, _size_like(stack, views)),
        where_views_disagree(views.mean, calibrated=errors is not None),
    )
    report = _noting(report, of_spread(views.typical, typical, report.units), *of_calibration(calibration))
    return replace(
        report,
        disagreement=views.typical,
        spread=views,
        expected_error=typical,
        expected_error_map=errors,
        calibration=calibration,
        regions=regions,
    )


def _with_evidence(report: TrustReport, found: Against) -> TrustReport:
    return replace(
        _noting(report, *found.notes),
        pearson_r=found.pearson_r,
        ceiling=found.ceiling,
        r_of_ceiling=found.pearson_r / found.ceiling if found.ceiling > 0 else float("nan"),
        share=found.share,
        regions=(*found.regions, *report.regions[:2]),
    )


def _noting(report: TrustReport, *notes: Note) -> TrustReport:
    return replace(report, notes=(*report.notes, *notes))


def _size_like(stack: ImageStack, like: Spread | Prediction) -> tuple[float, ...]:
    """Voxel size of the image with as many axes as what was predicted from it."""
    size, fallback = stack.voxel_size_um or like.voxel_size_um, like.voxel_size_um
    ndim = len(fallback)
    return size[-ndim:] if len(size) >= ndim else (fallback[0], *size)
