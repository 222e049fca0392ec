"""One channel of one image, with the axes and sizes needed to measure in it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from labelfree_core.errors import ImageError


@dataclass(frozen=True, slots=True)
class Origin:
    """
    Where the voxels of a stack come from.

    ``name`` is the file's own name without folders, ``sha256`` the hex digest of the
    whole file (empty where the voxels never were a file), ``channel_index`` and
    ``channel_name`` say which channel was taken, ``simulated`` whether the image was
    computed and never seen by a microscope.
    """

    name: str = "array"
    sha256: str = ""
    channel_index: int | None = None
    channel_name: str = ""
    simulated: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class ImageStack:
    """
    One channel of one image: a z-stack (Z, Y, X) or a single plane (Y, X).

    Parameters
    ----------
    voxels : array, shape (Z, Y, X) or (Y, X), integer or floating point
        Intensities as they were read.
    voxel_size_um : tuple of float or None
        Micrometres, in the order of the axes of *voxels*; None where the file does not
        say and nobody was asked yet. Nothing fills it in silently.
    origin : Origin
        File, hash and channel.
    units : str
        Unit of the intensities, ``"camera counts"`` unless stated.

    Raises
    ------
    ImageError
        If the axes, the sizes or the dtype can't be those of one image.
    """

    voxels: npt.NDArray[np.generic]
    voxel_size_um: tuple[float, ...] | None = None
    origin: Origin = field(default_factory=Origin)
    units: str = "camera counts"

    def __post_init__(self) -> None:
        shape = self.voxels.shape
        if self.voxels.ndim not in (2, 3):
            raise ImageError(
                f"{self.origin.name} has {self.voxels.ndim} axes {shape}; one z-stack has 3 (Z, Y, X) and "
                "one plane has 2 (Y, X). Choose one channel and one time point."
            )
        if min(shape) < 1:
            raise ImageError(f"{self.origin.name} is empty {shape}. Save the image again and load that file.")
        if self.voxels.dtype.kind not in "buif":
            raise ImageError(
                f"{self.origin.name} holds values of type {self.voxels.dtype}; an image needs whole or real "
                "numbers. Save it as an 8-bit, 16-bit or 32-bit float TIFF."
            )
        if self.voxel_size_um is None:
            return
        if len(self.voxel_size_um) != self.voxels.ndim:
            raise ImageError(
                f"{len(self.voxel_size_um)} voxel sizes {self.voxel_size_um} were given for an image with "
                f"{self.voxels.ndim} axes {shape}; give one size in micrometres for each axis."
            )
        if not all(np.isfinite(size) and size > 0 for size in self.voxel_size_um):
            raise ImageError(
                f"The voxel size {self.voxel_size_um} um can't be right; every size has to be a positive "
                "number of micrometres. Type the sizes from the microscope's settings."
            )

    @property
    def axes(self) -> str:
        """``"ZYX"`` for a z-stack, ``"YX"`` for a single plane."""
        return "ZYX"[-self.voxels.ndim :]

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along each axis, in the order of :attr:`axes`."""
        return self.voxels.shape

    def with_voxels(self, voxels: npt.NDArray[np.generic], *, units: str | None = None) -> ImageStack:
        """Return the same stack with other voxels (same axes, voxel size and origin)."""
        return replace(self, voxels=voxels, units=self.units if units is None else units)
