"""What several verbs share: options for reading an image, output in words or JSON, progress."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from labelfree_core.errors import ImageError

if TYPE_CHECKING:
    from labelfree_core.images.stack import ImageStack
    from labelfree_core.inference.options import Progress
    from labelfree_core.loading import Loaded, Wanted

Verbs = argparse._SubParsersAction


def size_in_um(text: str) -> tuple[float, ...]:
    """
    Read ``Z,Y,X`` or ``Y,X``.

    >>> size_in_um("0.29,0.1,0.1")
    (0.29, 0.1, 0.1)
    """
    parts = text.replace(" ", "").split(",")
    try:
        sizes = tuple(float(part) for part in parts)
    except ValueError:
        sizes = ()
    if len(sizes) not in (2, 3):
        raise argparse.ArgumentTypeError(f"{text!r} is not Z,Y,X in um, such as 0.29,0.108,0.108")
    return sizes


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")


def add_image_options(parser: argparse.ArgumentParser, role: str = "") -> None:
    """
    Add the options that say what to take from an image file.

    Parameters
    ----------
    parser : ArgumentParser
    role : str
        Prefix where a verb reads two files: ``"observed"`` gives ``--observed-channel``.
    """
    start = f"--{role}-" if role else "--"
    whose = f" of the {role} image" if role else ""
    parser.add_argument(f"{start}channel", metavar="NAME|INDEX", help=f"channel{whose}, from 0")
    parser.add_argument(f"{start}time", type=int, metavar="T", help=f"time point{whose}, from 0")
    parser.add_argument(f"{start}axes", metavar="AXES", help=f"axes{whose} where the file has them wrong")
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument(
        f"{start}voxel-size", type=size_in_um, metavar="Z,Y,X", help=f"voxel size{whose} in um"
    )
    sizes.add_argument(
        f"{start}pixel-size", type=float, metavar="P", help=f"pixel size{whose} in Y and X, in um"
    )


def add_yes(parser: argparse.ArgumentParser) -> None:
    """Add ``--yes``."""
    parser.add_argument(
        "--yes", action="store_true", help="accept the proposed channel, axes and voxel size, sure or not"
    )


def wanted_from(arguments: argparse.Namespace, role: str = "", *, propose: str = "any") -> Wanted:
    """
    Collect what the person said about one file.

    Parameters
    ----------
    arguments : Namespace
    role : str
        The prefix given to :func:`add_image_options`.
    propose : {"transmitted", "observed", "any"}
        Which channel may be proposed.
    """
    from labelfree_core.loading import Wanted

    start = f"{role}_" if role else ""
    pixel = getattr(arguments, f"{start}pixel_size")
    return Wanted(
        channel=getattr(arguments, f"{start}channel"),
        voxel_size_um=(pixel, pixel) if pixel is not None else getattr(arguments, f"{start}voxel_size"),
        axes=getattr(arguments, f"{start}axes"),
        time=getattr(arguments, f"{start}time"),
        role=propose,
        accept=bool(getattr(arguments, "yes", False)),
    )


def load(path: str, wanted: Wanted) -> ImageStack:
    """Read one stack to measure in; a missing voxel size is no obstacle."""
    return load_aloud(path, wanted, need_size=False).stack


def load_aloud(path: str, wanted: Wanted, *, need_size: bool) -> Loaded:
    """Read one stack, and say on stderr what was taken without having been asked for."""
    from labelfree_core import loading

    loaded = loading.load(path, wanted, need_size=need_size)
    for sentence in loaded.said:
        note(sentence)
    return loaded


def load_two(arguments: argparse.Namespace) -> tuple[ImageStack, ImageStack]:
    """Read OBSERVED and PREDICTED with their options."""
    observed = load(arguments.observed, wanted_from(arguments, "observed", propose="observed"))
    return observed, load(arguments.predicted, wanted_from(arguments, "predicted"))


def add_region(parser: argparse.ArgumentParser, whose: str) -> None:
    """Add ``--region``."""
    parser.add_argument(
        "--region",
        metavar="NAME|INDEX|none",
        help=f"channel of {whose} that is above zero where the stain is known; only this part counts. "
        "Proposed where names say so; 'none' takes the whole field",
    )


def load_region(path: str, wanted: Wanted, observed: ImageStack, region: str | None) -> ImageStack | None:
    """
    Read the region of interest that was named, or that the file's own names make sure.

    Parameters
    ----------
    path : str
        The file of the observed image.
    wanted : Wanted
        How that was read.
    observed : ImageStack
    region : str or None
        What the person said: a channel, ``"none"``, or nothing.
    """
    from labelfree_core.images.proposal import propose
    from labelfree_core.images.reading import open_image
    from labelfree_core.loading import SURE

    if region is not None and region.lower() == "none":
        return None
    if region is None:
        file = open_image(path)
        choice = propose(file).regions.get(
            -1 if observed.origin.channel_index is None else observed.origin.channel_index
        )
        if choice is None:
            return None
        if choice.confidence < SURE and not wanted.accept:
            note(f"{choice.reason}. Add --region {choice.value} (or --yes) to count only those.")
            return None
        note(f"{choice.reason}: only those count. Add --region none for the whole field.")
        region = str(choice.value)
    return load(path, replace(wanted, channel=region, role="any"))


def add_two_images(parser: argparse.ArgumentParser) -> None:
    """Add OBSERVED, PREDICTED and the options for reading them."""
    parser.add_argument("observed", metavar="OBSERVED", help="image file with the stain")
    parser.add_argument("predicted", metavar="PREDICTED", help="image file with the prediction")
    for role in ("observed", "predicted"):
        add_image_options(parser, role)
    add_yes(parser)


def output_path(text: str, *inputs: str) -> Path:
    """
    Check where a result goes before anything is computed.

    Raises
    ------
    ImageError
        If it would overwrite an input, or its folder does not exist.
    """
    path = Path(text)
    if any(path.exists() and Path(other).exists() and path.samefile(other) for other in inputs):
        raise ImageError(
            f"The output {path} is the input file itself, which is never overwritten. Name another."
        )
    if path.is_dir():
        raise ImageError(
            f"The output {path} is a folder; name a file in it, such as {path / 'result.ome.tif'}."
        )
    if not path.parent.is_dir():
        raise ImageError(
            f"The folder {path.parent} for the output does not exist. Make it first, or name another."
        )
    return path


def say(text: str) -> None:
    """Write one line of result to stdout."""
    sys.stdout.write(text + "\n")


def say_json(document: object) -> None:
    """Write one JSON document to stdout, readable by any console."""
    say(json.dumps(document, indent=2, allow_nan=False, default=str))


def note(text: str) -> None:
    """Write one line about the work to stderr."""
    sys.stderr.write(f"labelfree: {text}\n")


class ProgressLine:
    """One line that counts up on stderr, on a terminal only."""

    def __init__(self, label: str = "") -> None:
        self._label = f"{label}: " if label else ""
        self._shown = sys.stderr.isatty()
        self._width = 0

    def __call__(self, progress: Progress) -> None:
        """Show how far it is."""
        if not self._shown:
            return
        left = "" if progress.seconds_left is None else f", about {progress.seconds_left:.0f} s left"
        line = f"{self._label}{progress.stage} {progress.fraction:.0%}{left}"
        sys.stderr.write("\r" + line.ljust(self._width))
        sys.stderr.flush()
        self._width = len(line)

    def close(self) -> None:
        """Clear the line."""
        if self._shown and self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            sys.stderr.flush()
            self._width = 0
