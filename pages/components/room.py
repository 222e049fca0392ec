"""How much memory one person's open image and results may take, and which results go when it is too much."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from labelfree_core.errors import ImageError
from labelfree_core.settings import Settings

if TYPE_CHECKING:
    from labelfree_core.analysis.spread import Spread
    from labelfree_core.inference.prediction import Prediction
    from pages.components.session import BatchItem, Look, Opened, ResultKey, Session

# Channels of the open image that stay in memory once they were read.
CHANNELS = 4
MIB = 2**20
NAMED = 3


class Held(NamedTuple):
    """A result that the session keeps: how people call it, its bytes, and how to let it go."""

    result: Prediction | Spread
    name: str
    size: int
    drop: Callable[[], None]


def image_bytes(opened: Opened | None) -> int:
    """Memory that the open image takes at most: one time point of the channels that are kept."""
    if opened is None:
        return 0
    channels = min(max(opened.sizes.get("C", 1), opened.sizes.get("S", 1)), CHANNELS)
    return channels * channel_bytes(opened)


def channel_bytes(opened: Opened) -> int:
    """Memory of one channel of an image at one time point."""
    sizes = opened.sizes
    return sizes.get("Z", 1) * sizes.get("Y", 1) * sizes.get("X", 1) * opened.file.dtype.itemsize


def check(opened: Opened) -> None:
    """
    See whether an image leaves any room at all.

    Raises
    ------
    ImageError
        If it alone takes more memory than one person is allowed.
    """
    size, allowed = image_bytes(opened), Settings.read().session_mib * MIB
    if size > allowed:
        raise ImageError(
            f"{opened.file.name} takes {size / MIB:.0f} MiB of memory, and one person is allowed "
            f"{allowed / MIB:g} MiB here. Crop it or save fewer planes, or use the command line on your own "
            "computer."
        )


def check_pairs(files: Sequence[Opened]) -> None:
    """
    See whether the pairs of a training leave any room; one channel of each file is read.

    Raises
    ------
    ImageError
        If together they take more memory than one person is allowed.
    """
    size = sum(channel_bytes(opened) for opened in files)
    allowed = Settings.read().session_mib * MIB
    if size > allowed:
        raise ImageError(
            f"The pairs take {size / MIB:.0f} MiB of memory together, and one person is allowed "
            f"{allowed / MIB:g} MiB here. Bring fewer or smaller ones, or train on your own computer."
        )


def make(work: Session, newest: Prediction | Spread | None = None) -> None:
    """Let the oldest results go until image and results fit; the open image and the newest result stay."""
    held = {id(each.result): each for each in _held(work)}
    work.arrived = [known for known in work.arrived if id(known) in held and known is not newest]
    if newest is not None:
        work.arrived.append(newest)
        work.dropped.pop(held[id(newest)].name, None)
    left = Settings.read().session_mib * MIB - image_bytes(work.image) - sum(h.size for h in held.values())
    while left < 0 and len(work.arrived) > 1:
        oldest = held[id(work.arrived.pop(0))]
        oldest.drop()
        left += oldest.size
        work.dropped[oldest.name] = None


def sentence(work: Session) -> str:
    """Say which results are gone and how to get them again."""
    one, more = len(work.dropped) == 1, len(work.dropped) - NAMED
    names = ", ".join(list(work.dropped)[:NAMED]) + (f" and {more} more" if more > 0 else "")
    return (
        f"To make room in memory, the oldest result{' was' if one else 's were'} dropped: {names}. "
        f"Open the image and predict again to get {'it' if one else 'them'} back."
    )


def _held(work: Session) -> Iterator[Held]:
    """List every result of a session."""
    for key, found in work.predictions.items():
        yield Held(found, _name(found), found.voxels.nbytes, partial(_drop_prediction, work, key))
    for item in work.batch:
        if item.prediction is not None:
            made = item.prediction
            yield Held(made, _name(made), made.voxels.nbytes, partial(_drop_item, item))
    for key, look in work.looks.items():
        if look.spread is not None:
            name = f"the look at where {key.model} is unsure"
            size = look.spread.map.nbytes + look.spread.mean.nbytes
            yield Held(look.spread, name, size, partial(_drop_look, look))


def _name(prediction: Prediction) -> str:
    return f"{prediction.structure} by {prediction.model_id} for {prediction.origin.name}"


def _drop_prediction(work: Session, key: ResultKey) -> None:
    del work.predictions[key]


def _drop_item(item: BatchItem) -> None:
    item.prediction = None
    item.problem = (
        f"{item.name}: its prediction was dropped to make room in memory. Download the others, then predict "
        "this image again in a smaller batch."
    )


def _drop_look(look: Look) -> None:
    look.spread, look.extent = None, ""
