"""The parts of the page "Trust": the level with its reasons, numbers, the map and the worst places."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from labelfree_core.analysis.display import limits
from labelfree_core.inference.prediction import Prediction
from labelfree_core.models.store import ModelEntry
from labelfree_core.reports.figures import coloured
from pages.components import cached, running, session, showing, words
from pages.components.session import Session

if TYPE_CHECKING:
    from labelfree_core.analysis.trust import TrustReport

METRIC_COLUMNS = 4
LOOKS = {
    "green": (":green[:material/check_circle:]", "Looks trustworthy"),
    "amber": (":orange[:material/warning:]", "Check before measuring"),
    "red": (":red[:material/error:]", "Do not trust this"),
}


def choose_model(work: Session, entries: list[ModelEntry]) -> ModelEntry:
    """Let the person pick the model to judge; the newest prediction's first."""
    done = list(reversed(work.results()))
    names = [entry.card.id for entry in entries]
    first = next((name for name in done if name in names), names[0])
    picked = st.selectbox(
        "Model",
        names,
        names.index(first),
        lambda name: f"{entries[names.index(name)].card.structure} ({name})",
        key="trust-model",
        help="Which prediction is judged.",
    )
    return entries[names.index(picked or first)]


@st.cache_resource(show_spinner="Looking at the image …", scope="session", max_entries=16)
def _report(
    key: str,
    extent: str,
    _entry: ModelEntry,
    _observed: int | None,
    _found: Prediction | None,
) -> TrustReport:
    from labelfree_core.analysis.trust import Evidence, TrustOptions, trust

    work = session.current()
    image = work.image
    assert image is not None
    assert image.transmitted is not None
    stain = None
    if _observed is not None and _found is not None:
        stain = Evidence(cached.stack(image, _observed), prediction=_found)
    options = TrustOptions(extent, running.options(work, "input"))
    signal = cached.stack(image, image.transmitted)
    return trust(signal, _entry, observed=stain, options=options)


def report(work: Session, entry: ModelEntry, *, extent: str) -> TrustReport:
    """Judge the open image; without a spread that takes a moment and starts no network."""
    image = work.image
    assert image is not None
    found = work.result(entry.card.id)
    observed = None if found is None else showing.observed_channel(work, found)
    result = "" if found is None else cached.result_id(work, found)
    key = f"{image.key}|{entry.card.id}|{entry.card.sha256}|{observed}|{result}"
    return _report(key, extent, entry, observed, found)


def verdict(found: TrustReport) -> None:
    """Show the level and why."""
    icon, title = LOOKS[found.level]
    with st.container(border=True):
        st.subheader(f"{icon} {title}", anchor=False)
        st.markdown(f"**{words.plain(found.verdict)}**")
        for reason in found.reasons:
            st.markdown(f"- {words.plain(reason)}")


def numbers(found: TrustReport, entry: ModelEntry) -> None:
    """Show every number with a word of help; a dash where it is not known."""
    card = entry.card.hallucination
    values = [
        (
            "Familiarity",
            found.familiarity,
            "1: like the training images; below 0.5: unusual.",
        ),
        ("Disagreement", found.disagreement, "Of flipped and rotated views, as a share of the contrast."),
        ("Expected error", found.expected_error, f"Root mean square, {found.units}."),
        ("Pearson r", found.pearson_r, "Against the observed stain."),
        ("Noise ceiling", found.ceiling, "The best r that the noise of the stain allows."),
        ("r / ceiling", found.r_of_ceiling, "How much of the possible is reached."),
        ("Published r", found.published_r, "Median of the paper's test images."),
        (
            "Invents",
            card.get("phase_scrambled"),
            "Brightness predicted from an image whose content was scrambled, as a share of real signal: 0 is "
            "dark.",
        ),
    ]
    for start in range(0, len(values), METRIC_COLUMNS):
        row = values[start : start + METRIC_COLUMNS]
        for column, (label, value, meaning) in zip(st.columns(METRIC_COLUMNS), row, strict=False):
            known = value is not None and math.isfinite(value)
            column.metric(label, f"{value:.2f}" if known else "–", help=meaning)


def error_map(found: TrustReport) -> None:
    """Show where the network is unsure, as the highest value of all planes, beside what it predicts."""
    views = found.spread
    if views is None:
        return
    calibrated = found.expected_error_map is not None
    values = views.map if found.expected_error_map is None else found.expected_error_map
    unsure, mean = (_flat(volume) for volume in (values, views.mean))
    top = float(np.percentile(unsure, 99.8)) or 1.0
    left, right = st.columns(2)
    title = "Expected error" if calibrated else "Disagreement of the views (not calibrated)"
    pixel = views.voxel_size_um[-1]
    note = f"0 (dark) to {top:.2f} (bright), {words.plain(found.units)}; highest of all planes."
    showing.picture(left, showing.framed(coloured(unsure, (0.0, top)), pixel), title, note)
    picture = showing.framed(coloured(mean, limits(mean), "gray"), pixel)
    part = "whole field" if views.share > 0.99 else f"middle {views.share:.0%} of the field"
    showing.picture(
        right, picture, "Prediction there", f"Mean of {views.views} views, {part}, {views.seconds:.0f} s."
    )


def regions(work: Session, found: TrustReport) -> None:
    """List the worst places, each one click from the viewer."""
    for number, region in enumerate(found.regions, start=1):
        where, text, button = st.columns([3, 6, 2], vertical_alignment="center")
        position = " × ".join(f"{value:.1f}" for value in region.position_um)
        axes = "z × y × x" if len(region.position_um) == 3 else "y × x"
        where.markdown(f"**{number}.** {position} µm ({axes}), {region.size_um:.0f} µm wide")
        text.markdown(words.plain(region.why))
        deep = len(region.position_px) == 3
        label = f"Show plane {region.position_px[0] + 1}" if deep else "Show the image"
        if button.button(label, key=f"region-{number}", icon=":material/visibility:"):
            work.linked_z = region.position_px[0] if deep else None
            st.switch_page("pages/predict.py")


def _flat(volume: np.ndarray) -> np.ndarray:
    return volume.max(axis=0) if volume.ndim == 3 else volume
