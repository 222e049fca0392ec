"""The one typed object that survives reruns and page changes. Each browser tab has its own."""

from __future__ import annotations

import shutil
import uuid
import weakref
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from labelfree_core.images.proposal import Proposal
from labelfree_core.images.reading import ImageFile
from labelfree_core.images.stack import ImageStack
from labelfree_core.inference.prediction import Prediction
from labelfree_core.scratch import own_folder
from pages.components import room
from pages.components.shelves import Shelf

if TYPE_CHECKING:
    from labelfree_core.analysis.spread import Spread
    from labelfree_core.images.voxelsize import SizeEstimate

KEY = "work"
LIGHTS = ("bright-field", "phase contrast", "DIC")  # the first is assumed where nobody has said


@dataclass(frozen=True, slots=True)
class Opened:
    """
    An open file, and what the person accepted or corrected about it.

    ``transmitted`` is the channel that goes into the network, -1 for the luminance of a colour image, None
    where nobody knows yet. ``stains`` has one word for each channel: what its stain shows, ``""`` where the
    channel is no stain. ``voxel_size_um`` is (z, y, x) or (y, x); None where nobody knows yet.
    ``recalled`` says that axes and channels are what the person said about the last file of this kind,
    ``size_recalled`` the same of a voxel size that the file itself does not give; ``light`` is the kind of
    transmitted light that the person has said.
    """

    file: ImageFile
    digest: str
    axes: str
    proposal: Proposal
    transmitted: int | None
    stains: tuple[str, ...]
    voxel_size_um: tuple[float, ...] | None
    time: int = 0
    sample: str = ""
    recalled: bool = False
    size_recalled: bool = False
    light: str = ""

    @property
    def sizes(self) -> dict[str, int]:
        """Length of each axis, by the accepted letters."""
        return dict(zip(self.axes, self.file.shape, strict=True))

    @property
    def is_stack(self) -> bool:
        """Whether there is more than one z plane."""
        return self.sizes.get("Z", 1) > 1

    @property
    def observed(self) -> dict[int, str]:
        """Channels with a stain, and what each stain shows."""
        return {n: stain for n, stain in enumerate(self.stains) if stain and n != self.transmitted}

    @property
    def reading_key(self) -> str:
        """Names how the file is read, whatever the channel."""
        return f"{self.digest}|{self.axes}|{self.time}|{self.voxel_size_um}"

    @property
    def key(self) -> str:
        """Names the voxels that go into the network, for caches and results."""
        return f"{self.reading_key}|{self.transmitted}"

    @property
    def named_light(self) -> str:
        """Kind of transmitted light by the channel's name; empty where it is silent."""
        roles = {role.index: role for role in self.proposal.roles}
        role = roles.get(self.transmitted if self.transmitted is not None else -1)
        named = role is not None and role.role == "transmitted" and role.structure
        return named if named in LIGHTS else ""

    @property
    def modality(self) -> str:
        """Kind of transmitted light, as the person says or as the file does; else it is assumed."""
        return self.light or self.named_light or LIGHTS[0]

    @property
    def light_assumed(self) -> bool:
        """Whether nobody has said which kind of transmitted light it is."""
        return not (self.light or self.named_light)

    def channel_label(self, channel: int | None) -> str:
        """Name a channel for people."""
        if channel is None:
            return "not chosen"
        labels = self.file.channels
        return labels[channel] if 0 <= channel < len(labels) else "luminance"

    def read(self, channel: int) -> ImageStack:
        """Read one channel as accepted or corrected."""
        return self.file.read(
            channel=channel, time=self.time, axes=self.axes, voxel_size_um=self.voxel_size_um
        )


class Kind(NamedTuple):
    """What files of one kind have in common: where one was corrected, the next is read the same way."""

    format: str
    axes: str
    dtype: str
    names: tuple[str, ...]

    @classmethod
    def of(cls, file: ImageFile) -> Kind:
        """Name the kind of a file."""
        return cls(file.format, file.axes, file.dtype.str, tuple(file.channel_names))


class Corrected(NamedTuple):
    """What a person said about a file of some kind."""

    axes: str
    transmitted: int | None
    stains: tuple[str, ...]
    light: str = ""


class ResultKey(NamedTuple):
    """What a prediction was made from."""

    image: str
    model: str
    grid: str


@dataclass(slots=True)
class Look:
    """
    A look at where a model is unsure: ``spread`` was found in ``extent``; ``asked`` is under way in ``job``.
    """

    extent: str = ""
    spread: Spread | None = None
    asked: str = ""
    job: str = ""
    problem: str = ""


@dataclass(slots=True)
class BatchItem:
    """One image of the page "Untagged structure"."""

    name: str
    opened: Opened | None = None
    job: str = ""
    prediction: Prediction | None = None
    problem: str = ""
    fraction: float = 0.0


@dataclass(slots=True, weakref_slot=True, eq=False)
class Session:
    """Everything one person has opened, asked for and got; ``path`` is a folder of their own."""

    owner: str = field(default_factory=lambda: uuid.uuid4().hex)
    path: Path = field(default_factory=lambda: own_folder("visit"))
    image: Opened | None = None
    predictions: dict[ResultKey, Prediction] = field(default_factory=dict)
    arrived: list[Prediction | Spread] = field(default_factory=list)
    dropped: dict[str, None] = field(default_factory=dict)
    jobs: dict[ResultKey, str] = field(default_factory=dict)
    problems: dict[ResultKey, str] = field(default_factory=dict)
    chosen: list[str] = field(default_factory=list)
    chosen_for: tuple[str, str, bool] = ("", "", False)
    grid: str = "input"
    device: str = "auto"
    crop: bool = False
    engine: str = "torch"
    batch: list[BatchItem] = field(default_factory=list)
    batch_model: str = ""
    batch_running: bool = False
    add_note: str = ""
    observed_choice: dict[str, int] = field(default_factory=dict)
    remembered_regions: dict[tuple[Kind, int], int | None] = field(default_factory=dict)
    looks: dict[ResultKey, Look] = field(default_factory=dict)
    guessed_sizes: dict[str, SizeEstimate] = field(default_factory=dict)
    thresholds: dict[str, float] = field(default_factory=dict)
    remembered: dict[Kind, Corrected] = field(default_factory=dict)
    remembered_sizes: dict[Kind, tuple[float, ...]] = field(default_factory=dict)
    uploads: int = 0
    open_problem: str = ""
    fetches: dict[str, Future[Path]] = field(default_factory=dict)
    linked_model: str = ""
    linked_z: int | None = None
    linked_view: str = ""
    regions: dict[str, int | None] = field(default_factory=dict)
    queued: bool = False
    closed: bool = False
    shelf: Shelf = field(default_factory=Shelf)
    channels: Shelf = field(default_factory=lambda: Shelf(room.CHANNELS))
    farewell: list[weakref.finalize] = field(default_factory=list)

    def __post_init__(self) -> None:
        # An upload lives in this folder once, not in memory, and goes when the session goes.
        self.farewell.append(weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True))

    def close(self) -> None:
        """Let go of everything; the person left. Who comes back begins anew."""
        self.closed, self.image = True, None
        for held in (self.predictions, self.jobs, self.batch, self.fetches, self.looks, self.arrived):
            held.clear()
        self.shelf.clear()
        self.channels.clear()
        for last in self.farewell:
            last()

    def region_of(self, channel: int) -> int | None:
        """Return the channel that marks where an observed one says something: as chosen, else as proposed."""
        image = self.image
        if image is None:
            return None
        chosen = f"{image.digest}|{channel}"
        if chosen in self.regions:
            return self.regions[chosen]
        kind = (Kind.of(image.file), channel)
        if kind in self.remembered_regions:
            return self.remembered_regions[kind]
        proposed = image.proposal.regions.get(channel)
        return proposed.value if proposed is not None and isinstance(proposed.value, int) else None

    def result(self, model: str) -> Prediction | None:
        """Return the prediction of this model for the open image at the chosen grid, if there is one."""
        return None if self.image is None else self.predictions.get(self.result_key(model))

    def result_key(self, model: str) -> ResultKey:
        """Name the result of a model for the open image."""
        return ResultKey("" if self.image is None else self.image.key, model, self.grid)

    def results(self) -> dict[str, Prediction]:
        """Return the predictions for the open image at the chosen grid, by model, in the order they came."""
        if self.image is None:
            return {}
        here = (self.image.key, self.grid)
        return {key.model: found for key, found in self.predictions.items() if (key.image, key.grid) == here}

    def keep(self, key: ResultKey, prediction: Prediction) -> None:
        """Add a prediction, and let the oldest results go where memory is short."""
        self.predictions.pop(key, None)
        self.predictions[key] = prediction
        room.make(self, prediction)

    def show(self, opened: Opened) -> None:
        """Make this the open image, and let the oldest results go where memory is short."""
        self.image = opened
        self.channels.clear()
        room.make(self)

    def choose_region(self, channel: int, region: int | None) -> None:
        """Take the person's word for where an observed channel counts, for files of the same kind too."""
        if self.image is None:
            return
        self.regions[f"{self.image.digest}|{channel}"] = region
        self.remembered_regions[Kind.of(self.image.file), channel] = region

    def correct(self, **changes: object) -> None:
        """Change what is known about the open image; axes and channels also for files of the same kind."""
        if self.image is None:
            return
        self.image = replace(self.image, **changes)  # type: ignore[arg-type]
        image = self.image
        self.remembered[Kind.of(image.file)] = Corrected(
            image.axes, image.transmitted, image.stains, image.light
        )

    def type_size(self, size_um: tuple[float, ...]) -> None:
        """Take a typed voxel size, for files of the same kind too where they give none that could be."""
        if self.image is None:
            return
        self.correct(voxel_size_um=size_um, size_recalled=False)
        self.remembered_sizes[Kind.of(self.image.file)] = size_um


def current() -> Session:
    """Return this browser tab's session; an empty one on the first visit."""
    if KEY not in st.session_state or st.session_state[KEY].closed:
        st.session_state[KEY] = Session()
    return st.session_state[KEY]
