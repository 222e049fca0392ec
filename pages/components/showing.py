"""Layers for the viewer, pictures for the pages, and which observed channel belongs to which prediction."""

from __future__ import annotations

from collections import Counter

import numpy as np
import streamlit as st

from labelfree_core.analysis.alignment import Pair
from labelfree_core.analysis.display import Limits, limits, own_limits
from labelfree_core.errors import ImageError
from labelfree_core.images.stack import ImageStack
from labelfree_core.inference.prediction import Prediction
from labelfree_core.reports.figures import coloured, with_scale_bar
from pages.components import cached, words
from pages.components.opening import OF_SEGMENTATION, SEGMENTATION
from pages.components.session import Opened, Session
from pages.components.viewer import Layer

# The page is about so wide, the viewer's controls so high.
PAGE_PX, CONTROLS_PX = 1180, 150
# What is left of a projector's 1920 x 1080 pixels for the viewer.
PROJECTOR_PX, HIGHEST_PX = 1780, 900


def _letters(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())


def observed_channel(work: Session, prediction: Prediction) -> int | None:
    """Find the channel with the stain of the predicted structure: the person's choice, else by its name."""
    image = work.image
    assert image is not None
    chosen = work.observed_choice.get(f"{image.digest}|{prediction.model_id}")
    if chosen is not None and chosen in image.observed:
        return chosen
    right = [n for n, stain in image.observed.items() if _shows(stain, prediction.structure)]
    # A stain says more than its segmentation.
    return min(right, key=lambda n: SEGMENTATION in image.observed[n], default=None)


def _shows(stain: str, structure: str) -> bool:
    """Whether a channel shows a structure, stained or segmented."""
    return _letters(stain) in (_letters(structure), _letters(f"{structure} {OF_SEGMENTATION}"))


def observed_stack(work: Session, prediction: Prediction) -> ImageStack | None:
    """Return the stain of the predicted structure; None where there is none, or it is damaged in the file."""
    image, channel = work.image, observed_channel(work, prediction)
    if image is None or channel is None:
        return None
    try:
        return cached.stack(image, channel)
    except ImageError:
        return None


def choose_result(work: Session, key: str) -> Prediction:
    """Let the person pick among the predictions of the open image: those chosen last, then the newest."""
    found = work.results()
    chosen_last = [model for model in work.chosen if model in found]
    names = list(dict.fromkeys([*chosen_last, *reversed(found)]))
    if len(names) == 1:
        only = found[names[0]]
        st.markdown(f"**{words.plain(only.structure)}** by `{only.model_id}`{badge(only)}")
        return only
    called = called_apart(list(found.values()))
    picked = st.selectbox(
        "Structure", names, format_func=called.__getitem__, key=key, persist_state="session"
    )
    chosen = found.get(str(picked), found[names[0]])
    if chosen.preview:
        st.markdown(badge(chosen))
    return chosen


def called_apart(predictions: list[Prediction]) -> dict[str, str]:
    """Name predictions by their structure, and by their model too where several are of one structure."""
    count = Counter(found.structure for found in predictions)
    return {
        found.model_id: f"{found.structure} ({found.model_id})" * (count[found.structure] > 1)
        or found.structure
        for found in predictions
    }


def badge(prediction: Prediction) -> str:
    """Mark a preview, in Markdown; nothing for a prediction at full precision."""
    return " :orange-badge[Preview: not for measuring]" if prediction.preview else ""


def choose_observed(work: Session, prediction: Prediction, key: str) -> int | None:
    """Let the person say which channel holds the stain to compare with."""
    image = work.image
    assert image is not None
    stains = image.observed
    if not stains:
        return None
    now = observed_channel(work, prediction)
    options = list(stains)
    picked = st.selectbox(
        "Observed stain",
        options,
        options.index(now) if now is not None else None,
        lambda n: f"{image.channel_label(n)} ({stains[n]})",
        key=f"{key}-{image.digest[:12]}-{prediction.model_id}",
        placeholder=f"Which channel shows {prediction.structure}?",
    )
    if picked is not None and not _shows(stains[picked], prediction.structure):
        said = (
            f"It shows {stains[picked]}, and {prediction.structure} was predicted: these are two structures."
        )
        st.caption(f"{words.ICONS['warning']} {words.plain(said)}")
    if picked is not None:
        work.observed_choice[f"{image.digest}|{prediction.model_id}"] = picked
    return picked


def choose_region(work: Session, channel: int, key: str) -> None:
    """Let the person say where the observed channel says something, where the file marks such a part."""
    image = work.image
    assert image is not None
    now = work.region_of(channel)
    marks = [n for n, stain in image.observed.items() if SEGMENTATION in stain and n != channel]
    options = [None, *dict.fromkeys([*marks, *([] if now is None else [now])])]
    if len(options) == 1:
        return
    proposed = image.proposal.regions.get(channel)
    picked = st.selectbox(
        "Compare in",
        options,
        options.index(now),
        lambda n: "the whole field" if n is None else f"inside {image.channel_label(n)}",
        key=f"{key}-{image.digest[:12]}-{channel}",
        help=None if proposed is None else words.plain(f"{proposed.reason}."),
    )
    if picked != now:
        work.choose_region(channel, picked)
        st.rerun()
    if proposed is not None and now == proposed.value:
        st.caption(f"Proposed: {words.plain(proposed.reason)}.")


def layers(work: Session, predictions: list[Prediction]) -> list[Layer]:
    """Lay transmitted light, and observed and predicted of each structure, over each other for the viewer."""
    image = work.image
    assert image is not None
    first = predictions[0]
    light = cached.transmitted(work, first)
    name = image.channel_label(image.transmitted)
    digest = f"{image.key}|{light.shape}"
    shown = [Layer(name, light, first.voxel_size_um, "camera counts", role="transmitted", digest=digest)]
    called = called_apart(predictions)
    for prediction in predictions:
        if prediction.voxels.shape != first.voxels.shape:
            continue
        shown += pair_layers(
            work, prediction, name=called[prediction.model_id], own_units=not z_score(prediction)
        )
    return shown


def z_score(prediction: Prediction) -> bool:
    """Whether a prediction is in the unit that stains are compared in."""
    return prediction.units.lower().startswith("z-score")


def is_score(prediction: Prediction) -> bool:
    """Whether a prediction says from 0 to 1 how sure the model is."""
    return prediction.units.lower().startswith("score")


def short_units(prediction: Prediction) -> str:
    """Return the unit of a prediction without what explains it."""
    return "z-score" if z_score(prediction) else prediction.units.split(" of ")[0].split(":")[0]


def own_window(prediction: Prediction) -> Limits:
    """Return black and white of a prediction by itself, in its own unit."""
    return own_limits(prediction.voxels, prediction.units)


def windows(pair: Pair, prediction: Prediction, *, shared: bool) -> tuple[Limits, Limits]:
    """Return what is black and white in the observed and in the predicted image, in the units of the pair."""
    window = limits(pair.observed)
    if shared:
        return window, window
    # The pair holds the same voxels standardised, so two points of one line say where black and white went.
    here, raw = limits(pair.predicted), limits(prediction.voxels)
    slope = (here[1] - here[0]) / max(raw[1] - raw[0], 1e-12)
    low, high = (here[0] + (value - raw[0]) * slope for value in own_window(prediction))
    return window, (low, high)


def _alone(prediction: Prediction, name: str, digest: str) -> Layer:
    """Show a prediction in its own unit; a score of 0 to 1 without its long explanation, from 0 to 1."""
    size = prediction.voxel_size_um
    window = own_window(prediction)
    return Layer(
        f"{name}, predicted",
        prediction.voxels,
        size,
        short_units(prediction),
        window,
        role="predicted",
        digest=digest,
    )


def _stained(work: Session, channel: int, prediction: Prediction, name: str) -> str:
    """Name what a channel shows: *name*, unless another stain than the predicted structure's was chosen."""
    shows = "" if work.image is None else work.image.observed.get(channel, "")
    return name if not shows or _shows(shows, prediction.structure) else shows


def pair_layers(
    work: Session, prediction: Prediction, *, name: str, own_units: bool = False, shared: bool = True
) -> list[Layer]:
    """
    Make the observed layer, where there is one, and the predicted one.

    The predicted one is in its own unit, or in that of the stain; then between the same limits, or its own.
    """
    channel = observed_channel(work, prediction)
    result = cached.result_id(work, prediction)
    size = prediction.voxel_size_um
    if channel is None:
        return [_alone(prediction, name, result)]
    pair = cached.pair(work, channel, prediction)
    first, second = windows(pair, prediction, shared=shared)
    observed = "|".join((*cached.pair_key(work, channel, prediction), "observed"))
    stain = Layer(
        f"{_stained(work, channel, prediction, name)}, observed",
        pair.observed,
        size,
        "z-score",
        first,
        role="observed",
        digest=observed,
        region=pair.region,
    )
    if own_units:
        return [stain, _alone(prediction, name, result)]
    mate = f"{observed}|mate"
    own = windows(pair, prediction, shared=False)[1]
    made = Layer(
        f"{name}, predicted",
        pair.predicted,
        size,
        "z-score",
        second,
        role="predicted",
        digest=mate,
        own_limits=own,
    )
    return [stain, made]


def framed(image: np.ndarray, pixel_um: float | None, *, columns: int = 2) -> np.ndarray:
    """Enlarge a small picture pixel by pixel to its size among so many columns, for a legible scale bar."""
    factor = max(1, round(PAGE_PX / columns / image.shape[1]))
    large = image.repeat(factor, axis=0).repeat(factor, axis=1)
    return with_scale_bar(large, None if pixel_um is None else pixel_um / factor)


def colour_bar(between: Limits, colormap: str, units: str) -> None:
    """Show what the colours of a map mean."""
    stops = coloured(np.linspace(*between, 17)[None], between, colormap)[0]
    ramp = ", ".join(f"rgb({red},{green},{blue})" for red, green, blue in stops)
    low, high = map(words.number, between)
    st.html(
        f'<div class="lf-ramp" style="background:linear-gradient(90deg,{ramp})"></div>'
        f'<div class="lf-ends"><span>{low}</span><span>{units}</span><span>{high}</span></div>'
    )


def height_px(shape: tuple[int, ...], panels: int) -> int:
    """Choose the height that panels fill on a projector; on a narrower page the viewer shrinks itself."""
    panel = PROJECTOR_PX / max(1, min(panels, 4)) * shape[-2] / shape[-1]
    return int(min(max(panel + CONTROLS_PX, 440), HIGHEST_PX))


def picture(column: object, image: np.ndarray, title: str, note: str = "") -> None:
    """Show a picture with its title above and a note below."""
    with column:  # type: ignore[attr-defined]
        st.markdown(f"**{words.plain(title)}**")
        with st.container(key=f"framed-{_letters(title)}"):
            st.image(image, width="stretch", alt=title)
        if note:
            st.caption(note)


def notes(prediction: Prediction, image: Opened) -> None:
    """Say what the person should know about this prediction."""
    total = prediction.seconds.get("total")
    time = "" if total is None else f" in {total:.1f} s"
    st.caption(
        f"`{prediction.model_id}` on the {words.device(prediction.device)}{time}. "
        f"Unit: {words.plain(prediction.units)}. " + " ".join(words.plain(note) for note in prediction.notes)
    )
