"""Open an image file, find out what it holds, and read the part that is wanted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labelfree_core.errors import ImageError
from labelfree_core.images import formats
from labelfree_core.images.intensity import check_voxels
from labelfree_core.images.layout import VoxelSize
from labelfree_core.images.stack import ImageStack, Origin
from labelfree_core.images.text import file_name
from labelfree_core.images.thumbnails import LUMINANCE, LUMINANCE_WEIGHTS, thumbnail

__all__ = ["LUMINANCE", "ImageFile", "VoxelSize", "check_voxels", "open_image", "thumbnail"]

_COLOURS = ("red", "green", "blue", "alpha")


@dataclass(frozen=True)
class ImageFile:
    """
    An image file on disk: what its headers say. Voxels are read when :meth:`read` asks for them.

    ``axes`` has one letter for each entry of ``shape``: T, C, Z, Y, X, S (red, green, blue), or what
    the format calls an axis without a meaning (Q, I). ``channel_names`` has one entry a channel, ``""``
    where the file names none. ``voxel_size_um`` says what the file states; entries are None where it is
    silent. ``notes`` are sentences that the person should read. ``simulated`` is True where the file
    says that no microscope took it.
    """

    path: Path
    name: str
    axes: str
    shape: tuple[int, ...]
    dtype: np.dtype
    channel_names: tuple[str, ...]
    voxel_size_um: VoxelSize
    simulated: bool
    format: str
    description: str = ""
    notes: tuple[str, ...] = ()

    @cached_property
    def sha256(self) -> str:
        """Hex digest of the whole file, computed once, when it is first asked for."""
        digest = hashlib.sha256()
        with formats.opened(self.path) as file:
            while block := file.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()

    @property
    def sizes(self) -> dict[str, int]:
        """Length of each axis."""
        return dict(zip(self.axes, self.shape, strict=True))

    @property
    def channels(self) -> tuple[str, ...]:
        """A label for each channel: its name, its colour, or ``"channel 0"``."""
        if "C" not in self.axes and "S" in self.axes:
            return tuple((*_COLOURS, *map(str, range(self.sizes["S"])))[: self.sizes["S"]])
        return tuple(name or f"channel {index}" for index, name in enumerate(self.channel_names))

    def channel_index(self, name_or_index: str) -> int:
        """
        Find a channel by its name, in capitals or not, or by its number from 0.

        For a colour image also ``"luminance"`` (-1), ``"red"``, ``"green"`` and ``"blue"``.

        Raises
        ------
        ImageError
            If no channel, or more than one, has that name; the text lists them.
        """
        wanted = str(name_or_index).strip()
        labels = self.channels
        if (
            "S" in self.axes
            and "C" not in self.axes
            and wanted.lower() in ("luminance", "grey", "gray", "-1")
        ):
            return LUMINANCE
        if wanted.isascii() and wanted.isdigit() and len(wanted) < 9 and int(wanted) < len(labels):
            return int(wanted)
        folded = [label.casefold() for label in labels]
        same = [i for i, label in enumerate(folded) if label == wanted.casefold()]
        # "dna" is enough for "DNA Hoechst" where no other channel says it.
        same = same or [i for i, label in enumerate(folded) if wanted and wanted.casefold() in label]
        if len(same) == 1:
            return same[0]
        found = "several channels are" if same else "no channel is"
        raise ImageError(
            f"In {self.name} {found} called '{file_name(wanted)}'; it has {_listed(labels)}. Give one of "
            "these "
            f"names or a number from 0 to {len(labels) - 1}."
        )

    def read(
        self,
        *,
        channel: int | None = None,
        time: int = 0,
        axes: str | None = None,
        voxel_size_um: tuple[float, ...] | None = None,
        planes: slice | None = None,
    ) -> ImageStack:
        """
        Read one channel at one time point.

        Parameters
        ----------
        channel : int or None
            Needed where the file has several. For a colour image 0, 1, 2, or -1 for luminance.
        time : int
            Time point from 0.
        axes : str or None
            What the axes of the file really are, one letter each, e.g. ``"ZYX"`` where the file
            says ``"TYX"``. None takes the file's word.
        voxel_size_um : tuple of float or None
            (z, y, x) or (y, x); None takes the file's, and leaves it open where the file is silent.
        planes : slice or None
            Only these z planes, e.g. for a look; the origin then carries no hash.

        Returns
        -------
        stack : ImageStack
            (Z, Y, X), or (Y, X) where there is a single plane, in the file's own dtype
            (luminance: float32).

        Raises
        ------
        ImageError
            If the file leaves open which axis or channel is meant, or can't be read.
        """
        letters = self._letters(axes)
        index, luminance = self._channel(letters, channel)
        voxels = self._voxels(letters, index, time, planes=planes)
        if luminance:
            voxels = (voxels[..., :3].astype(np.float32) @ LUMINANCE_WEIGHTS).astype(np.float32)
        if voxels.ndim == 3 and len(voxels) == 1 and planes is None:
            voxels = voxels[0]
        size = voxel_size_um
        if size is None:
            size = self.voxel_size_um.for_axes("ZYX"[-voxels.ndim :])
        elif len(size) == 3 and voxels.ndim == 2:
            size = size[1:]
        labels = self.channels
        origin = Origin(
            name=self.name,
            sha256=self.sha256 if planes is None else "",
            channel_index=index,
            channel_name="luminance" if luminance else dict(enumerate(labels)).get(index or 0, ""),
            simulated=self.simulated,
        )
        return ImageStack(voxels, size, origin)

    def region(self, region: tuple[int | slice, ...]) -> npt.NDArray[np.generic]:
        """
        Read any part of the file, one int or slice for each letter of ``axes``; an int drops its axis.

        Raises
        ------
        ImageError
            If that part is damaged, or does not fit into the memory that is free.
        """
        try:
            return formats.read_region(self.path, region)
        except ImageError as problem:
            raise ImageError(f"{self.name}: {problem}") from problem

    def _letters(self, axes: str | None) -> str:
        letters = self.axes if axes is None else axes.upper()
        fits = (
            len(letters) == len(self.axes)
            and len(set(letters)) == len(letters)
            and {"Y", "X"} <= set(letters)
        )
        if not fits:
            raise ImageError(
                f"The axes '{file_name(letters)}' do not fit {self.name}, which has {len(self.axes)} axes of "
                "lengths "
                f"{self.shape}; give one letter for each, once: T, C, Z, Y, X, S (colour)."
            )
        unknown = [(a, n) for a, n in zip(letters, self.shape, strict=True) if a not in "TCZYXS" and n > 1]
        if unknown:
            count = " x ".join(str(n) for _, n in unknown)
            guess = letters.replace(unknown[-1][0], "Z")
            raise ImageError(
                f"{self.name} does not say whether its {count} planes are z, time or channels. State the "
                "axes, e.g. "
                f"{guess} for a z-stack."
            )
        return letters

    def _channel(self, letters: str, channel: int | None) -> tuple[int | None, bool]:
        """Channel number (None where there is but one) and whether luminance is wanted."""
        lengths = dict(zip(letters, self.shape, strict=True))
        axis = "C" if lengths.get("C", 1) > 1 or "S" not in lengths else "S"
        count = lengths.get(axis, 1)
        if axis == "S" and channel == LUMINANCE and count >= 3:
            return None, True
        if channel is None and count > 1:
            extra = " or luminance (-1)" if axis == "S" else ""
            labels = (
                self.channels if len(self.channels) == count else tuple(f"channel {i}" for i in range(count))
            )
            raise ImageError(f"{self.name} has {count} channels: {_listed(labels)}. Choose one{extra}.")
        if channel is not None and not 0 <= channel < count:
            raise ImageError(
                f"{self.name} has {count} channel{'s' * (count > 1)}, numbered from 0; there is no channel "
                f"{channel}. "
                "Choose another."
            )
        return (channel or 0), False

    def _voxels(
        self, letters: str, index: int | None, time: int, *, planes: slice | None
    ) -> npt.NDArray[np.generic]:
        """Voxels in the order Z, Y, X (and S for luminance)."""
        region: list[int | slice] = []
        kept = ""
        lengths = dict(zip(letters, self.shape, strict=True))
        by_colour = lengths.get("C", 1) == 1 and "S" in lengths
        for letter, length in zip(letters, self.shape, strict=True):
            part: int | slice = 0
            if letter == "T":
                if not 0 <= time < length:
                    raise ImageError(
                        f"{self.name} has {length} time points, numbered from 0; there is no time point "
                        f"{time}."
                    )
                part = time
            elif letter == "C":
                part = 0 if by_colour else (index or 0)
            elif letter == "S":
                part = (slice(None) if index is None else index) if by_colour else 0
            elif letter in "ZYX":
                part = planes if letter == "Z" and planes is not None else slice(None)
            region.append(part)
            kept += letter if isinstance(part, slice) else ""
        voxels = self.region(tuple(region))
        order = [kept.index(letter) for letter in "ZYXS" if letter in kept]
        return np.ascontiguousarray(voxels.transpose(order))


def open_image(path: str | Path, *, name: str | None = None) -> ImageFile:
    """
    Open an image file by its headers; no voxel is read.

    Parameters
    ----------
    path : str or Path
        OME-TIFF, ImageJ or any other TIFF, BigTIFF, PNG, JPEG, or NumPy ``.npy``.
    name : str or None
        What to call it; None for the file's own name.

    Returns
    -------
    file : ImageFile

    Raises
    ------
    ImageError
        If there is no such file, or it is none of these formats, or its headers are damaged.
    """
    path = Path(path)
    shown = file_name(name if name is not None else path.name)
    try:
        layout = formats.layout(path)
    except ImageError as problem:
        said = str(problem).replace(file_name(path.name), shown)  # an upload lies under a name of our own
        raise ImageError(said if shown in said else f"{shown}: {said}") from problem
    return ImageFile(
        path=path,
        name=shown,
        axes=layout.axes,
        shape=layout.shape,
        dtype=layout.dtype,
        channel_names=layout.channel_names,
        voxel_size_um=layout.voxel_size_um,
        simulated=layout.simulated,
        format=layout.format,
        description=layout.description,
        notes=layout.notes,
    )


def _listed(labels: tuple[str, ...]) -> str:
    """At most a dozen labels with their numbers."""
    shown = [f"{index} {label}" for index, label in enumerate(labels[:12])]
    return ", ".join(shown) + (f" and {len(labels) - 12} more" if len(labels) > 12 else "")
