"""Checks of light and camera: saturation, shading, stripes, compression, inverted contrast, halos."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from labelfree_core.images.filters import (
    Planes,
    blur,
    blur_columns,
    blur_rows,
    box_mean,
    median_plane,
    row_medians,
)
from labelfree_core.images.finding import Finding, graded, median_from
from labelfree_core.images.intensity import percentiles_of_counts, tally


def saturation(voxels: npt.NDArray[np.generic]) -> Finding:
    """Share of voxels piled up at the brightest or darkest value."""
    sample = voxels.reshape(-1)[:: max(1, voxels.size // 4_000_000)]
    if sample.dtype.kind == "f":
        sample = sample[np.isfinite(sample)]
    values, counts = tally(sample)
    steps_of_one = sample.dtype.kind in "iu"
    top, bottom = (_piled(values, counts, at, steps_of_one=steps_of_one) for at in (-1, 0))
    share, where = max((top, "brightest"), (bottom, "darkest"))
    level = graded(share, note=0.001, warning=0.01, severe=0.1)
    if level == "ok":
        return Finding("saturation", "ok", f"{share:.2%} of the voxels are cut off at the camera's limits.")
    value = values[-1 if where == "brightest" else 0]
    return Finding(
        "saturation",
        level,
        f"{share:.1%} of the voxels have the {where} value there is ({value:.5g}): they are cut off.",
        "What was brighter or darker there is lost, and the network sees flat patches for structure.",
        "Expose less (or more), or choose another lookup range when exporting; record again if you can.",
    )


def _piled(
    values: npt.NDArray[np.float64], counts: npt.NDArray[np.int64], at: int, *, steps_of_one: bool
) -> float:
    """Share of voxels at a limit, where it is far more than its neighbours lead to expect."""
    share = float(counts[at] / counts.sum())
    low, high = percentiles_of_counts(values, counts, (1, 99))
    nearby = np.abs(values - values[at]) <= 0.01 * max(high - low, 1e-12)
    near = float(counts[nearby].sum() / counts.sum())
    steps = max(1.0, 0.01 * (high - low)) if steps_of_one else 4.0
    expected = (near - share) / steps
    return share if share > 4 * expected else 0.0


def grey_levels(voxels: npt.NDArray[np.generic]) -> Finding:
    """How many different values there are."""
    sample = voxels.reshape(-1)[:: max(1, voxels.size // 1_000_000)]
    count = len(tally(sample)[0])
    if count >= 32:
        return Finding("grey levels", "ok", f"{min(count, 65536)} grey levels or more are in use.")
    return Finding(
        "grey levels",
        "warning",
        f"The image has only {count} grey levels.",
        "Fine contrast is lost in steps; this may be a mask, or an image scaled to a wide range.",
        "Load the camera's own 12 or 16-bit file.",
    )


class FastLight:
    """
    Planes without what is slower than 30 pixels, lamp and dirt: the cells and the noise, made as asked for.

    Parameters
    ----------
    planes : float32 array, shape (N, Y, X)
    """

    def __init__(self, planes: Planes) -> None:
        self._planes = planes
        self._made: dict[int, Planes] = {}

    def __iter__(self) -> Iterator[Planes]:
        for n, plane in enumerate(self._planes):
            if n not in self._made:
                self._made[n] = plane - box_mean(plane, 61)
            yield self._made[n]

    def __len__(self) -> int:
        return len(self._planes)


def noise_only(fast: FastLight) -> Finding:
    """Whether neighbouring pixels know anything of each other, once slow light is out."""
    alike = -np.inf
    for plane in fast:
        alike = max(alike, _neighbour_correlation(plane))
        if alike >= 0.15:  # one plane with structure is enough
            return Finding("structure", "ok", "The image holds structure, not only noise.")
    return Finding(
        "structure",
        "severe",
        f"Neighbouring pixels are hardly alike (correlation {alike:.2f}): this is noise and no image of "
        "cells.",
        "Whatever is predicted is invented.",
        "Choose another channel; check that the lamp was on.",
    )


def _neighbour_correlation(flat: Planes) -> float:
    variance = float((flat**2).mean())
    along = float((flat[:, 2:] * flat[:, :-2]).mean()), float((flat[2:] * flat[:-2]).mean())
    return max(along) / variance if variance > 0 else 0.0


def stripes(planes: Planes) -> Finding:
    """Rows or columns brighter than their neighbours all along, as failing cameras and lamps give."""
    heights = []
    for plane in planes:  # one at a time, which stays in the processor's cache
        contrast = max(float(plane.std()), 1e-12)
        across = plane - smooth_across(plane, 0), (plane - smooth_across(plane, 1)).T
        heights.append([_striped(each) / contrast for each in across])
    rows, columns = (float(height) for height in np.median(heights, axis=0))
    worst, direction = max((rows, "rows"), (columns, "columns"))
    level = graded(worst, note=0.1, warning=0.25, severe=1.0)
    if level == "ok":
        return Finding(
            "stripes", "ok", f"Rows and columns are even (stripes of {worst:.0%} of the contrast)."
        )
    return Finding(
        "stripes",
        level,
        f"{direction.capitalize()} differ in brightness from their neighbours by {worst:.0%} of the "
        "contrast: stripes.",
        "A network takes stripes for edges of cells.",
        "Check the camera's correction and mains flicker; remove them in Fiji (Process > FFT > Bandpass "
        "Filter).",
    )


def smooth_across(planes: Planes, axis: int) -> Planes:
    """Return planes without what differs from row to row (*axis* 0) or from column to column (1)."""
    return blur_rows(planes, 3.0) if axis == 0 else blur_columns(planes, 3.0)


def _striped(across: Planes) -> float:
    """Height of row stripes of a plane in which only what changes from row to row is left."""
    # The left and the right half agree on a stripe; cells differ from half to half.
    left, right = (row_medians(half) for half in np.array_split(across, 2, axis=1))
    return float(np.sqrt(max(float((left * right).mean()), 0.0)))


def uneven_light(planes: Planes) -> Finding:
    """How far a smooth shade over the field goes up and down."""
    small = _blocks(planes)
    lamp = _smooth(small)
    change = float((lamp.max() - lamp.min()) / max(abs(float(np.median(small))), 1e-12))
    level = graded(change, note=0.2, warning=0.5, severe=1e9)
    if level == "ok":
        return Finding("uneven light", "ok", f"The light is even to {change:.0%} over the field.")
    return Finding(
        "uneven light",
        level,
        f"The light changes by {change:.0%} over the field.",
        "Corners are too dark for the network; cells there are predicted less well, or not at all.",
        "Align the condenser (Koehler), or choose a model that flattens the image first.",
    )


def shade(planes: Planes) -> npt.NDArray[np.float64]:
    """Return the light without the cells in it: a smooth surface, about 24 places along the shorter side."""
    return _smooth(_blocks(planes))


def _blocks(planes: Planes) -> Planes:
    plane = median_plane(planes)
    block = max(1, min(plane.shape) // 24)
    small = plane[: plane.shape[0] // block * block, : plane.shape[1] // block * block]
    rows, columns = (n // block for n in small.shape)
    parts = small.reshape(rows, block, columns, block).swapaxes(1, 2)
    return row_medians(parts.reshape(rows * columns, block * block)).reshape(rows, columns)


def _smooth(small: Planes) -> npt.NDArray[np.float64]:
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in small.shape), indexing="ij")
    terms = np.stack([np.ones_like(y), y, x, y * y, x * x, x * y], axis=-1).reshape(-1, 6)
    return (terms @ np.linalg.lstsq(terms, small.ravel(), rcond=None)[0]).reshape(small.shape)


def jpeg_blocks(planes: Planes) -> Finding:
    """Steps at every eighth pixel, which JPEG compression leaves."""
    step = np.inf
    for axis in (0, 1):
        step = min(step, _block_step(planes, axis))
        level = graded(step - 1, note=0.08, warning=0.25, severe=1e9)
        if level == "ok":  # blocks have edges in both directions
            break
    if level == "ok":
        return Finding("JPEG blocks", "ok", "No trace of JPEG blocks.")
    return Finding(
        "JPEG blocks",
        level,
        f"Every eighth pixel has a step that is {step - 1:.0%} higher than elsewhere: JPEG compression.",
        "Fine texture, by which a network knows structures, is replaced by blocks.",
        "Use the microscope's own file; never keep measurements as JPEG.",
    )


def _block_step(planes: Planes, axis: int) -> float:
    """Step at multiples of 8 along an axis of the planes against the median of the other seven places."""
    # Plane by plane, which stays in the processor's cache.
    steps = np.mean([np.abs(np.diff(plane, axis=axis)).mean(axis=1 - axis) for plane in planes], axis=0)
    steps = steps[: len(steps) // 8 * 8]
    if len(steps) < 32:
        return 1.0
    places = np.median(steps.reshape(-1, 8), axis=0)
    worst = int(places.argmax())
    return float(places[worst] / max(float(np.median(np.delete(places, worst))), 1e-12))


def inverted(planes: Planes, close: Planes) -> Finding:
    """
    Signs that dark and bright were exchanged, in planes of the whole field and in planes with every pixel.

    Light has more noise where there is more of it, and lamps fade towards the corners; an inverted
    image has both the other way round. Either sign alone is no proof.
    """
    corner = float(np.median([_corner_to_middle(plane) for plane in planes]))
    # The noise is only looked at where the corners are suspect: it takes longest of all.
    falls = (-_noise_slope(plane) for plane in close)
    if corner <= 1.1 or median_from(np.nextafter(0.5, 1), falls, len(close)) is None:
        return Finding("contrast", "ok", "Nothing suggests that dark and bright were exchanged.")
    return Finding(
        "contrast",
        "warning",
        f"The corners are {corner - 1:.0%} brighter than the middle and dark pixels are noisier than bright "
        "ones: "
        "the contrast may be inverted.",
        "The network takes light for shade and predicts structures in wrong places.",
        "If the image was inverted (Fiji: Edit > Invert, or an inverting LUT), invert it back.",
    )


def _noise_slope(plane: npt.NDArray[np.float32]) -> float:
    """Rank correlation of brightness with pixel noise, -1 to 1."""
    fine = np.abs(
        4 * plane[1:-1, 1:-1] - plane[:-2, 1:-1] - plane[2:, 1:-1] - plane[1:-1, :-2] - plane[1:-1, 2:]
    )
    bright = box_mean(plane, 5)[1:-1, 1:-1]
    edges = np.quantile(bright, np.linspace(0, 1, 11))
    bins = [(bright >= a) & (bright <= b) for a, b in itertools.pairwise(edges)]
    noise = [float(np.median(fine[inside])) for inside in bins if inside.sum() > 50]
    if len(noise) < 4 or len(set(noise)) < 2:
        return 0.0
    ranks = np.argsort(np.argsort(noise))
    return float(np.corrcoef(np.arange(len(noise)), ranks)[0, 1])


def _corner_to_middle(plane: npt.NDArray[np.float32]) -> float:
    height, width = plane.shape
    y, x = height // 6, width // 6
    corners = [plane[:y, :x], plane[:y, -x:], plane[-y:, :x], plane[-y:, -x:]]
    middle = plane[height // 3 : 2 * height // 3, width // 3 : 2 * width // 3]
    return float(np.mean([c.mean() for c in corners]) / max(abs(float(middle.mean())), 1e-12))


def halo(fast: FastLight) -> Finding:
    """Bright rims far above the background and nothing as dark below it: phase contrast."""
    ratio = median_from(2.0, (_rims_to_shadows(plane) for plane in fast), len(fast))
    if ratio is None:
        return Finding("halo", "ok", "No bright halos as in phase contrast.")
    return Finding(
        "halo",
        "note",
        f"Bright rims stand {ratio:.1f} times further above the background than shadows below it, as the "
        "halos of "
        "phase contrast or of cells out of focus do.",
        "A model of bright-field images takes halos for membranes or nuclei.",
        "If this is phase contrast, choose a model trained on phase contrast.",
    )


def _rims_to_shadows(plane: Planes) -> float:
    """How much further bright rims are from the background than shadows are."""
    # After the blur neighbours are alike: every second row says as much as all.
    ordered = np.sort(blur(plane, 1.0)[::2], axis=None)
    places = np.array([0.01, 0.5, 0.99]) * (ordered.size - 1)
    below = places.astype(np.intp)
    low, middle, high = ordered[below] + (ordered[below + 1] - ordered[below]) * (places - below)
    return float((high - middle) / max(middle - low, 1e-12))
