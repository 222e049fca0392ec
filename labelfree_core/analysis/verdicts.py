"""The sentences of the trust panel: what a number means for the person who wants to measure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from labelfree_core.images.finding import Finding
from labelfree_core.models.card import Score

# Views that disagree by more than this share of the contrast: round numbers, chosen and not measured.
CALM, RESTLESS = 0.35, 0.7
# A model below this r on fields it never saw is to be checked, however familiar the image.
_WEAK_R = 0.5
_SIDE_UM = 3.0


def of_findings(findings: Sequence[Finding]) -> tuple[str, tuple[str, ...]]:
    """
    Turn what the file doctor found into a level and sentences.

    A severe finding makes red, an improbable or distant voxel size amber; other warnings are told and
    leave the level to the familiarity, which measures what they suspect.

    Examples
    --------
    >>> of_findings([Finding("focus", "ok", "Sharp."), Finding("stripes", "severe", "Stripes.", "Bad.")])
    ('red', ('Stripes. Bad.',))
    """
    order = ("severe", "warning")
    told = sorted((f for f in findings if f.level in order), key=lambda f: order.index(f.level))
    level = "green"
    for finding in told:
        colour = "amber" if finding.name == "voxel size" else "green"
        colour = "red" if finding.level == "severe" else colour
        level = max(level, colour, key=("green", "amber", "red").index)
    sentences = [" ".join(part for part in (f.what, f.effect, f.advice) if part) for f in told]
    resampled = [f.what for f in findings if f.name == "voxel size" and f.level in ("ok", "note")]
    return level, (*sentences, *resampled)


def of_scores(scores: Sequence[Score]) -> tuple[str, str]:
    """
    Say how good the model itself is: a familiar image makes no weak model strong.

    Examples
    --------
    >>> of_scores((Score("fields", "pearson_r", 6, 0.68, 0.56, 0.79),))
    ('green', 'On 6 images held out from its training the model reached r 0.68 (0.56 to 0.79).')
    """
    found = [score for score in scores if score.metric == "pearson_r"]
    if not found:
        return "amber", "The model has no score on an image it never saw: check it against a stain first."
    best = found[0]
    images = f"{best.n} image{'s' if best.n != 1 else ''}"
    sentence = f"On {images} held out from its training the model reached r {best.median:.2f}"
    sentence += f" ({best.lowest:.2f} to {best.highest:.2f})." if best.n > 1 else "."
    if best.median < _WEAK_R:
        return "amber", f"{sentence} That is weak: check against a stain before measuring."
    return "green", sentence


def of_familiarity(familiarity: float, level: str) -> str:
    """Say what a familiarity means."""
    number = f"(familiarity {familiarity:.2f}; 1 is like the training images, below 0.5 is unusual)"
    if level == "green":
        return f"The image looks like those the model was trained on {number}."
    if level == "amber":
        return (
            f"The image is unlike most training images of the model {number}. Check focus, contrast and "
            "voxel size, and compare with a stain before measuring."
        )
    return (
        f"The model has seen nothing like this image {number}: another kind of image, focus, cells or scale. "
        "Do not use the prediction without a stain to check it."
    )


def of_spread(disagreement: float, expected_error: float | None, units: str) -> tuple[str, str]:
    """Say what the disagreement of the views means; the level is green or amber."""
    found = f"Flipped and rotated views of the image disagree by {disagreement:.0%} of the contrast"
    if not math.isfinite(disagreement):
        return "amber", "The prediction is flat: nothing was found in the image."
    if expected_error is None:
        found += "; what error that means is not calibrated for this model"
    else:
        found += f", which has meant an error of {expected_error:.2f} ({units}) on fields it never saw"
    if disagreement > RESTLESS:
        return "amber", f"{found}: the model is guessing."
    return "green", f"{found}." if disagreement <= CALM else f"{found}: look at the map before measuring."


def observed_reasons(r: float, ceiling: float, published_r: float | None) -> tuple[str, tuple[str, ...]]:
    """
    Say how a prediction did against its stain, beside the noise ceiling and the paper.

    Examples
    --------
    >>> observed_reasons(0.66, 0.97, 0.65)[1][0]
    'Against the stain r is 0.66, 68% of the 0.97 that the noise of the dye image allows.'
    """
    sentences = [f"Against the stain r is {r:.2f}; how much its noise allows could not be told."]
    if math.isfinite(ceiling) and ceiling > 0:
        share = f"{r / ceiling:.0%} of the {ceiling:.2f} that the noise of the dye image allows"
        sentences = [f"Against the stain r is {r:.2f}, {share}."]
    if published_r is not None:
        than = "less than" if r < published_r - 0.05 else "more than" if r > published_r + 0.05 else "about"
        sentences.append(f"That is {than} the {published_r:.2f} which the paper reached for this structure.")
    return ("green" if r >= 0.4 else "amber" if r >= 0.2 else "red"), tuple(sentences)


def counted(matched: int, missed: int, extra: int) -> str:
    """
    Say how many objects of the stain were found.

    Examples
    --------
    >>> counted(22, 8, 3)
    'Of 30 objects in the stain 22 were found (IoU 0.5), 8 were missed; 3 predicted ones are not in it.'
    """
    total = matched + missed
    found = f"Of {total} objects in the stain {matched} were found (IoU 0.5), {missed} were missed"
    return f"{found}; {extra} predicted ones are not in it."


def where_views_disagree(mean: np.ndarray, *, calibrated: bool) -> Callable[[tuple[int, ...], float], str]:
    """Make the sentence for a place where the views disagree."""
    high = float(np.percentile(mean, 95))

    def why(at: tuple[int, ...], value: float) -> str:
        kind = f"an error of {value:.2f} is to be expected" if calibrated else f"they differ by {value:.2f}"
        where = "in a bright structure" if mean[at] >= high else "where little is predicted"
        return f"Views of this place disagree {where}: {kind}."

    return why


def where_it_differs(
    observed: np.ndarray, predicted: np.ndarray, voxel_size_um: tuple[float, ...]
) -> Callable[[tuple[int, ...], float], str]:
    """Make the sentence for a place where prediction and stain differ."""

    def why(at: tuple[int, ...], value: float) -> str:
        around = tuple(
            slice(max(0, i - round(_SIDE_UM / 2 / s)), i + round(_SIDE_UM / 2 / s) + 1)
            for i, s in zip(at, voxel_size_um, strict=True)
        )
        seen, drawn = float(observed[around].mean()), float(predicted[around].mean())
        numbers = f"(observed {seen:.1f}, predicted {drawn:.1f})"
        if drawn < seen:
            return f"Predicted too dark {numbers}: a structure may be missed, such as a cell in division."
        return f"Predicted too bright {numbers}: nothing of the kind is in the stain."

    return why
