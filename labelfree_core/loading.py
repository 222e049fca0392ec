"""
From a path to one stack, where a person has said what to take or a proposal is sure enough.

The core never guesses: what is missing is proposed by :mod:`labelfree_core.images.proposal` with a reason.
A proposal that the file's own names and metadata make sure is taken and said; any other is refused
with the proposal in the sentence, unless the person has agreed beforehand (``--yes``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from labelfree_core.errors import ImageError
from labelfree_core.images.proposal import Choice, Proposal, propose
from labelfree_core.images.reading import LUMINANCE, ImageFile, open_image
from labelfree_core.images.stack import ImageStack
from labelfree_core.images.writing import read_provenance

# Names and metadata reach this; statistics of the intensities alone never do.
SURE = 0.9
# A voxel size that the file states in full counts, unless it is improbable.
PROBABLE = 0.5
NAMED_AXES = "TCZYXS"


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    What a person has said about a file; None and False where they said nothing.

    Parameters
    ----------
    channel : str or None
        Name or number.
    voxel_size_um : tuple of float or None
        (z, y, x), or (y, x) where z does not matter or the file knows it.
    axes : str or None
        The order of the axes, where the file has it wrong.
    time : int or None
        Time point from 0; None is enough for a file with one.
    role : str
        ``"transmitted"``, ``"observed"`` or ``"any"``: which channel to propose.
    accept : bool
        Take unsure proposals too.
    """

    channel: str | None = None
    voxel_size_um: tuple[float, ...] | None = None
    axes: str | None = None
    time: int | None = None
    role: str = "transmitted"
    accept: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """
    One stack, and how it was taken from its file.

    ``said`` has one sentence for each thing that was taken without having been asked for; ``reading`` is
    for the recipe: the time point, and the axes where they are not the file's own.
    """

    stack: ImageStack
    file: ImageFile
    said: tuple[str, ...] = ()
    reading: Mapping[str, object] = field(default_factory=dict)


def load(path: str | Path, wanted: Wanted | None = None, *, need_size: bool = True) -> Loaded:
    """
    Open a file and read the one stack that was asked for.

    Parameters
    ----------
    path : str or path
    wanted : Wanted, optional
        Nothing asked for where not given.
    need_size : bool
        Whether to refuse a file without a full voxel size.

    Returns
    -------
    loaded : Loaded
        Its stack carries the unit that this software wrote into the file, if it did.

    Raises
    ------
    ImageError
        If the file can't be read, or something is missing and the proposal is unsure.
    """
    wanted = wanted or Wanted()
    file = open_image(path)
    proposal = propose(file)
    said: list[str] = []
    axes = _axes(file, proposal, wanted, said, measuring=not need_size)
    sizes = dict(zip(axes or file.axes, file.shape, strict=False))
    time = _time(file, wanted, said, count=sizes.get("T", 1))
    count = sizes.get("C", 1) if sizes.get("C", 1) > 1 else sizes.get("S", 1)
    channel = _channel(file, proposal, wanted, said, count=count)
    size = _voxel_size(file, proposal, wanted, said, deep=sizes.get("Z", 1) > 1, needed=need_size)
    stack = file.read(channel=channel, time=time, axes=axes, voxel_size_um=size)
    units = _units(path)
    reading = {"time": time, "axes": axes}
    return Loaded(replace(stack, units=units) if units else stack, file, tuple(said), reading)


def _axes(
    file: ImageFile, proposal: Proposal, wanted: Wanted, said: list[str], *, measuring: bool
) -> str | None:
    if wanted.axes:
        return wanted.axes.upper()
    choice = proposal.axes
    if not choice.value or choice.value == file.axes:
        return None
    found = f"{file.name} calls its axes {file.axes} {file.shape}"
    unnamed = [a for a, n in zip(file.axes, file.shape, strict=True) if a not in NAMED_AXES and n > 1]
    if len(unnamed) == 1 and not {"Z", "C"} & set(file.axes):
        meant = str(choice.value)[file.axes.index(unnamed[0])]
        deep = wanted.voxel_size_um is not None and len(wanted.voxel_size_um) == 3
        if wanted.channel is not None and meant == "C":  # who names a channel has said that it is channels
            return str(choice.value)
        # Who gives three sizes has said that it is z; who measures wants the planes together, whatever it is.
        if wanted.channel is None and (measuring or deep):
            said.append(f"{found}: took {unnamed[0]} for z.")
            return file.axes.replace(unnamed[0], "Z")
    return str(_accepted(choice, found, f"--axes {choice.value}", wanted, said))


def _channel(
    file: ImageFile, proposal: Proposal, wanted: Wanted, said: list[str], *, count: int
) -> int | None:
    if wanted.channel is not None:
        if len(file.channels) != count and wanted.channel.isdigit():  # channels that the file did not know of
            return int(wanted.channel)
        return file.channel_index(wanted.channel)
    if count == 1:
        return None
    listed = ", ".join(f"{number} {name}" for number, name in enumerate(file.channels[:12]))
    found = f"{file.name} has {count} channels ({listed}) and one is needed"
    offered = (proposal.transmitted_channel,) if wanted.role == "transmitted" else proposal.observed_channels
    choices = [choice for choice in offered if choice.value is not None]
    if wanted.role == "any" or len(choices) != 1:
        raise ImageError(f"{found}; which one is meant can't be told. Name the channel by name or number.")
    name = "luminance" if choices[0].value == LUMINANCE else choices[0].value
    value = _accepted(choices[0], found, f"--channel {name}", wanted, said)
    return file.channel_index(str(value))


def _voxel_size(
    file: ImageFile, proposal: Proposal, wanted: Wanted, said: list[str], *, deep: bool, needed: bool
) -> tuple[float, ...] | None:
    known = file.voxel_size_um
    given = wanted.voxel_size_um
    if given is not None:
        if len(given) == 3 or not deep:
            return given
        if known.z is not None:
            return (known.z, *given)
        raise ImageError(
            f"{file.name} is a z-stack and does not say how far apart its planes are. Give --voxel-size "
            "Z,Y,X in um, from the microscope's settings."
        )
    choice = proposal.voxel_size_um
    stated = known.for_axes("ZYX" if deep else "YX")
    if not needed or (stated is not None and choice.confidence >= PROBABLE):
        return None
    if stated is None:
        found = f"{file.name} does not give its full voxel size ({known.source})"
    else:
        found = f"{file.name} gives an improbable voxel size"
    if not isinstance(choice.value, tuple) or any(size is None for size in choice.value[0 if deep else 1 :]):
        option = "--voxel-size Z,Y,X" if deep else "--pixel-size P"
        raise ImageError(f"{found}, and it is needed. Give {option} in um, from the microscope's settings.")
    value = tuple(float(size) for size in choice.value if size is not None)
    _accepted(choice, found, f"--voxel-size {','.join(f'{size:g}' for size in value)}", wanted, said)
    return value


def _time(file: ImageFile, wanted: Wanted, said: list[str], *, count: int) -> int:
    """Return the time point; a file with one, or none, has only 0."""
    if wanted.time is None and count > 1:
        found = f"{file.name} has {count} time points and one is needed"
        if not wanted.accept:
            as_z = "" if "Z" in file.axes else f" If they are the planes of a z-stack, {_as_z(file.axes)}."
            raise ImageError(f"{found}. Add --time with a number from 0 to {count - 1}.{as_z}")
        said.append(f"{found}: took the first.")
    time = wanted.time or 0
    if not 0 <= time < count:
        points = "one time point" if count == 1 else f"{count} time points, numbered from 0"
        raise ImageError(f"{file.name} has {points}; there is no time point {time}. Choose another.")
    return time


def _as_z(axes: str) -> str:
    return f"add --axes {axes.replace('T', 'Z')}"


def _units(path: str | Path) -> str:
    """Return the unit that this software wrote into a file; empty for any other file."""
    try:
        return str(read_provenance(path).get("units") or "")
    except ImageError:
        return ""


def _accepted(choice: Choice, found: str, option: str, wanted: Wanted, said: list[str]) -> object:
    """Return the proposed value if it is sure or agreed to, and note that it was taken."""
    proposed = f"{choice.value} ({choice.reason}; confidence {choice.confidence:.0%})"
    if choice.confidence < SURE and not wanted.accept:
        raise ImageError(
            f"{found}; proposed is {proposed}, which is not sure enough to go on. Add {option} if that is "
            "right, or --yes to accept what is proposed."
        )
    said.append(f"{found}: took {proposed}.")
    return choice.value
