"""What a person may choose about a prediction, and what is reported while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from labelfree_core.errors import PredictionError

DEVICES = ("auto", "cpu", "cuda", "mps")
GRIDS = ("input", "model")
FITS = ("pad", "crop")
ENGINES = ("torch", "preview")


@dataclass(frozen=True, slots=True)
class PredictOptions:
    """
    How a prediction is made; the defaults suit nearly everybody.

    Parameters
    ----------
    device : str
        ``"auto"`` (the best there is), ``"cpu"``, ``"cuda"`` or ``"mps"``.
    grid : str
        ``"input"``: the prediction has the voxels of the image. ``"model"``: it stays at the
        voxel size of the network.
    memory_bytes : int or None
        Upper limit of working memory; None takes the installation's share of what is free.
    tile : tuple of int or None
        Largest tile in voxels of the network's grid; None plans it for the memory at hand.
    fit : str
        ``"pad"``: reflect the image to a size the network takes and cut the result back.
        ``"crop"``: cut the middle out, as the published tutorial does; only with ``grid="model"``.
    engine : str
        ``"torch"``, or ``"preview"``: 8-bit arithmetic on a processor, quicker, for looking and not for
        measuring.

    Raises
    ------
    PredictionError
        If a choice does not exist, or two do not go together.
    """

    device: str = "auto"
    grid: str = "input"
    memory_bytes: int | None = None
    tile: tuple[int, ...] | None = None
    fit: str = "pad"
    engine: str = "torch"

    def __post_init__(self) -> None:
        for name, known in (("device", DEVICES), ("grid", GRIDS), ("fit", FITS), ("engine", ENGINES)):
            if getattr(self, name) not in known:
                raise PredictionError(
                    f"The {name} {getattr(self, name)!r} does not exist; choose one of {', '.join(known)}."
                )
        if self.fit == "crop" and self.grid == "input":
            raise PredictionError(
                "A cropped prediction no longer covers the image, so it can't be put back on the image's "
                'own grid. Choose the grid "model", or pad instead of crop.'
            )
        if self.memory_bytes is not None and self.memory_bytes < 1:
            raise PredictionError(
                f"A memory limit of {self.memory_bytes} bytes leaves no room; give some hundred megabytes."
            )


@dataclass(frozen=True, slots=True)
class Progress:
    """
    How far a prediction is.

    ``fraction`` of the work from 0 to 1, ``seconds_left`` where it can be told, ``stage`` in
    words for the person.
    """

    fraction: float
    seconds_left: float | None
    stage: str


ProgressCallback = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Estimate:
    """
    What a prediction will take, told before it starts.

    ``seconds`` and ``peak_bytes`` (beyond image and result), number of ``tiles``, the
    ``device``, and ``warnings``, one sentence each.
    """

    seconds: float
    peak_bytes: int
    tiles: int
    device: str
    warnings: tuple[str, ...] = ()
