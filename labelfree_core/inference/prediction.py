"""What a prediction is: voxels, and all that is needed to believe, repeat or reject them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from labelfree_core.images.stack import ImageStack, Origin

UNITS = "z-score of the training stain"
PREVIEW = ", 8-bit preview"  # behind the units, wherever they are shown


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """
    A predicted fluorescence image.

    Parameters
    ----------
    voxels : float32 array, shape (Z, Y, X) or (Y, X)
        In *units*, not camera counts.
    voxel_size_um : tuple of float
        Micrometres, in the order of the axes of *voxels*.
    grid : str
        ``"input"`` (the person's own voxels) or ``"model"`` (the voxel size the network works at).
    structure, model_id, model_sha256 : str
        What was predicted, and by which weights.
    origin : Origin
        The transmitted-light image.
    device : str
        ``"cpu"``, ``"cuda"`` or ``"mps"``.
    seconds : dict of str to float
        Time of each step in seconds.
    notes : tuple of str
        What the person should know (padded planes, resampling), one sentence each.
    recipe : dict
        JSON-ready: every choice needed to run this again.
    """

    voxels: npt.NDArray[np.float32]
    voxel_size_um: tuple[float, ...]
    grid: str
    structure: str
    model_id: str
    model_sha256: str
    origin: Origin
    device: str = "cpu"
    units: str = UNITS
    seconds: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    recipe: dict[str, object] = field(default_factory=dict)

    @property
    def preview(self) -> bool:
        """Whether it was made in 8-bit arithmetic: for looking, not for measuring."""
        return self.units.endswith(PREVIEW)

    @property
    def stack(self) -> ImageStack:
        """The predicted image as a stack, for everything that measures or writes one."""
        return ImageStack(self.voxels, self.voxel_size_um, self.origin, self.units)
