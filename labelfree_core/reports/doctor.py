"""Pictures of what the file doctor found, where a picture says it faster than a sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from labelfree_core.analysis.display import limits, picture
from labelfree_core.images import health_light, health_planes
from labelfree_core.images.finding import Finding
from labelfree_core.images.stack import ImageStack
from labelfree_core.images.thumbnails import spread
from labelfree_core.reports.figures import EXTRA, MISSED, coloured, zoomed
from labelfree_core.reports.sheet import Tile

# A picture beside a sentence; details are cut out of the image and enlarged pixel by pixel.
_WIDTH_PX, _HEIGHT_PX = 512, 320
_DETAIL_PX, _BLOCKS_PX = 192, 64
_GAP_PX = 4
_LOOK_PLANES = 7
# Planes whose detail differs less than so many times look equally sharp.
_DIFFERS = 1.3
_PERCENTILES = (0.5, 99.5)

Plane = npt.NDArray[np.float32]
Draw = Callable[[npt.NDArray[np.generic], Finding], Tile | None]


def finding_picture(stack: ImageStack, finding: Finding) -> Tile | None:
    """
    Draw what a finding is about.

    Parameters
    ----------
    stack : ImageStack
        The image that was examined, (Z, Y, X) or (Y, X).
    finding : Finding
        Of :func:`labelfree_core.images.health.examine` for this very image.

    Returns
    -------
    tile : Tile or None
        None where all is well or a picture would not help; the planes of a stack that are in focus are
        always shown.

    Examples
    --------
    >>> finding_picture(ImageStack(np.zeros((9, 9))), Finding("saturation", "ok", "Fine.")) is None
    True
    """
    voxels = stack.voxels if stack.voxels.ndim == 3 else stack.voxels[None]
    draw = _DRAWN.get(finding.name)
    told = finding.level != "ok" or (finding.name == "focus" and len(voxels) > 1)
    if draw is None or not told or min(voxels.shape[1:]) < 32:
        return None
    tile = draw(voxels, finding)
    return tile and Tile(zoomed(tile.picture, _WIDTH_PX, _HEIGHT_PX), tile.caption)


def pictures(stack: ImageStack, findings: Sequence[Finding]) -> dict[str, Tile]:
    """Return the pictures of all findings that have one, by the name of the finding."""
    drawn = {finding.name: finding_picture(stack, finding) for finding in findings}
    return {name: tile for name, tile in drawn.items() if tile is not None}


def _grey(plane: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    shown = np.nan_to_num(np.asarray(plane, dtype=np.float32))
    return np.repeat(picture(shown, limits(shown, *_PERCENTILES))[..., None], 3, axis=-1)


def _beside(*parts: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    gap = np.full((parts[0].shape[0], _GAP_PX, 3), 255, np.uint8)
    return np.concatenate([piece for part in parts for piece in (part, gap)][:-1], axis=1)


def _middle_plane(voxels: npt.NDArray[np.generic]) -> Plane:
    return np.nan_to_num(voxels[len(voxels) // 2].astype(np.float32))


def _detail(plane: Plane, interest: npt.NDArray[np.floating], size: int) -> Plane:
    """Cut out the square with most of what is of interest, off the edges of the image where that can be."""
    return plane[_square(interest, size)]


def _square(interest: npt.NDArray[np.floating], size: int) -> tuple[slice, slice]:
    side = min(size, *interest.shape)
    around = ndimage.uniform_filter(np.asarray(interest, dtype=np.float32), side, mode="constant")
    at = np.unravel_index(int(around.argmax()), around.shape)
    y, x = (int(np.clip(i - side // 2, 0, n - side)) for i, n in zip(at, interest.shape, strict=True))
    return slice(y, y + side), slice(x, x + side)


def _cut_off(voxels: npt.NDArray[np.generic], finding: Finding) -> Tile:
    top, bottom = (np.array([float((plane == end).mean()) for plane in voxels]) for end in _ends(voxels))
    shares, end = (top, 0) if top.mean() >= bottom.mean() else (bottom, 1)
    z = int(shares.argmax())
    shown = _grey(voxels[z])
    shown[voxels[z] == _ends(voxels)[end]] = (MISSED, EXTRA)[end]
    colour = ("orange", "blue")[end]
    where = f" of plane {z}" if len(voxels) > 1 else ""
    return Tile(shown, f"In {colour}: cut off, {shares[z]:.1%}{where}.")


def _ends(voxels: npt.NDArray[np.generic]) -> tuple[float, float]:
    return float(np.nanmax(voxels)), float(np.nanmin(voxels))


def _stripes(voxels: npt.NDArray[np.generic], finding: Finding) -> Tile:
    plane = _middle_plane(voxels)
    axis = 1 if finding.what.startswith("Columns") else 0
    even = plane - health_light.smooth_across(plane, axis)
    shown = _grey(_detail(even, np.ones_like(even), _DETAIL_PX))
    return Tile(shown, f"What differs from the {('rows', 'columns')[axis]} beside it.")


def _light(voxels: npt.NDArray[np.generic], finding: Finding) -> Tile:
    looks = [np.nan_to_num(voxels[z].astype(np.float32)) for z in spread(len(voxels), _LOOK_PLANES)]
    shade = health_light.shade(np.stack(looks))
    low, high = float(shade.min()), float(shade.max())
    shown = coloured(ndimage.zoom(shade, 8, order=1), (low, high))
    return Tile(shown, f"The light without cells: {low:.4g} to {high:.4g}.")


def _blocks(voxels: npt.NDArray[np.generic], finding: Finding) -> Tile:
    plane = _middle_plane(voxels)
    busy = np.abs(plane - ndimage.uniform_filter(plane, 9))
    return Tile(_grey(_detail(plane, busy, _BLOCKS_PX)), f"{_BLOCKS_PX} pixels, enlarged: look for squares.")


def _both_ways(voxels: npt.NDArray[np.generic], finding: Finding) -> Tile:
    plane = _middle_plane(voxels)
    return Tile(_beside(_grey(plane), _grey(-plane)), "Left: as it is. Right: inverted back.")


def _rims(voxels: npt.NDArray[np.generic], finding: Finding) -> Tile:
    plane = _middle_plane(voxels)
    bright = ndimage.gaussian_filter(plane, 1.0) - ndimage.uniform_filter(plane, 61, mode="nearest")
    return Tile(_grey(_detail(plane, bright.clip(0), _DETAIL_PX)), "The brightest rims.")


def _grain(voxels: npt.NDArray[np.generic], finding: Finding) -> Tile:
    plane = _middle_plane(voxels)
    return Tile(_grey(_detail(plane, np.ones_like(plane), _BLOCKS_PX)), f"{_BLOCKS_PX} pixels, enlarged.")


def _sharp(voxels: npt.NDArray[np.generic], finding: Finding) -> Tile | None:
    if len(voxels) == 1:
        return Tile(_grey(_middle_plane(voxels)), "No edge is sharp.")
    detail = health_planes.detail_of(voxels)
    best, worst = int(detail.argmax()), int(detail.argmin())
    if detail[best] < _DIFFERS * detail[worst]:
        return None
    sharpest = np.nan_to_num(voxels[best].astype(np.float32))
    busy = np.abs(sharpest - ndimage.uniform_filter(sharpest, 9))
    at = _square(busy, _DETAIL_PX)
    cut = (sharpest[at], np.nan_to_num(voxels[worst][at].astype(np.float32)))
    caption = f"Plane {best}, the sharpest; plane {worst}, the least sharp."
    return Tile(_beside(*(_grey(part) for part in cut)), caption)


def _upright(voxels: npt.NDArray[np.generic], finding: Finding) -> Tile:
    """A cut along z through the middle, each plane stretched to one contrast, as tall as it is legible."""
    cuts = [voxels[:, voxels.shape[1] // 2], voxels[:, :, voxels.shape[2] // 2]]
    shown = []
    for cut in cuts:
        flat = np.nan_to_num(cut[:, :_WIDTH_PX].astype(np.float32))
        flat = (flat - flat.mean(axis=1, keepdims=True)) / (flat.std(axis=1, keepdims=True) + 1e-6)
        tall = np.repeat(flat, max(1, 128 // len(flat)), axis=0)
        shown.append(_grey(tall))
    width = min(part.shape[1] for part in shown)
    gap = np.full((_GAP_PX, width, 3), 255, np.uint8)
    both = np.concatenate([shown[0][:, :width], gap, shown[1][:, :width]])
    return Tile(both, "Cuts along z: what leans has wandered.")


def _along_z(voxels: npt.NDArray[np.generic], finding: Finding) -> Tile:
    means = np.array([float(np.nanmean(plane[::4, ::4], dtype=np.float64)) for plane in voxels])
    height, width = 120, max(2, 360 // len(means))
    heights = np.rint(height * (means - min(0.0, means.min())) / max(np.ptp(means), means.max(), 1e-12))
    rows = np.arange(height, 0, -1)[:, None]
    bars = np.repeat(rows <= heights, width, axis=1)
    shown = np.where(bars[..., None], np.array(EXTRA, np.uint8), np.uint8(255))
    shown[:, width - 1 :: width] = 255
    return Tile(shown, f"Mean of each plane, up to {means.max():.3g}.")


_DRAWN: Mapping[str, Draw] = {
    "saturation": _cut_off,
    "stripes": _stripes,
    "uneven light": _light,
    "JPEG blocks": _blocks,
    "contrast": _both_ways,
    "halo": _rims,
    "structure": _grain,
    "focus": _sharp,
    "z-drift": _upright,
    "brightness along z": _along_z,
}
