"""The sentences of the trust panel: what a number means for the person who wants to measure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labelfree_core.analysis.published import Published
from labelfree_core.images.finding import Finding
from labelfree_core.models.card import Score, reached
from labelfree_core.models.seen import training_sentence

if TYPE_CHECKING:
    from labelfree_core.analysis.calibration import Calibration

# Views that disagree by more than this share of the contrast: round numbers, chosen and not measured.
CALM, RESTLESS = 0.35, 0.7
# A model below this r on fields it never saw is to be checked, however familiar the image.
_WEAK_R = 0.5
_SIDE_UM = 3.0


LEVELS = ("green", "amber", "red")


@dataclass(frozen=True, slots=True)
class Note:
    """
    One thing that was found: how bad it is, its cause in a few plain words, and the sentence with its number.

    ``cause`` fits after "because" and is empty for what never decides a level; ``topic`` is ``"file"`` for
    what the file doctor found, ``"training"`` for what training did with this image, ``"stain"`` for what was
    learnt from its stain.
    """

    level: str
    cause: str
    sentence: str
    topic: str = ""


def verdict(notes: Sequence[Note]) -> tuple[str, str]:
    """
    Sum up all notes: the worst level, and one sentence that a first-year student understands.

    Examples
    --------
    >>> verdict([Note("green", "", "Sharp."), Note("amber", "the image looks unusual", "Far off.")])
    ('amber', 'Look, but do not measure yet, because the image looks unusual. Compare with a stain first.')
    >>> verdict([])[0]
    'green'
    """
    level = max((note.level for note in notes), key=LEVELS.index, default="green")
    causes = list(dict.fromkeys(note.cause for note in notes if note.level == level and note.cause))
    because = f", because {' and '.join(causes[:2])}" if causes else ""
    if level == "red":
        return level, f"Do not use this prediction{because}."
    if level == "amber":
        known = any(note.level == level and note.topic == "training" for note in notes)
        advice = "Judge the model by an image that it never saw." if known else "Compare with a stain first."
        return level, f"Look, but do not measure yet{because}. {advice}"
    return level, "Nothing speaks against this prediction: no check found a problem."


def of_findings(findings: Sequence[Finding]) -> list[Note]:
    """
    Turn what the file doctor found into notes.

    A severe finding makes red, an improbable or distant voxel size amber; other warnings are told and
    leave the level to the familiarity, which measures what they suspect.

    Examples
    --------
    >>> of_findings([Finding("focus", "ok", "Sharp."), Finding("stripes", "severe", "Bad.")])
    [Note(level='red', cause='something is wrong with the image (stripes)', sentence='Bad.', topic='file')]
    """
    order = ("severe", "warning")
    notes = []
    for finding in sorted((f for f in findings if f.level in order), key=lambda f: order.index(f.level)):
        size = finding.name == "voxel size"
        level = "red" if finding.level == "severe" else "amber" if size else "green"
        cause = f"something is wrong with the image ({finding.name})"
        if size:
            cause = "its pixel size is unknown or does not suit the model"
        told = " ".join(part for part in (finding.what, finding.effect, finding.advice) if part)
        notes.append(Note(level, cause, told, "file"))
    resampled = [f.what for f in findings if f.name == "voxel size" and f.level in ("ok", "note")]
    return notes + [Note("green", "", sentence) for sentence in resampled]


def of_scores(scores: Sequence[Score]) -> Note:
    """
    Say how good the model itself is: a familiar image makes no weak model strong.

    Examples
    --------
    >>> of_scores((Score("fields", "pearson_r", 6, 0.68, 0.56, 0.79),)).sentence
    'On 6 images held out from its training the model reached r 0.68 (0.56 to 0.79).'
    """
    best = reached(scores, "pearson_r")
    if best is None or best.simulated:
        sentence = "The model has no score on a real image it never saw: check it against a stain first."
        if best is not None:
            sentence = f"On simulated images the model reached r {best.median:.2f}. {sentence}"
        return Note("amber", "nobody has measured how good this model is on real images", sentence)
    images = f"{best.n} image{'s' if best.n != 1 else ''}"
    sentence = f"On {images} held out from its training the model reached r {best.median:.2f}"
    sentence += f" ({best.lowest:.2f} to {best.highest:.2f})." if best.n > 1 else "."
    if best.median < _WEAK_R:
        sentence = f"{sentence} That is weak: check against a stain before measuring."
        return Note("amber", "the model is often wrong, also on images of its own kind", sentence)
    return Note("green", "", sentence)


def of_training(use: str) -> list[Note]:
    """
    Say what training did with this very image: one that the model knows by heart proves nothing.

    Examples
    --------
    >>> [note.level for use in ("trained", "held-out", "unknown") for note in of_training(use)]
    ['amber', 'green']
    """
    said = training_sentence(use)
    level = "amber" if use in ("trained", "part") else "green"
    cause = "the model was trained on this very image, so that agreement proves nothing"
    return [Note(level, cause, said, "training")] if said else []


def of_familiarity(familiarity: float, level: str) -> Note:
    """Say what a familiarity means."""
    number = f"(familiarity {familiarity:.2f}; 1 is like the training images, below 0.5 is unusual)"
    cause = "the image does not look like those the model learned from"
    if level == "green":
        sentence = f"The image looks like those the model was trained on {number}."
    elif level == "amber":
        cause = "the image looks a little unlike those the model learned from"
        sentence = (
            f"The image is unlike most training images of the model {number}. Check focus, contrast and "
            "voxel size, and compare with a stain before measuring."
        )
    else:
        sentence = (
            f"The model has seen nothing like this image {number}: another kind of image, focus, cells or "
            "scale. Do not use the prediction without a stain to check it."
        )
    return Note(level, cause, sentence)


def of_few_fields(fields: int) -> Note:
    """
    Say that a familiarity rests on little; the level stays as it is.

    Examples
    --------
    >>> of_few_fields(6).level
    'green'
    """
    sentence = (
        f"What this model knows was judged by {fields} fields only, so that a sound image of the same cells "
        "may look unusual to it."
    )
    return Note("green", "", sentence)


def of_spread(disagreement: float, expected_error: float | None, units: str) -> Note:
    """Say what the disagreement of the views means; the level is green or amber."""
    found = f"Flipped and rotated views of the image disagree by {disagreement:.0%} of the contrast"
    if not math.isfinite(disagreement):
        sentence = "The prediction is flat: nothing was found in the image."
        return Note("amber", "the model found nothing in the image", sentence)
    if expected_error is None:
        found += "; what error that means is not calibrated for this model"
    else:
        found += f", which has meant an error of {expected_error:.2f} ({units}) on fields it never saw"
    if disagreement > RESTLESS:
        cause = "the model changes its mind when the image is turned"
        return Note("amber", cause, f"{found}: the model is guessing.")
    rest = "." if disagreement <= CALM else ": look at the map before measuring."
    return Note("green", "", found + rest)


def of_calibration(fitted: Calibration | None) -> tuple[Note, ...]:
    """Say how the expected error was found, where the model keeps a word about that."""
    if fitted is None or not fitted.note:
        return ()
    return (Note("green", "", f"How the expected error was found: {fitted.note}."),)


def against_stain(
    r: float, ceiling: float, row: Published | None, *, painted: bool = False, simulated: bool = False
) -> Note:
    """
    Say how a prediction did against its stain, beside the noise ceiling and the paper.

    Parameters
    ----------
    r, ceiling : float
        *ceiling* is NaN where it can't be judged.
    row : Published or None
        What the paper reached for the structure.
    painted : bool
        Whether the stain is a segmentation.
    simulated : bool
        Whether the image was never seen by a microscope: then what the paper reached is no measure for it.

    Examples
    --------
    >>> row = Published("DNA", 0.65, 0.99)
    >>> against_stain(0.66, 0.97, row).sentence[:74]
    'Against the stain of this image r is 0.66, 68% of the 0.97 that its noise '
    """
    what = "segmentation" if painted else "stain"
    sentence = f"Against the {what} of this image r is {r:.2f}"
    if math.isfinite(ceiling) and ceiling > 0:
        sentence += f", {r / ceiling:.0%} of the {ceiling:.2f} that its noise allows"
    elif not painted:
        sentence += "; how much its noise allows could not be told"
    sentence += "."
    if simulated:
        sentence += (
            " This image is simulated, which is easier to predict than a real one: expect less on real cells."
        )
    elif row is not None:
        gap = r - row.pearson_r
        than = "less than" if gap < -0.05 else "more than" if gap > 0.05 else "about"
        kept = " against real stains" if painted else ""
        sentence += f" That is {than} what the paper reached for {row.structure}{kept} ({row.pearson_r:.2f})."
    level = "green" if r >= 0.4 else "amber" if r >= 0.2 else "red"
    return Note(level, f"it hardly matches the {what} of this very image", sentence, "stain")


def of_objects(matched: int, missed: int, extra: int, *, inside: str = "") -> Note:
    """
    Say how many objects of the stain were found; amber where more were missed, or invented, than found.

    Examples
    --------
    >>> of_objects(22, 8, 3).sentence[:76]
    'Of 30 objects in the stain 22 were found (IoU 0.5: at least half in common) '
    """
    total = matched + missed
    found = f"Of {total} objects in the stain{inside} {matched} were found (IoU 0.5: at least half in common)"
    level = "amber" if max(missed, extra) > matched else "green"
    cause = "of the objects in the stain of this very image fewer were found than missed or invented"
    return Note(level, cause, f"{found} and {missed} missed; {extra} predicted ones are not in it.", "stain")


def where_views_disagree(mean: np.ndarray, *, calibrated: bool) -> Callable[[tuple[int, ...], float], str]:
    """Make the sentence for a place where the views disagree."""
    high = float(np.percentile(mean, 95))

    def why(at: tuple[int, ...], value: float) -> str:
        kind = f"an error of {value:.2f} is to be expected" if calibrated else f"they differ by {value:.2f}"
        where = "in a bright structure" if mean[at] >= high else "where little is predicted"
        return f"Views of this place disagree {where}: {kind}."

    return why


def where_it_differs(
    observed: np.ndarray,
    predicted: np.ndarray,
    voxel_size_um: tuple[float, ...],
    thresholds: tuple[float, float],
) -> Callable[[tuple[int, ...], float], str]:
    """Make the sentence for a place where z-scored stain and prediction differ, by their thresholds."""

    def why(at: tuple[int, ...], value: float) -> str:
        around = tuple(
            slice(max(0, i - round(_SIDE_UM / 2 / s)), i + round(_SIDE_UM / 2 / s) + 1)
            for i, s in zip(at, voxel_size_um, strict=True)
        )
        seen, drawn = float(observed[around].mean()), float(predicted[around].mean())
        dark = drawn < seen
        numbers = f"Predicted too {'dark' if dark else 'bright'} (z-score {drawn:.1f}, observed {seen:.1f})"
        stained, marked = seen > thresholds[0], drawn > thresholds[1]
        if stained != marked:
            missed = "a structure may be missed, such as a cell in division"
            return f"{numbers}: {missed if stained else 'nothing of the kind is in the stain'}."
        return f"{numbers}: {'the structure is in both' if stained else 'no structure is in either'}."

    return why
