"""A guess of the pixel size from the image itself: how large its nuclei are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelfree_core.errors import ImageError
from labelfree_core.images.stack import ImageStack

# A nucleus of the cell lines in the training data: about 12 um across, hardly ever beyond 7 to 20.
NUCLEUS_UM = 12.0
_NUCLEUS_RANGE_UM = (7.0, 20.0)
# Nuclei stand out from their background by this many of its standard deviations; grain by 2 or 3.
_STANDS_OUT = 5.0


@dataclass(frozen=True, slots=True)
class SizeEstimate:
    """
    A pixel size guessed from the image: a proposal and no measurement.

    ``pixel_um`` is the guess in micrometres, ``low_um`` to ``high_um`` what it may well be, ``reason``
    how it was reached.
    """

    pixel_um: float
    low_um: float
    high_um: float
    reason: str

    @property
    def sentence(self) -> str:
        """The guess with its range, for a person to accept or not."""
        return (
            f"The image itself suggests {self.pixel_um:g} um a pixel, likely {self.low_um:g} to "
            f"{self.high_um:g} um: {self.reason}."
        )


def estimate(stack: ImageStack, *, nucleus_um: float = NUCLEUS_UM) -> SizeEstimate | None:
    """
    Guess the pixel size from the nuclei of a DNA channel.

    Parameters
    ----------
    stack : ImageStack
        A channel in which nuclei are bright on a dark background, observed or predicted.
    nucleus_um : float
        Typical diameter of a nucleus in micrometres.

    Returns
    -------
    estimate : SizeEstimate or None
        None where no nuclei are seen.

    Raises
    ------
    ImageError
        If *nucleus_um* is no positive number.

    Examples
    --------
    >>> estimate(ImageStack(np.zeros((64, 64)))) is None
    True
    """
    if not (math.isfinite(nucleus_um) and nucleus_um > 0):
        raise ImageError(f"A nucleus of {nucleus_um} um can't be; give its diameter in micrometres, e.g. 12.")
    diameters = _blob_diameters(stack.voxels)
    if len(diameters) < 3:
        return None
    typical = float(np.median(diameters))
    low, high = (edge / NUCLEUS_UM * nucleus_um / typical for edge in _NUCLEUS_RANGE_UM)
    return SizeEstimate(
        float(f"{nucleus_um / typical:.2g}"),
        float(f"{low:.2g}"),
        float(f"{high:.2g}"),
        f"{len(diameters)} nuclei of {typical:.0f} pixels, taken to be {nucleus_um:g} um across; cells "
        "differ, so this "
        "is a guess",
    )


def estimate_from(channel: ImageStack, *, painted: bool) -> SizeEstimate | None:
    """
    Guess the pixel size from a stain of nuclei, or from their segmentation where it is *painted*.

    Examples
    --------
    >>> estimate_from(ImageStack(np.zeros((64, 64))), painted=True) is None
    True
    """
    # The numbers of labels are no brightness.
    seen = ImageStack(channel.voxels != 0, channel.voxel_size_um, channel.origin) if painted else channel
    return estimate(seen)


def _blob_diameters(voxels: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    """Equivalent diameters in pixels of the compact bright objects of a projection."""
    from scipy import ndimage  # here, because pages that ask for no guess start sooner without it

    plane = np.nan_to_num(voxels.astype(np.float32))
    plane = plane.max(axis=0) if plane.ndim == 3 else plane
    step = max(1, max(plane.shape) // 1024)
    plane = ndimage.gaussian_filter(plane[::step, ::step], 1.5)
    low, high = np.percentile(plane, (20, 99.5))
    if high <= low:
        return np.zeros(0)
    labels, count = ndimage.label(ndimage.binary_opening(plane > low + 0.35 * (high - low), iterations=2))
    if count == 0:
        return np.zeros(0)
    dark = plane[labels == 0]
    level = float(np.median(dark))
    noise = 1.4826 * float(np.median(np.abs(dark - level)))
    if float(np.median(plane[labels > 0])) - level < _STANDS_OUT * noise:
        return np.zeros(0)  # grain, as of noise or of transmitted light: no nuclei
    areas = ndimage.sum_labels(np.ones_like(labels), labels, np.arange(1, count + 1))
    boxes = [(s[0].stop - s[0].start, s[1].stop - s[1].start) for s in ndimage.find_objects(labels)]
    # A single nucleus is round and solid; clumps and cut-off ones are neither.
    good = [
        area > 80 and max(box) < 1.8 * min(box) and area > 0.6 * box[0] * box[1] and area < 0.2 * plane.size
        for area, box in zip(areas, boxes, strict=True)
    ]
    return step * np.sqrt(4 / np.pi * areas[np.array(good, dtype=bool)])
