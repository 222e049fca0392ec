"""
Core calls whose results outlive a rerun.

Every key is a digest or another word for the content; arrays are never hashed, because Streamlit looks at a
sample of a large one only and would return the answer for another image. What belongs to one person is kept
for that person, within bytes: see :mod:`pages.components.keeping`.
"""

from __future__ import annotations

import weakref
from pathlib import Path

import numpy as np
import streamlit as st

from labelfree_core import logs
from labelfree_core.analysis.alignment import Pair, align_grids, comparable
from labelfree_core.analysis.display import limits, merge, picture
from labelfree_core.analysis.scores import Scores, scores
from labelfree_core.errors import PredictionError
from labelfree_core.images import health, voxelsize
from labelfree_core.images.health import Finding
from labelfree_core.images.proposal import propose
from labelfree_core.images.reading import ImageFile, open_image, thumbnail
from labelfree_core.images.stack import ImageStack
from labelfree_core.images.thumbnails import survey
from labelfree_core.inference.handover import Ask
from labelfree_core.inference.jobs import JobState
from labelfree_core.inference.options import Estimate, PredictOptions
from labelfree_core.inference.prediction import Prediction
from labelfree_core.inference.service import PredictionService
from labelfree_core.models.store import ModelEntry, list_models
from labelfree_core.reports.doctor import pictures
from labelfree_core.reports.sheet import Tile
from pages.components.keeping import kept
from pages.components.session import Opened, Session

# Of a small picture; wide enough for half of a page.
LIGHT_PX = 640
# As a microscopist merges them, and apart for the colour-blind.
STAIN_COLOURS = {
    "DNA": (0.25, 0.55, 1.0),
    "lamin B1": (1.0, 0.55, 0.15),
    "membrane": (0.1, 0.6, 0.5),
    "nucleoli": (0.9, 0.3, 0.65),
}


@st.cache_resource(show_spinner=False)
def service() -> PredictionService:
    """Return the one worker behind a queue that predicts for everybody."""
    logs.configure()
    return PredictionService()


def queue(work: Session) -> PredictionService:
    """Return the service, which from now on forgets this person when the session ends."""
    running = service()
    if not work.queued:
        work.queued = True
        work.farewell.append(weakref.finalize(work, running.leave, work.owner))
    return running


@st.cache_resource(show_spinner=False, ttl=20)
def _installed_models() -> tuple[ModelEntry, ...]:
    return list_models()


def models(work: Session) -> tuple[ModelEntry, ...]:
    """List the models of this installation, and those this person added for the session."""
    own = work.path / "models"
    added = list_models([own]) if own.is_dir() else ()
    known = {entry.card.id for entry in added}
    return (*added, *(entry for entry in _installed_models() if entry.card.id not in known))


def entry(work: Session, prediction: Prediction) -> ModelEntry | None:
    """Return the model that made a prediction, if it is still there."""
    return next((each for each in models(work) if each.card.id == prediction.model_id), None)


def refresh_models() -> None:
    """Look for models again, after one was added for everybody."""
    _installed_models.clear()


@st.cache_resource(show_spinner=False, max_entries=64)
def sample_picture(path: Path, modified: float, structures: tuple[str, ...]) -> np.ndarray:
    """Return a shipped sample, its left half in transmitted light, its right half as stained."""
    file = open_image(path)
    proposal = propose(file)
    light = proposal.transmitted_channel.value
    plane = _middle(file, light if isinstance(light, int) else 0)
    left = np.repeat(picture(plane, limits(plane, 0.5, 99.5))[..., None], 3, axis=-1)
    stains = [_middle(file, role.index) for role in proposal.roles if role.role == "stain"]
    shown = [picture(stain, limits(stain, 5.0, 99.8)) / 255 for stain in stains]
    colours = [STAIN_COLOURS.get(structure, (1.0, 1.0, 1.0)) for structure in structures]
    return _split(left, merge(list(zip(shown, colours, strict=False)))) if shown and colours else left


def _middle(file: ImageFile, channel: int) -> np.ndarray:
    voxels = file.read(channel=channel).voxels
    return voxels if voxels.ndim == 2 else voxels[len(voxels) // 2]


def _split(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Join the halves of two pictures of one field with a line between, cut to three by two."""
    height, width = left.shape[:2]
    tall, wide = min(height, width * 2 // 3), min(width, height * 3 // 2)
    top, start = (height - tall) // 2, (width - wide) // 2
    both = left.copy()
    middle = width // 2
    both[:, middle:] = right[:, middle:]
    both[:, middle : middle + 2] = 255
    return both[top : top + tall, start : start + wide]


@kept()
def channel_picture(digest: str, axes: str, channel: int, _opened: Opened) -> np.ndarray:
    """Return the thumbnail of one channel: maximum projection, white at the 99th percentile."""
    return thumbnail(_opened.file, channel, size_px=320)


@kept()
def light_picture(digest: str, axes: str, channel: int, _opened: Opened) -> np.ndarray:
    """Return the middle plane of transmitted light: the maximum over all planes shows specks, no cells."""
    plane = np.nan_to_num(survey(_opened.file, channel, planes=1, axes=axes)[0], posinf=0.0, neginf=0.0)
    step = max(1, max(plane.shape) // LIGHT_PX)
    return picture(plane[::step, ::step], limits(plane, 0.5, 99.5))


@kept(image=True)
def _read(key: str, channel: int, _opened: Opened) -> ImageStack:
    return _opened.read(channel)


def stack(opened: Opened, channel: int) -> ImageStack:
    """Read one channel of the open image, once."""
    return _read(opened.reading_key, channel, opened)


@kept("Looking at the image …")
def _findings(key: str, modality: str, _stack: ImageStack) -> tuple[Finding, ...]:
    return health.examine(_stack, expected=modality)


def findings(opened: Opened) -> tuple[Finding, ...]:
    """Return what the file doctor says about the transmitted-light channel."""
    if opened.transmitted is None:
        return ()
    return _findings(opened.key, opened.modality, stack(opened, opened.transmitted))


@kept()
def _finding_pictures(key: str, _stack: ImageStack, _found: tuple[Finding, ...]) -> dict[str, Tile]:
    return pictures(_stack, _found)


def finding_pictures(opened: Opened) -> dict[str, Tile]:
    """Return pictures of what the file doctor found, by the name of the finding."""
    if opened.transmitted is None:
        return {}
    light = stack(opened, opened.transmitted)
    return _finding_pictures(f"{opened.key}|{opened.modality}", light, findings(opened))


def voxel_finding(opened: Opened, entry: ModelEntry) -> Finding | None:
    """Hold the image's voxel size against the model's; None where one of them is not known."""
    if opened.voxel_size_um is None or entry.card.voxel_size_um is None:
        return None
    return voxelsize.judge(opened.voxel_size_um, entry.card.voxel_size_um)


def estimate(work: Session, entry: ModelEntry) -> Estimate | None:
    """
    Say what predicting the open image will take; None until the worker has told.

    Raises
    ------
    PredictionError
        What a prediction would say about the image, the model or the memory.
    """
    image = work.image
    assert image is not None
    shape = tuple(image.sizes.get(axis, 1) for axis in ("ZYX" if image.is_stack else "YX"))
    # A finished prediction corrects the worker's idea of its speed, so that it is asked again.
    key = (shape, image.voxel_size_um, entry.card.sha256, work.device, work.engine, len(work.results()))
    told: dict[tuple, Estimate | JobState | str] = st.session_state.setdefault("estimates", {})
    if key not in told:
        # A stand-in without memory of its own: what a prediction costs depends on the shape alone.
        empty = ImageStack(np.broadcast_to(np.zeros((), np.uint16), shape), image.voxel_size_um)
        options = PredictOptions(device=work.device, engine=work.engine)
        ask = Ask(str(entry.folder), options, "estimate")
        told[key] = queue(work).ask(work.owner, empty, ask)
    answer = told[key]
    if isinstance(answer, str):
        try:
            state = service().job(answer, work.owner)
        except PredictionError:  # forgotten after a long silence
            del told[key]
            return None
        if state.state in ("queued", "running"):
            return None
        answer = told[key] = state.result if isinstance(state.result, Estimate) else state
    if isinstance(answer, Estimate):
        return answer
    raise PredictionError(answer.problem)


def result_id(work: Session, prediction: Prediction) -> str:
    """Name a prediction of this session for caches."""
    origin, seconds = prediction.origin, prediction.seconds.get("total", 0.0)
    made_by = f"{prediction.model_sha256}|{prediction.grid}|{seconds}"
    return f"{origin.sha256}|{origin.channel_index}|{made_by}|{prediction.voxels.shape}"


def pair_key(work: Session, channel: int, prediction: Prediction) -> tuple[str, str]:
    """Name a prediction, and the observed channel with the region it is compared in, for caches."""
    assert work.image is not None
    return result_id(work, prediction), f"{work.image.reading_key}|{channel}|{work.region_of(channel)}"


@kept()
def _pair(
    result: str,
    observed: str,
    _observed: ImageStack,
    _prediction: Prediction,
    _region: ImageStack | None,
) -> Pair:
    return comparable(_observed, _prediction.stack, region=_region)


def pair(work: Session, channel: int, prediction: Prediction) -> Pair:
    """Lay an observed channel of the open image and a prediction on one grid, in one unit."""
    image = work.image
    assert image is not None
    inside = work.region_of(channel)
    region = None if inside is None else stack(image, inside)
    return _pair(*pair_key(work, channel, prediction), stack(image, channel), prediction, region)


@kept("Comparing …")
def _scores(result: str, observed: str, _pair: Pair) -> Scores:
    return scores(
        _pair.observed, _pair.predicted, region=_pair.region, noise_ceiling=_pair.ceiling, units=_pair.units
    )


def scored(work: Session, channel: int, prediction: Prediction) -> Scores:
    """Score a prediction against an observed channel of the open image."""
    return _scores(*pair_key(work, channel, prediction), pair(work, channel, prediction))


@kept()
def _on_grid(key: str, shape: tuple[int, ...], _signal: ImageStack, _prediction: ImageStack) -> np.ndarray:
    return align_grids(_signal, _prediction)[0].voxels


def transmitted(work: Session, prediction: Prediction) -> np.ndarray:
    """Return the transmitted-light image on the grid of a prediction."""
    image = work.image
    assert image is not None
    assert image.transmitted is not None
    signal = stack(image, image.transmitted)
    return _on_grid(image.key, prediction.voxels.shape, signal, prediction.stack)
