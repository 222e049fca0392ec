"""The parts of the page "Trust": the level with its reasons, numbers, and the worst places."""

from __future__ import annotations

import html
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from labelfree_core.inference.prediction import Prediction
from labelfree_core.models.store import ModelEntry
from pages.components import cached, cards, layout, session, showing, words
from pages.components.keeping import kept
from pages.components.session import Look, Session
from pages.components.viewer import Layer, ViewState, viewer

if TYPE_CHECKING:
    from labelfree_core.analysis.opinion import Opinion
    from labelfree_core.analysis.regions import Region
    from labelfree_core.analysis.trust import TrustReport

MODEL = "trust-model"
LEVELS = {
    "green": (":green[:material/check_circle:]", "Looks trustworthy"),
    "amber": (":orange[:material/warning:]", "Check before measuring"),
    "red": (":red[:material/error:]", "Do not trust this"),
}
BEFORE = (
    "Nothing speaks against trying",
    "This image suits this model, as far as can be told before it is predicted.",
)
# The viewer's keys: a place is shown larger, so that a cell fills a good part of the panel.
VIEW, VIEW_STATE, VIEW_PX, ZOOM = "trust-view", "trust-view-state", 560, 3.0
RING_SHARE = 0.8
# As long a sentence as the one to come, to keep its room.
USUAL_DISAGREEMENT = 0.15


def choose_model(work: Session, entries: list[ModelEntry]) -> ModelEntry:
    """Let the person pick the model to judge; the newest prediction's first."""
    done = list(reversed(work.results()))
    names = [entry.card.id for entry in entries]
    first = next((name for name in done if name in names), names[0])
    if work.linked_model in names:
        st.session_state.pop(MODEL, None)
        first = work.linked_model
    picked = st.selectbox(
        "Model",
        names,
        names.index(first),
        lambda name: f"{entries[names.index(name)].card.structure} ({name})",
        key=MODEL,
        help="Which prediction is judged.",
    )
    return entries[names.index(picked or first)]


@kept("Looking at the image …")
def _report(
    key: str, _entry: ModelEntry, _look: Look | None, _found: Prediction | None, _second: Opinion | None
) -> TrustReport:
    from labelfree_core.analysis.trust import Evidence, TrustOptions, trust

    work = session.current()
    image = work.image
    assert image is not None
    assert image.transmitted is not None
    evidence = None
    observed = None if _found is None else showing.observed_channel(work, _found)
    if observed is not None:
        inside = work.region_of(observed)
        region = None if inside is None else cached.stack(image, inside)
        evidence = Evidence(cached.stack(image, observed), region, _found)
    views = None if _look is None else _look.spread
    return trust(
        cached.stack(image, image.transmitted),
        _entry,
        observed=evidence,
        options=TrustOptions("none", views=views, second=_second),
    )


def report(
    work: Session, entry: ModelEntry, look: Look | None, second: tuple[str, Opinion | None]
) -> TrustReport:
    """
    Judge the open image by what is there; no network runs for that in this process.

    *second* is what another model says, after a name for it.
    """
    image = work.image
    assert image is not None
    found = work.result(entry.card.id)
    observed = None if found is None else showing.observed_channel(work, found)
    result = "" if found is None or observed is None else "|".join(cached.pair_key(work, observed, found))
    seen = "" if look is None else look.extent
    key = "|".join((image.key, entry.card.id, entry.card.sha256, result, seen, second[0]))
    return _report(key, entry, look, found, second[1])


def choose_stain(work: Session, entry: ModelEntry) -> None:
    """Let the person correct with which channel, and where, the prediction is compared."""
    found = work.result(entry.card.id)
    if found is None:
        return
    channel = showing.choose_observed(work, found, "trust-observed")
    if channel is not None:
        showing.choose_region(work, channel, "trust-region")


def verdict(found: TrustReport, entry: ModelEntry, *, predicted: bool) -> None:
    """Show the level, what it means, and why; before a prediction, what speaks for or against making one."""
    icon, title = LEVELS[found.level]
    said = found.verdict
    if found.level == "green" and not predicted:
        title, said = BEFORE
    with st.container(border=True):
        st.subheader(f"{icon} {title}", anchor=False)
        with st.container(key="verdict"):
            st.markdown(words.plain(said))
        with st.expander("Why", expanded=True, icon=":material/fact_check:"):
            # What the stain says in favour stands beside its numbers below.
            for note in [n for n in found.ordered if n.topic != "stain" or n.level != "green"]:
                st.markdown(f"{LEVELS[note.level][0]} {words.plain(note.sentence)}")
            if found.disagreement is None and not found.blocked:
                _views_later(found, entry)


def _views_later(found: TrustReport, entry: ModelEntry) -> None:
    """Say what is not known yet, in the room that it will take."""
    from labelfree_core.analysis.calibration import load_calibration
    from labelfree_core.analysis.verdicts import of_calibration, of_spread

    fitted = load_calibration(entry.folder, entry.card)
    error = None if fitted is None else USUAL_DISAGREEMENT
    come = [of_spread(USUAL_DISAGREEMENT, error, found.units), *of_calibration(fitted)]
    said = ["– Not known yet: whether flipped and rotated views of the image agree.", ""]
    for line, note in zip(said, come, strict=False):
        later = html.escape(note.sentence)
        st.html(f'<div class="lf-later"><span>{line}</span><span aria-hidden="true">✓ {later}</span></div>')


def numbers(found: TrustReport, entry: ModelEntry) -> None:
    """Show what is known about image and model, each with what it means; a dash where it is not known."""
    invented = [entry.card.hallucination[name] for name in cards.INVENTED if name in entry.card.hallucination]
    layout.metrics(
        [
            ("Familiarity", found.familiarity, "1: like the images it learnt from; below 0.5: unusual."),
            (
                "Disagreement",
                found.disagreement,
                "Between flipped and rotated views, as a share of the contrast. 0: none.",
            ),
            ("Expected error", found.expected_error, f"Of a typical voxel. Unit: {found.units}."),
            (
                "Invented signal",
                max(invented, default=None),
                "What it shows at most where there are no cells, as a share of its answer to cells. 0: none.",
            ),
        ]
    )
    if found.blocked:
        return
    said = "Disagreement and expected error are those of the part that “Where it is unsure” shows below."
    if found.disagreement is None:
        said = "– not known yet: “Where it is unsure” below measures how far the model disagrees."
    elif found.expected_error is None:
        said = "– not known: nobody has measured what error a disagreement of this model means."
    st.caption(said)


def ceiling(found: TrustReport) -> None:
    """Show how the prediction did against the stain, beside what its noise and the paper allow."""
    if found.pearson_r is None:
        return
    st.subheader("Against the stain", anchor=False)
    painted = "" if found.ceiling is None or math.isfinite(found.ceiling) else " None for a segmentation."
    layout.metrics(
        [
            ("Pearson r", found.pearson_r, "Are both bright in the same places? 1: always; 0: no relation."),
            ("Noise ceiling", found.ceiling, f"The best r that the noise of this stain allows.{painted}"),
            ("r / ceiling", found.r_of_ceiling, "How much of the possible is reached. 1: all of it."),
            ("Published r", found.published_r, "What the paper reached on real images, their median."),
        ]
    )
    for note in found.notes:
        if note.topic == "stain" and note.level == "green":  # what speaks against it stands above
            st.markdown(words.plain(note.sentence))


def regions(work: Session, entry: ModelEntry, found: TrustReport) -> None:
    """Show the image, and below it the worst places, each one click from being shown there."""
    shown, state = _layers(work, entry), st.session_state.get(VIEW_STATE)
    # Pressed below, followed here: the viewer keeps its place on the page however many places there are.
    chosen = next((n for n in range(len(found.regions)) if st.session_state.get(f"region-{n + 1}")), None)
    if chosen is not None:
        state = _place(found.regions[chosen], shown[0], state)
    st.session_state[VIEW_STATE] = viewer(shown, key=VIEW, height_px=VIEW_PX, state=state)
    with st.container(key="places"):
        for number, region in enumerate(found.regions, start=1):
            with st.container(border=True, gap="xsmall", height="stretch", vertical_alignment="distribute"):
                _region(number, region)
        if not found.regions:
            looked = found.disagreement is not None
            st.caption(
                "No place stands out from the others."
                if looked
                else "Look at the middle or everywhere: the places where the model is least sure come here."
            )


def _region(number: int, region: Region) -> None:
    axes = "zyx"[-len(region.position_um) :]
    position = ", ".join(f"{axis} {at:.1f} µm" for axis, at in zip(axes, region.position_um, strict=True))
    st.markdown(words.plain(region.why))
    with st.container(gap="xsmall"):
        st.caption(f"At {position}; {region.size_um:.0f} µm wide")
        st.button(f"Show place {number}", key=f"region-{number}", icon=":material/visibility:")


def _layers(work: Session, entry: ModelEntry) -> list[Layer]:
    """Show the image, and the prediction beside the stain where they are there."""
    image = work.image
    assert image is not None
    assert image.transmitted is not None
    found = work.result(entry.card.id)
    if found is not None:
        return showing.layers(work, [found])
    light = cached.stack(image, image.transmitted)
    size = light.voxel_size_um or (1.0,) * light.voxels.ndim
    name = image.channel_label(image.transmitted)
    return [Layer(name, light.voxels, size, "camera counts", role="transmitted", digest=image.key)]


def _place(region: Region, layer: Layer, before: ViewState | None) -> ViewState:
    """Ask the viewer to show one place, in voxels of its layers, with the cross-hair on it."""
    at = [position / size for position, size in zip(region.position_um, layer.voxel_size_um, strict=True)]
    middle, ring = (at[-2], at[-1]), region.size_um / layer.voxel_size_um[-1]
    deep = len(at) == 3
    whole = RING_SHARE * min(layer.voxels.shape[-2:]) / ring  # the zoom at which the ring still fits
    return replace(
        before or ViewState(),
        z=int(at[0]) if deep else None,
        projection="plane",
        center=middle,
        cursor=middle,
        zoom=max(1.0, min(ZOOM, whole)),
        ring=ring,
    )
