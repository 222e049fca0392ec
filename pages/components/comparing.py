"""The parts of the page "Compare": numbers, blink, difference maps, and what is left without a stain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import streamlit as st

from labelfree_core.analysis.alignment import Pair
from labelfree_core.analysis.difference import Differences, differences
from labelfree_core.analysis.display import picture, rescale
from labelfree_core.analysis.scores import Scores, published
from labelfree_core.inference.prediction import Prediction
from labelfree_core.models.seen import training_sentence, training_use_of
from labelfree_core.models.store import ModelEntry
from labelfree_core.reports.figures import DIVERGING, coloured
from labelfree_core.reports.gif import animate, captioned
from labelfree_core.reports.panels import Bar, Panel, side_by_side
from pages.components import cached, downloads, layout, saving, showing, words
from pages.components.keeping import kept
from pages.components.session import Session
from pages.components.viewer import moved as moved_in

BLINK_SECONDS = 2.0
TITLES = {
    "observed_minus_predicted": "Observed − predicted",
    "predicted_minus_observed": "Predicted − observed",
    "absolute": "Absolute difference",
}


def numbers(found: Scores, structure: str, modality: str, *, simulated: bool) -> None:
    """Show the scores, each with what it means, beside what was published, which is for real images."""
    values = [
        ("Pearson r", found.pearson_r, "Are both bright in the same places? 1: always; 0: no relation."),
        ("SSIM", found.ssim, "Likeness of brightness, contrast and pattern nearby. 1: the same."),
        ("NRMSE", found.nrmse, "Typical error, in standard deviations of the stain. 0: none."),
        ("Dice", found.dice_otsu, "Overlap of both masks (Otsu's threshold). 1: the same."),
        ("Noise ceiling", found.ceiling, "The best r that the noise of this stain allows."),
    ]
    if not simulated:
        row = published(structure, modality)
        meaning = "What the paper reached on real images, their median."
        if row is None:
            meaning = f"The paper has no network for {structure} in {modality}."
        values.append(("Published r", math.nan if row is None else row.pearson_r, meaning))
    layout.metrics(values)


def seen_in_training(work: Session, entry: ModelEntry | None) -> None:
    """Say whether the model was trained on this very image, where its card tells."""
    image = work.image
    if entry is None or image is None or image.transmitted is None:
        return
    use = training_use_of(entry, cached.stack(image, image.transmitted))
    sentence = training_sentence(use)
    if use in ("trained", "part"):
        st.warning(words.plain(sentence), icon=":material/school:")
    elif sentence:
        st.caption(sentence)


def choose_limits(prediction: Prediction, view: str) -> bool:
    """Let the person show both images between one pair of limits, or each its own; in the viewer as well."""
    tutorial = showing.z_score(prediction)
    key = f"compare-limits-{tutorial}"
    seen = moved_in(view)
    if seen is not None and seen[0].one_scale != seen[1].one_scale:
        st.session_state[key] = seen[1].one_scale
    names = {False: "Own scales", True: "One scale"}
    picked = st.segmented_control(
        "Brightness",
        list(names),
        default=tutorial,
        format_func=names.__getitem__,
        required=True,
        key=key,
        persist_state="session",
        help="One scale: the observed image sets black and white for both, which fits where a model predicts "
        "brightness. Own scales: each image has its own black and white, which fits a model that predicts a "
        "score from 0 to 1.",
    )
    return bool(picked)


def scales(
    pair: Pair, prediction: Prediction, *, shared: bool, moved: Sequence[tuple[str, float, float]] = ()
) -> str:
    """
    Say between which limits the images are shown, as the colour bars of the viewer do.

    Parameters
    ----------
    pair : Pair
    prediction : Prediction
    shared : bool
        Whether both open between the limits of the observed image.
    moved : sequence of (name of the layer, lo, hi)
        Windows that the person changed in the viewer.

    Returns
    -------
    sentences : str
        All numbers in the unit of the colour bars.
    """
    first, second = showing.windows(pair, prediction, shared=shared)
    if moved:
        now = {name.rsplit(", ", 1)[-1]: (low, high) for name, low, high in moved}
        first, second = now.get("observed", first), now.get("predicted", second)
        why = "as set in the viewer" + ": compare shapes, not brightness" * (first != second)
    elif shared:
        why = "the 0.02 and 99.8 percentiles of the observed image"
    elif showing.is_score(prediction):
        why = "where the model's score is 0 and 1. Compare shapes, not brightness"
    else:
        why = "each between its own percentiles. Compare shapes, not brightness"
    window = "from {} to {}".format(*map(words.intensity, first))
    if first == second:
        return f"Both {window} (z-score), {why}."
    mate = "from {} to {}".format(*map(words.intensity, second))
    return f"Observed {window}, predicted {mate} (z-score), {why}."


def how(
    pair: Pair, prediction: Prediction, *, shared: bool, moved: Sequence[tuple[str, float, float]] = ()
) -> None:
    """Say between which limits the images are shown, and on request what was done to compare them."""
    st.caption(scales(pair, prediction, shared=shared, moved=moved))
    if pair.notes:
        with st.popover("What was done to compare them", icon=":material/info:", type="tertiary"):
            st.markdown("\n".join(f"- {words.plain(note)}" for note in pair.notes))


@kept()
def gif(key: tuple[str, str], shared: bool, _pair: Pair, _prediction: Prediction) -> bytes:
    """Make the two-frame GIF, 2 s a frame, with captions and a scale bar."""
    shown = zip(
        (_pair.observed, _pair.predicted),
        showing.windows(_pair, _prediction, shared=shared),
        ("observed", "predicted"),
        strict=True,
    )
    frames = [
        captioned(showing.framed(picture(voxels, window), pixel_um(_pair))[..., 0], caption)
        for voxels, window, caption in shown
    ]
    return animate(frames, seconds=BLINK_SECONDS)


def blink(frames: bytes, pair: Pair) -> None:
    """Show the GIF."""
    st.image(frames, width="stretch", alt="Observed and predicted in turn, 2 seconds each")
    what = "Maximum projections" if pair.observed.ndim == 3 else "Both images"
    st.caption(f"{what} in turn, 2 seconds each: what jumps, differs.")


def pixel_um(pair: Pair) -> float | None:
    """Return the size of a pixel, where it is known."""
    return None if pair.voxel_size_um is None else pair.voxel_size_um[-1]


@kept()
def _differences(key: tuple[str, str], shared: bool, _pair: Pair, _prediction: Prediction) -> Differences:
    if shared:
        return differences(_pair.observed, _pair.predicted, region=_pair.region)
    first, second = showing.windows(_pair, _prediction, shared=False)
    shown = rescale(_pair.observed, first), rescale(_pair.predicted, second)
    return differences(*shown, region=_pair.region)


def difference_maps(pair: Pair, prediction: Prediction, key: tuple[str, str], *, shared: bool) -> None:
    """Show the three mean projections of the differences between one pair of limits."""
    found = _differences(key, shared, pair, prediction)
    between = found.symmetric_limits
    units = "SD of the stain" if shared else "share of the scale"
    maps = {kind: coloured(values, between, DIVERGING) for kind, values in found.projections().items()}
    for column, (kind, shown) in zip(st.columns(3), maps.items(), strict=True):
        showing.picture(column, showing.framed(shown, pixel_um(pair), columns=3), TITLES[kind])
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.container(width="stretch"):
            showing.colour_bar(between, DIVERGING, units)
        save = st.container(width="content")
    panels = [Panel(shown, TITLES[kind]) for kind, shown in maps.items()]
    with save:
        draw = partial(side_by_side, panels, pixel_um(pair), bar=Bar(between, units, DIVERGING))
        saving.menu(lambda theme: draw(theme=theme), f"{downloads.stem(prediction)}_differences")
    deep = pair.observed.ndim == 3
    mean = "Mean over all planes" if deep else "The plane"
    unit = "" if shared else ", in z-scores"
    by_plane = f" “Difference” in the viewer above shows it plane by plane{unit}." if deep else ""
    rule = (
        "in standard deviations of the stain"
        if shared
        else "of what is shown, where 0 is black and 1 is white in either image"
    )
    st.caption(f"{mean}, {rule}; pale is no difference.{by_plane}")


def without_observed(work: Session, prediction: Prediction) -> None:
    """Say that there is nothing to compare with, and what does work."""
    image = work.image
    assert image is not None
    if image.observed:
        st.info(f"No channel is known to show {words.plain(prediction.structure)}. Choose one above.")
    else:
        st.info(
            "This file holds no observed stain, so the prediction can't be compared with one. What works: "
            "look at it beside the transmitted light on Predict, make masks of it on Masks, and judge the "
            "model by the held-out scores on Models. To check it on your microscope, stain a few fields and "
            "open them here."
        )
    with st.container(horizontal=True):
        st.page_link("pages/predict.py", label="Look at it on Predict", icon=":material/auto_awesome:")
        st.page_link("pages/masks.py", label="Make masks", icon=":material/gradient:")
        st.page_link("pages/models.py", label="Read the model's card", icon=":material/menu_book:")
