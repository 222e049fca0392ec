"""Where a network contradicts itself: the disagreement of its predictions over flips and rotations."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from labelfree_core.errors import PredictionError
from labelfree_core.images.stack import ImageStack
from labelfree_core.inference.options import PredictOptions, Progress, ProgressCallback
from labelfree_core.inference.predict import predict
from labelfree_core.models.store import ModelEntry

Volume = npt.NDArray[np.float32]

# Quarter turns, and whether mirrored first. A microscope has no preferred direction in the plane, so all
# eight views are equally good images of the same field; in z it has one, so planes stay in their order.
ALL_VIEWS = tuple((turns, mirrored) for mirrored in (False, True) for turns in range(4))
FAST_VIEWS = ((0, False), (1, True), (2, False), (3, True))
EXTENTS = ("fast", "full")
# A fast crop is no smaller than this in the image's own pixels, where the image allows.
_LEAST_PX = 96
# Before this share of the work the time that passed says nothing about the time to come.
_EARLY = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """
    How much views of the same field disagree, voxel by voxel.

    Parameters
    ----------
    map : float32 array, shape (Z, Y, X) or (Y, X), in units of the prediction
        Standard deviation over the views.
    mean : float32 array, same shape
        Mean over the views: a slightly better prediction than any of them.
    voxel_size_um : tuple of float
        Of both; the grid is that of the network.
    offset_um : tuple of float
        Where the first voxel lies in the image; not zero for a crop.
    views : int
        How many flips and rotations were predicted.
    share : float
        Part of the image's area that was looked at.
    seconds : float
    """

    map: Volume
    mean: Volume
    voxel_size_um: tuple[float, ...]
    offset_um: tuple[float, ...]
    views: int
    share: float
    seconds: float

    @property
    def typical(self) -> float:
        """Root mean square of the map over the standard deviation of the mean: 0 is perfect agreement."""
        contrast = float(self.mean.std(dtype=np.float64))
        disagreement = float(np.sqrt(np.square(self.map, dtype=np.float64).mean()))
        return disagreement / contrast if contrast > 0 else float("inf")


def spread(
    stack: ImageStack,
    model: ModelEntry | str,
    *,
    extent: str = "fast",
    options: PredictOptions | None = None,
    progress: ProgressCallback | None = None,
) -> Spread:
    """
    Predict flipped and rotated copies of an image and measure how much they disagree.

    Parameters
    ----------
    stack : ImageStack
        Transmitted-light image with its voxel size.
    model : ModelEntry or str
    extent : {"fast", "full"}
        ``"fast"``: four views of the middle quarter of the area, which costs about as much as one
        prediction; ``"full"``: all eight views of the whole image.
    options : PredictOptions, optional
        Device and memory; the grid is always the model's.
    progress : callable, optional
        As for a prediction, called for each view.

    Returns
    -------
    spread : Spread

    Raises
    ------
    PredictionError
        If image and model do not fit together, or *extent* does not exist.
    """
    if extent not in EXTENTS:
        raise PredictionError(f"The extent {extent!r} does not exist; choose one of {', '.join(EXTENTS)}.")
    started = time.perf_counter()
    wanted = replace(options or PredictOptions(), grid="model", fit="pad")
    part, corner_px = (stack, (0, 0)) if extent == "full" else middle(stack)
    views = ALL_VIEWS if extent == "full" else FAST_VIEWS
    count, mean, squares, size = 0, np.zeros(0), np.zeros(0), stack.voxel_size_um or ()
    for number, view in enumerate(views):
        inner = None if progress is None else _within(progress, number, len(views), started)
        predicted = predict(turned(part, view), model, options=wanted, progress=inner)
        voxels = turned_back(predicted.voxels, view).astype(np.float64)
        if count == 0:  # Welford's running mean and squares: two volumes, however many views
            mean, squares, size = np.zeros_like(voxels), np.zeros_like(voxels), predicted.voxel_size_um
        count += 1
        change = voxels - mean
        mean += change / count
        squares += change * (voxels - mean)
    corner_um = tuple(c * s for c, s in zip(corner_px, (stack.voxel_size_um or (1.0, 1.0))[-2:], strict=True))
    return Spread(
        np.sqrt(squares / (count - 1)).astype(np.float32),
        mean.astype(np.float32),
        size,
        (0.0,) * (mean.ndim - 2) + corner_um,
        count,
        float(np.prod(part.shape[-2:]) / np.prod(stack.shape[-2:])),
        time.perf_counter() - started,
    )


def _within(progress: ProgressCallback, number: int, count: int, started: float) -> ProgressCallback:
    """Count the progress of one view as a part of all of them."""

    def tell(now: Progress) -> None:
        fraction = (number + now.fraction) / count
        passed = time.perf_counter() - started
        left = passed * (1 - fraction) / fraction if fraction > _EARLY else None
        progress(Progress(fraction, left, f"View {number + 1} of {count}"))

    return tell


def middle(stack: ImageStack) -> tuple[ImageStack, tuple[int, int]]:
    """
    Cut the middle quarter of the area out of an image; return it and its first pixel (y, x).

    Examples
    --------
    >>> part, corner = middle(ImageStack(np.zeros((2, 400, 600), np.uint8)))
    >>> part.shape, corner
    ((2, 200, 300), (100, 150))
    """
    sides = [min(n, max(_LEAST_PX, -(-n // 2))) for n in stack.shape[-2:]]
    y, x = ((n - side) // 2 for n, side in zip(stack.shape[-2:], sides, strict=True))
    return stack.with_voxels(stack.voxels[..., y : y + sides[0], x : x + sides[1]]), (y, x)


def turned(stack: ImageStack, view: tuple[int, bool]) -> ImageStack:
    """Mirror and turn an image in its plane, its voxel size with it."""
    turns, mirrored = view
    voxels = stack.voxels[..., ::-1] if mirrored else stack.voxels
    size = stack.voxel_size_um
    if size is not None and turns % 2:
        size = (*size[:-2], size[-1], size[-2])
    voxels = np.ascontiguousarray(np.rot90(voxels, turns, axes=(-2, -1)))
    return replace(stack, voxels=voxels, voxel_size_um=size)


def turned_back(voxels: npt.NDArray[np.floating], view: tuple[int, bool]) -> npt.NDArray[np.floating]:
    """Undo :func:`turned` on an array."""
    turns, mirrored = view
    back = np.rot90(voxels, -turns, axes=(-2, -1))
    return back[..., ::-1] if mirrored else back
