"""What a file says about its own image, in the same words for every format."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

UM_PER_UNIT = {
    "m": 1e6, "meter": 1e6, "metre": 1e6,
    "dm": 1e5,
    "cm": 1e4, "centimeter": 1e4, "centimetre": 1e4,
    "mm": 1e3, "millimeter": 1e3, "millimetre": 1e3,
    "um": 1.0, "µm": 1.0, "μm": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0, "micrometre": 1.0,
    "nm": 1e-3, "nanometer": 1e-3, "nanometre": 1e-3,
    "pm": 1e-6,
    "å": 1e-4, "angstrom": 1e-4,
    "in": 25400.0, "inch": 25400.0, "inches": 25400.0,
    "thou": 25.4, "mil": 25.4,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class VoxelSize:
    """
    The size of a voxel as its file states it; None where it does not, or where that can't be.

    ``z``, ``y``, ``x`` are micrometres, ``source`` says in words where they come from or why
    they are missing.
    """

    z: float | None = None
    y: float | None = None
    x: float | None = None
    source: str = "the file states no voxel size"

    def for_axes(self, axes: str) -> tuple[float, ...] | None:
        """Sizes in the order of *axes* (``"ZYX"`` or ``"YX"``), or None where one is missing."""
        sizes = [{"Z": self.z, "Y": self.y, "X": self.x}[axis] for axis in axes]
        known = tuple(size for size in sizes if size is not None)
        return known if len(known) == len(sizes) else None


@dataclass(frozen=True, slots=True)
class Layout:
    """
    Axes and sizes of one image file, read from its headers alone.

    ``axes`` has one letter for each entry of ``shape``: T, C, Z, Y, X, S (red, green, blue) or what
    the format calls an axis that it does not name (Q, I). ``notes`` are sentences for the person.
    """

    axes: str
    shape: tuple[int, ...]
    dtype: np.dtype
    format: str
    channel_names: tuple[str, ...] = ()
    voxel_size_um: VoxelSize = VoxelSize()
    simulated: bool = False
    description: str = ""
    notes: tuple[str, ...] = ()


def to_um(value: object, unit: str) -> float | None:
    """
    A length in micrometres, or None where the value or its unit is no length.

    Examples
    --------
    >>> to_um("290", "nm"), to_um(1, "pixel"), to_um(0, "um")
    (0.29, None, None)
    """
    if not isinstance(value, (str, int, float, np.number)):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    unit = unit.strip().replace("\\u00B5", "µ").replace("\\u00b5", "µ").lower()
    size = number * UM_PER_UNIT.get(unit, math.nan)
    # 12 digits: 290 nm are 0.29 um and not 0.29000000000000004.
    return float(f"{size:.12g}") if math.isfinite(size) and size > 0 else None
