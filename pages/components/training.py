"""What a person prepares for a training: the pairs, the model to start from, and how long it may take."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import streamlit as st

from labelfree_core.errors import LabelFreeError
from labelfree_core.models.seen import training_use_of
from labelfree_core.models.store import ModelEntry
from labelfree_core.training.newcard import UNITS, new_card
from labelfree_core.training.service import TrainingService
from labelfree_core.training.task import GivenPair, TrainingTask
from pages.components import cached, cards, room, words
from pages.components.found import STRUCTURES
from pages.components.keeping import kept
from pages.components.opening import OF_SEGMENTATION, OTHER_STAIN, SEGMENTATION
from pages.components.session import LIGHTS, Opened, Session

if TYPE_CHECKING:
    from labelfree_core.training.registration import Shift

KEY = "training-draft"
# The boxes for the model to start from, of stacks (True) and of planes, and for the minutes.
START, TIME = "train-start-{}", "train-minutes"
NOTHING = "nothing"
MINUTES = {2: 5, 3: 15}
CHOICES = (1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 480)


@dataclass(slots=True, eq=False)
class DraftPair:
    """A file with its image, the channel to learn, in it or in another file, and what it is for."""

    opened: Opened
    target: int | None
    partner: Opened | None = None
    held_out: bool = False
    move_back: bool = True

    @property
    def source(self) -> Opened:
        """The file with the target."""
        return self.partner or self.opened

    @property
    def stain(self) -> str:
        """What the target shows."""
        return "" if self.target is None else self.source.stains[self.target]

    @property
    def kind(self) -> str:
        """Whether the target is a stain or drawn."""
        return "segmentation" if SEGMENTATION in self.stain else "intensity"

    @property
    def structure(self) -> str:
        """The structure, where it is known."""
        name = self.stain.removesuffix(OF_SEGMENTATION).strip()
        return "" if name in (SEGMENTATION, OTHER_STAIN) else name

    @property
    def ready(self) -> bool:
        """Whether nothing is missing."""
        known = self.opened.voxel_size_um is not None and self.opened.transmitted is not None
        return known and self.target is not None


@dataclass(slots=True, eq=False)
class Draft:
    """
    What one person has prepared.

    ``compares`` says whether the model it starts from answers in the unit of the new one, ``started`` is the
    id of that model, ``kept`` the id under which the finished model was kept.
    """

    owner: str
    pairs: list[DraftPair] = field(default_factory=list)
    uploads: int = 0
    trainings: int = 0
    problem: str = ""
    compares: bool = True
    started: str = ""
    kept: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Choices for the model."""

    start: ModelEntry | None
    structure: str
    name: str
    minutes: float


def draft(work: Session) -> Draft:
    """Return what this person has prepared; who comes back after leaving begins anew."""
    found = st.session_state.get(KEY)
    if found is None or found.owner != work.owner:
        found = st.session_state[KEY] = Draft(work.owner)
    return found


@st.cache_resource(show_spinner=False)
def service() -> TrainingService:
    """Return what runs the trainings of everybody."""
    return TrainingService()


@kept("Laying target and image over each other …")
def _shift(key: str, _pair: DraftPair) -> Shift:
    from labelfree_core.training.registration import find_shift  # scipy: only when a pair is there

    assert _pair.opened.transmitted is not None
    assert _pair.target is not None
    image = _pair.opened.read(_pair.opened.transmitted)
    target = _pair.source.read(_pair.target)
    if image.shape != target.shape:
        raise LabelFreeError(
            f"The image has {image.shape} voxels and its target {target.shape}; a pair shows the same voxels "
            "twice. Choose another target, or remove the pair."
        )
    return find_shift(image.voxels, target.voxels)


def shift(pair: DraftPair) -> Shift:
    """Find by how far the target lies from the image."""
    return _shift(f"{pair.opened.key}|{pair.source.reading_key}|{pair.target}", pair)


def plan(work: Session) -> Plan:
    """Let the person say what to start from, what it shows, how it is called and how long it may take."""
    first = draft(work).pairs[0]
    left, right = st.columns(2, gap="large")
    with left:
        _light(draft(work))
    fitting = [entry for entry in cached.models(work) if cards.fits(entry, first.opened)]
    known = {entry.card.id: entry for entry in fitting}
    with left:
        start = _start(known, first)
        structure = st.selectbox(
            "Structure",
            list(dict.fromkeys([first.structure or "DNA", *STRUCTURES])),
            accept_new_options=True,
            help="What the target shows. A word of your own is fine.",
            key=f"train-structure-{first.structure}",
        )
    with right:
        name = st.text_input("Name of the new model", f"My {structure or 'model'}", max_chars=60)
        longest = service().settings.training_minutes
        choices = [minutes for minutes in CHOICES if minutes <= longest] or [int(longest)]
        usual = MINUTES[3 if first.opened.is_stack else 2]
        minutes = st.select_slider(
            "Minutes",
            choices,
            max((choice for choice in choices if choice <= usual), default=choices[0]),
            help="You can stop earlier, or add more afterwards.",
            key=TIME,
        )
    return Plan(known.get(start), str(structure or "").strip() or "structure", name, float(minutes))


def _light(mine: Draft) -> None:
    """Let the person say in which kind of light the images were taken: the model will be one for it."""
    first = mine.pairs[0].opened
    assumed = " (assumed, the file does not say)" if first.light_assumed else ""
    now = first.modality
    light = st.selectbox(f"Kind of light{assumed}", LIGHTS, LIGHTS.index(now), key=f"train-light-{now}")
    if light == now:
        return
    for pair in mine.pairs:
        pair.opened = replace(pair.opened, light=light)
    st.rerun()


def propose(*, stack: bool, minutes: int) -> None:
    """Propose a new network and a time: one that starts from nothing shows best how it learns."""
    st.session_state[START.format(stack)] = NOTHING
    if minutes <= service().settings.training_minutes:
        st.session_state[TIME] = minutes


def _known_before(mine: Draft, start: ModelEntry | None) -> None:
    """Warn where the model to start from has learnt from what is kept for the score."""
    if start is None:
        return
    scored = [pair for pair in mine.pairs if pair.held_out or len(mine.pairs) == 1]
    known = [
        pair.opened.file.name
        for pair in scored
        if pair.opened.transmitted is not None and _seen(pair.opened.key, start.card.sha256, start, pair)
    ]
    if known:
        said = (
            f"{start.card.id} has learnt from {' and '.join(known)} already, so a score on "
            f"{'it' if len(known) == 1 else 'them'} flatters. Keep a field for the score that is new to the "
            "model."
        )
        st.warning(words.plain(said))


@kept()
def _seen(key: str, model: str, _entry: ModelEntry, _pair: DraftPair) -> bool:
    assert _pair.opened.transmitted is not None
    return training_use_of(_entry, _pair.opened.read(_pair.opened.transmitted)) in ("trained", "part")


def _start(known: dict[str, ModelEntry], first: DraftPair) -> str:
    alike = [name for name, entry in known.items() if entry.card.structure == first.structure]
    options = [*alike, *(name for name in known if name not in alike), NOTHING]

    def label(name: str) -> str:
        if name == NOTHING:
            return "Nothing: a small new network"
        card = known[name].card
        slow = ", the large published network: slow" if card.architecture == "fnet" else ""
        return f"{card.structure} ({name}){slow}"

    picked = st.selectbox(
        "Start from",
        options,
        format_func=label,
        help="A model that knows cells of your kind of image learns yours faster than a new one.",
        key=START.format(first.opened.is_stack),
    )
    return str(picked)


def start_button(work: Session, chosen: Plan, *, busy: bool) -> None:
    """Begin the training, or say what is missing."""
    mine = draft(work)
    why_not = _why_not(mine, busy=busy)
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button(
            "Start training", type="primary", icon=":material/school:", disabled=bool(why_not)
        )
        if why_not:
            st.markdown(f"{words.ICONS['warning']} {why_not}", width="stretch")
    _known_before(mine, chosen.start)  # below the button, where it moves nothing when it comes
    if pressed:
        try:
            with st.spinner("Reading the pairs …"):
                _start_training(work, mine, chosen)
        except LabelFreeError as problem:
            mine.problem = str(problem)
        else:
            mine.problem = ""
        st.rerun()


def _why_not(mine: Draft, *, busy: bool) -> str:
    """Say what has to be done before a training can start, in Markdown; nothing where it can."""
    missing = [pair.opened.file.name for pair in mine.pairs if not pair.ready]
    held = sum(pair.held_out for pair in mine.pairs)
    if busy:
        return "It can start when the training above has ended."
    if missing:
        name = words.plain(missing[0])
        return f"{name} lacks a channel or its voxel size: say it above, or remove the pair."
    if len({pair.kind for pair in mine.pairs}) > 1:
        return "Some targets are stains, some segmentations. One model learns one kind: remove the others."
    if len(mine.pairs) > 1 and held == len(mine.pairs):
        return "All pairs are kept for the score: leave at least one to learn from."
    return ""


def _start_training(work: Session, mine: Draft, chosen: Plan) -> None:
    room.check_pairs([source for pair in mine.pairs for source in (pair.opened, pair.source)])
    pairs = [_given(pair, alone=len(mine.pairs) == 1) for pair in mine.pairs]
    start = None if chosen.start is None else chosen.start.card
    modality = mine.pairs[0].opened.modality
    card = new_card(chosen.name, chosen.structure, modality, pairs, start=start)
    folder = "" if chosen.start is None else str(chosen.start.folder)
    task = TrainingTask(card, folder, chosen.minutes)
    running = service()
    running.start(work.owner, work.path / f"training-{mine.trainings}", task, pairs)
    if not mine.trainings:  # the training goes when the person goes
        work.farewell.append(weakref.finalize(work, running.forget, work.owner))
    mine.trainings, mine.kept = mine.trainings + 1, ""
    mine.started = "" if start is None else start.id
    mine.compares = start is None or start.units.split()[0] == UNITS[pairs[0].kind].split()[0]


def _given(pair: DraftPair, *, alone: bool) -> GivenPair:
    assert pair.opened.transmitted is not None
    assert pair.target is not None
    image = pair.opened.read(pair.opened.transmitted)
    target = pair.source.read(pair.target)
    found = shift(pair) if pair.move_back else None
    split = "spatial" if alone else "held-out" if pair.held_out else "train"
    moved = (found.y_px, found.x_px) if found is not None and found.sure else (0, 0)
    return GivenPair(pair.opened.file.name, pair.opened.digest, image, target, pair.kind, split, moved)
