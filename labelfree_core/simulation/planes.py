"""Single planes at low power: the microscopes that take them, and how a plane is cut from a stack."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelfree_core.simulation.optics import Transmitted


@dataclass(frozen=True, slots=True)
class LowPower:
    """
    A microscope for single planes.

    ``light`` its optics, ``shape`` and ``voxel_size_um`` (z, y, x) of the stack to simulate, of which squares
    of ``bin`` pixels make one of the camera; the transmitted plane lies ``around`` (from, to) planes of the
    sharpest stain, or of the lowest plane where ``defocused``.
    """

    light: Transmitted
    shape: tuple[int, int, int]
    voxel_size_um: tuple[float, float, float]
    bin: int
    channel: str
    around: tuple[int, int] = (-2, 2)
    defocused: bool = False

    @property
    def pixel_um(self) -> tuple[float, float]:
        """(y, x) of the camera's pixels in micrometres."""
        return self.voxel_size_um[1] * self.bin, self.voxel_size_um[2] * self.bin


_FINE, _SHAPE = (0.6, 0.3112, 0.3112), (16, 256, 320)
# Thin cells in focus have next to no contrast in bright-field, so its planes are taken below them.
LOW_POWER = {
    "bright-field": LowPower(
        Transmitted(na=0.45, na_condenser=0.3, wavelength_um=0.55),
        _SHAPE,
        _FINE,
        1,
        "Bright_20",
        (0, 5),
        defocused=True,
    ),
    "phase contrast": LowPower(
        Transmitted("phase contrast", na=0.45, na_condenser=0.3, wavelength_um=0.55),
        (12, 320, 416),
        (0.6, 0.325, 0.325),
        2,
        "Phase_20",
    ),
    "DIC": LowPower(
        Transmitted("DIC", na=0.45, na_condenser=0.3, wavelength_um=0.55), _SHAPE, _FINE, 1, "DIC_20"
    ),
}


def pixels(volume: npt.NDArray, plane: int, size: int) -> npt.NDArray:
    """Return one plane, its pixels averaged in squares of *size*."""
    height, width = (n // size for n in volume.shape[1:])
    image = volume[plane, : height * size, : width * size].astype(np.float64)
    image = image.reshape(height, size, width, size).mean(axis=(1, 3))
    return np.rint(image).astype(volume.dtype)


def sharpest(volume: npt.NDArray) -> int:
    """Return the plane with the largest spread."""
    return int(np.argmax(volume.std(axis=(1, 2))))
