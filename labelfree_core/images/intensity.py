"""Intensities: their mean, spread and percentiles, and the same scale for every camera."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from labelfree_core.errors import ImageError
from labelfree_core.images.stack import ImageStack

_CHUNK_VOXELS = 4_000_000
# As much as stays in the processor's cache. Squares of 16-bit numbers add up to less than 2^53 in it, so that
# float64 counts them without rounding.
_CACHED_VOXELS = 65_536
_FEWEST_PIXELS = 8
_LEAST_SPREAD = 1e-6  # of the mean; an image with less holds nothing
_SAMPLE = 50_000  # voxels that tell about where a percentile lies


def mean_std(voxels: npt.NDArray[np.generic]) -> tuple[float, float]:
    """
    Mean and population standard deviation, in float64 whatever the dtype.

    Parameters
    ----------
    voxels : array, any shape, integer or floating point
        The sums of 8 and 16-bit integers are exact.

    Returns
    -------
    mean, std : float

    Examples
    --------
    >>> mean_std(np.array([1, 3], dtype=np.uint16))
    (2.0, 1.0)
    """
    if _countable(voxels.dtype):
        parts = ((int(part.sum()), int(part @ part)) for part in _float64_parts(voxels, _CACHED_VOXELS))
        total, squares = (sum(sums) for sums in zip(*parts, strict=True))
        return total / voxels.size, math.sqrt(voxels.size * squares - total**2) / voxels.size
    mean = float(voxels.mean(dtype=np.float64))
    total = sum(float(np.square(part - mean).sum()) for part in _float64_parts(voxels))
    return mean, float(np.sqrt(total / voxels.size))


def percentiles(voxels: npt.NDArray[np.generic], q: Sequence[float]) -> tuple[float, ...]:
    """
    Percentiles, the same as ``numpy.percentile``.

    Parameters
    ----------
    voxels : array, any shape
        8 and 16-bit integers are counted by histogram: exact and several times faster.
    q : sequence of float, 0 to 100

    Returns
    -------
    values : tuple of float

    Examples
    --------
    >>> percentiles(np.array([0, 10], dtype=np.uint8), (0, 50, 100))
    (0.0, 5.0, 10.0)
    """
    if not _countable(voxels.dtype):
        return _of_numbers(np.ascontiguousarray(voxels).reshape(-1), list(q))
    return percentiles_of_counts(*_histogram(voxels), q)


def tally(voxels: npt.NDArray[np.generic]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """
    Values that occur, from low to high, and how often each does.

    Examples
    --------
    >>> [numbers.tolist() for numbers in tally(np.array([7, 2, 7], dtype=np.uint8))]
    [[2.0, 7.0], [1, 2]]
    """
    if not _countable(voxels.dtype):
        different, counts = np.unique(voxels, return_counts=True)
        return different.astype(np.float64), counts
    values, counts = _histogram(voxels)
    there = counts > 0
    return values[there], counts[there]


def percentiles_of_counts(
    values: npt.NDArray[np.float64], counts: npt.NDArray[np.int64], q: Sequence[float]
) -> tuple[float, ...]:
    """Percentiles of what :func:`tally` gave; as :func:`percentiles`."""
    last = np.cumsum(counts) - 1
    places = np.asarray(q, dtype=np.float64) / 100 * last[-1]
    low = values[np.searchsorted(last, np.floor(places))]
    high = values[np.searchsorted(last, np.ceil(places))]
    return tuple(float(v) for v in low + (high - low) * (places - np.floor(places)))


def zero_and_unit(voxels: npt.NDArray[np.generic]) -> tuple[float, float]:
    """
    Mean and standard deviation of an image that holds something.

    Parameters
    ----------
    voxels : array, any shape

    Raises
    ------
    ImageError
        If the image is flat, or holds values that are no numbers.
    """
    mean, spread = mean_std(voxels)
    if not (np.isfinite(mean) and np.isfinite(spread)):
        raise ImageError(
            "The image holds values that are no numbers (NaN or infinity); every voxel needs a brightness. "
            "Replace them in Fiji (Process > Math > NaN Background) and load the image again."
        )
    if spread <= _LEAST_SPREAD * abs(mean) or spread == 0:
        raise ImageError(
            f"Every voxel is about {mean:.4g}: the shutter was closed or this is an empty channel. "
            "Choose the transmitted-light channel and load again."
        )
    return mean, spread


def standardise(voxels: npt.NDArray[np.generic]) -> npt.NDArray[np.float32]:
    """
    Shift and scale an image to zero mean and unit standard deviation.

    Parameters
    ----------
    voxels : array, shape (Z, Y, X) or (Y, X), camera counts
        Any offset and gain.

    Returns
    -------
    standardised : float32 array, same shape, unitless
        A new array; *voxels* is left as it was.

    Raises
    ------
    ImageError
        If the image is flat, or holds values that are no numbers.

    References
    ----------
    .. [1] Ounkomol et al. (2018), Nat. Methods 15:917. The published weights expect this form.

    Examples
    --------
    >>> standardise(np.array([[1.0, 3.0]]))
    array([[-1.,  1.]], dtype=float32)
    """
    # float64 and the population std like the published code [1]_; cast down only at the end.
    mean, spread = zero_and_unit(voxels)
    out = np.empty(voxels.shape, np.float32)
    flat = out.reshape(-1)
    for i, part in enumerate(_float64_parts(voxels, _CACHED_VOXELS)):
        flat[i * _CACHED_VOXELS : (i + 1) * _CACHED_VOXELS] = (part - mean) / spread
    return out


def check_voxels(stack: ImageStack) -> None:
    """
    Refuse an image that no network can work on: values that are no numbers, a constant, too few pixels.

    Parameters
    ----------
    stack : ImageStack

    Raises
    ------
    ImageError
        With what was found and what to do.
    """
    voxels, name = stack.voxels, stack.origin.name
    if min(voxels.shape[-2:]) < _FEWEST_PIXELS:
        raise ImageError(
            f"{name} is {voxels.shape[-1]} x {voxels.shape[-2]} pixels; at least {_FEWEST_PIXELS} x "
            f"{_FEWEST_PIXELS} "
            "are needed to show a cell. Load the whole field of view."
        )
    if voxels.dtype.kind == "f":
        bad = sum(int(part.size - np.isfinite(part).sum()) for part in _float64_parts(voxels))
        if bad:
            raise ImageError(
                f"{name} has {bad} voxels without a number (NaN or infinity); every voxel needs a "
                "brightness. Replace "
                "them in Fiji (Process > Math > NaN Background) and load the image again."
            )
    lowest, highest = voxels.min(), voxels.max()
    if lowest == highest:
        raise ImageError(
            f"Every voxel of {name} is {lowest:.4g}: the shutter was closed or this is an empty channel. "
            "Choose the "
            "transmitted-light channel and load again."
        )


def _of_numbers(flat: np.ndarray, q: list[float]) -> tuple[float, ...]:
    """Percentiles of numbers that can't be counted; those near the ends are sought in the tails alone."""
    found = []
    sound = flat.size > 0 and not np.isnan(flat.min())
    for wanted in q:
        tail, place = _tail(flat, wanted) if sound else (None, 0.0)
        if tail is None:
            found.append(float(np.percentile(np.asarray(flat, np.float64), wanted)))
            continue
        below, above = np.partition(tail, (math.floor(place), math.ceil(place)))[
            [math.floor(place), math.ceil(place)]
        ].astype(np.float64)
        found.append(float(below + (above - below) * (place - math.floor(place))))
    return tuple(found)


def _tail(flat: np.ndarray, q: float) -> tuple[np.ndarray | None, float]:
    """Return the voxels beyond a percentile near one end, and its place among them; None if not near."""
    share = min(q, 100 - q) / 100
    sample = flat[:: max(1, flat.size // _SAMPLE)]
    if flat.size < 4 * _SAMPLE or share > 0.02:
        return None, 0.0
    place = q / 100 * (flat.size - 1)
    reach = 100 * (2 * share + 20 / _SAMPLE)  # percent; so far that it is within
    if q < 50:
        tail = flat[flat <= np.percentile(sample, reach)]
        return (tail, place) if math.ceil(place) < tail.size else (None, 0.0)
    tail = flat[flat >= np.percentile(sample, 100 - reach)]
    place -= flat.size - tail.size
    return (tail, place) if place >= 0 else (None, 0.0)


def _countable(dtype: np.dtype) -> bool:
    return dtype.kind in "ui" and dtype.itemsize <= 2


def _histogram(voxels: npt.NDArray[np.generic]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """All values that the dtype can hold, and how many voxels have each."""
    bits = 8 * voxels.dtype.itemsize
    lowest = -(2 ** (bits - 1)) if voxels.dtype.kind == "i" else 0
    counts = np.zeros(2**bits, np.int64)
    flat = np.ascontiguousarray(voxels).reshape(-1)
    if voxels.dtype == np.uint8 and flat.size % 2 == 0:
        # Pairs of voxels are counted as one number, in half of the time.
        pairs = sum(
            np.bincount(part, minlength=2**16)
            for part in np.array_split(flat.view(np.uint16), 1 + flat.size // (2 * _CHUNK_VOXELS))
        )
        table = np.reshape(pairs, (2**8, 2**8))
        return np.arange(2**8, dtype=np.float64), table.sum(axis=0) + table.sum(axis=1)
    for start in range(0, flat.size, _CHUNK_VOXELS):
        # bincount needs whole numbers from 0; in slices, as it makes a 64-bit copy of what it is given.
        part = flat[start : start + _CHUNK_VOXELS]
        part = part.astype(np.int64) - lowest if lowest else part
        counts += np.bincount(part, minlength=counts.size)
    return np.arange(lowest, lowest + 2**bits, dtype=np.float64), counts


def _float64_parts(
    voxels: npt.NDArray[np.generic], size: int = _CHUNK_VOXELS
) -> Iterator[npt.NDArray[np.float64]]:
    flat = np.ascontiguousarray(voxels).reshape(-1)
    for start in range(0, flat.size, size):
        yield flat[start : start + size].astype(np.float64)
