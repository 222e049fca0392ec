"""What the viewer draws, packed small enough to send to a browser once."""

from __future__ import annotations

import hashlib
import json
import math
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from labelfree_core.analysis import display

Limits = tuple[float, float]
Role = Literal["transmitted", "observed", "predicted", "other"]

MAGIC = b"LFV1"
# Samples sent to one browser tab, over all layers: they arrive in seconds and leave room for projections and
# the 3-D texture. More than that becomes an overview, because planes at rest come in full resolution.
BROWSER_VOXELS = 48_000_000
OVERVIEW_VOXELS = 28_000_000
SIXTEEN_BIT_VOXELS = 2_000_000  # a plane or a thin stack costs little, and then any window stays smooth
LIMITS_VOXELS = 3_000_000  # above this, limits come from an evenly spaced sample
# Streams a layer is split into, so that several cores pack and unpack it.
PARTS = 4
# Around the limits, in spans: what the person can still reach by widening the window in 8 bits.
BELOW_LIMITS, ABOVE_LIMITS = 0.25, 1.0
COLOUR_MAPS = (
    "gray",
    "green",
    "magenta",
    "cyan",
    "yellow",
    "white",
    "orange",
    "blue",
    "viridis",
    "cividis",
    "batlow",
    "magma",
)


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """
    One image or mask in the viewer.

    Parameters
    ----------
    name : str
        Shown as plain text, never read as markup.
    voxels : array, shape (T, Z, Y, X), (Z, Y, X) or (Y, X), whole or real numbers
        All layers of one viewer have the same shape.
    voxel_size_um : tuple of float, micrometres
        One size for each axis of a (Z, Y, X) or (Y, X) array; a time series gives its (Z, Y, X) sizes.
    units : str
        Of the intensities, for example ``"camera counts"``.
    limits : (lo, hi) or None
        Intensities shown as black and as white; None takes the tutorial's percentiles.
    colormap : str
        One of ``COLOUR_MAPS``.
    kind : {"image", "mask"}
        A mask is shown without a window and is never averaged when it is sent smaller.
    role : {"transmitted", "observed", "predicted", "other"}
        Decides which two layers are compared.
    digest : str or None
        Names the content of *voxels* and *region*; computed where it is None. A caller that has it saves
        a pass over the image at each rerun.
    own_limits : (lo, hi) or None
        Its own percentiles; None finds them.
    region : bool array, shape of voxels, or None
        Where an observed image says something; the viewer's Dice, IoU and Otsu's thresholds count only this.
    """

    name: str
    voxels: npt.NDArray[np.generic]
    voxel_size_um: tuple[float, ...]
    units: str = ""
    limits: tuple[float, float] | None = None
    colormap: str = "gray"
    kind: Literal["image", "mask"] = "image"
    role: Role = "other"
    digest: str | None = None
    own_limits: tuple[float, float] | None = None
    region: npt.NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if self.voxels.ndim not in (2, 3, 4) or min(self.voxels.shape) < 1:
            raise ValueError(f"a layer has 2 to 4 axes and no empty one, not {self.voxels.shape}")
        if len(self.voxel_size_um) != min(self.voxels.ndim, 3):
            raise ValueError(
                f"{len(self.voxel_size_um)} voxel sizes for an array of shape {self.voxels.shape}"
            )
        if self.colormap not in COLOUR_MAPS:
            raise ValueError(f"colour map {self.colormap!r} is not one of {', '.join(COLOUR_MAPS)}")

    @property
    def tzyx(self) -> npt.NDArray[np.generic]:
        """The voxels with all four axes; a view, no copy."""
        return self.voxels.reshape((1,) * (4 - self.voxels.ndim) + self.voxels.shape)


@dataclass(frozen=True, slots=True)
class PackedLayer:
    """One layer as the browser gets it: what its samples mean, and the compressed samples."""

    about: dict[str, object]
    parts: tuple[bytes, ...]


def digest(voxels: npt.NDArray[np.generic]) -> str:
    """Name the content of an array: equal for equal bytes, dtype and shape."""
    seen = hashlib.sha256(f"{voxels.dtype.str}{voxels.shape}".encode())
    seen.update(np.ascontiguousarray(voxels).data.cast("B"))
    return seen.hexdigest()


def check_same_grid(layers: Sequence[Layer]) -> None:
    """Refuse layers that can't be laid over each other voxel by voxel."""
    if not layers:
        raise ValueError("the viewer needs at least one layer")
    first = layers[0]
    for layer in layers[1:]:
        if layer.tzyx.shape != first.tzyx.shape:
            raise ValueError(
                f"{layer.name} is {layer.voxels.shape} and {first.name} is {first.voxels.shape}; "
                "bring both to one grid before showing them together"
            )
    names = [layer.name for layer in layers]
    if len(set(names)) < len(names):
        raise ValueError(f"two layers have the same name: {names}")


def reduction(shape: tuple[int, ...], n_layers: int, *, budget: int = BROWSER_VOXELS) -> tuple[int, int, int]:
    """
    Choose how many voxels along z, y and x become one, so that all layers fit into a browser.

    Parameters
    ----------
    shape : (T, Z, Y, X)
        Of each layer.
    n_layers : int
        Layers that are sent together.
    budget : int, voxels
        Over all layers.

    Returns
    -------
    steps : (z, y, x)
        1 leaves the axis as it is. y and x go first, up to 4, because planes are what people look at.

    Examples
    --------
    >>> reduction((1, 64, 224, 336), 2)
    (1, 1, 1)
    >>> reduction((1, 200, 1024, 1024), 2)
    (1, 4, 4)
    """
    step_z, step_yx = 1, 1

    def voxels() -> int:
        return (
            n_layers
            * shape[0]
            * math.ceil(shape[1] / step_z)
            * math.ceil(shape[2] / step_yx)
            * math.ceil(shape[3] / step_yx)
        )

    budget = min(budget, OVERVIEW_VOXELS) if voxels() > budget else budget
    while voxels() > budget:
        if step_yx < 4 or shape[1] <= 2 * step_z:
            step_yx += 1
        else:
            step_z += 1
            step_yx = max(2, step_yx - 1) if step_z == 2 else step_yx
    return step_z, step_yx, step_yx


def shrink(voxels: npt.NDArray[np.generic], steps: tuple[int, int, int], *, mask: bool) -> np.ndarray:
    """
    Reduce the grid of a (T, Z, Y, X) array by whole steps.

    Images are averaged over y and x, plane by plane, so that fine noise does not alias; masks and z keep
    every nth voxel. The last, incomplete block is dropped.
    """
    step_z, step_y, step_x = steps
    planes = voxels[:, step_z // 2 :: step_z] if step_z > 1 else voxels
    if (step_y, step_x) == (1, 1):
        return np.asarray(planes)
    if mask:
        return np.asarray(planes[:, :, step_y // 2 :: step_y, step_x // 2 :: step_x])
    ny, nx = planes.shape[2] // step_y, planes.shape[3] // step_x
    small = np.empty((*planes.shape[:2], ny, nx), np.float32)
    for t in range(planes.shape[0]):
        for z in range(planes.shape[1]):
            block = planes[t, z, : ny * step_y, : nx * step_x].reshape(ny, step_y, nx, step_x)
            small[t, z] = block.mean(axis=(1, 3), dtype=np.float32)
    return small


def pack_layer(layer: Layer, steps: tuple[int, int, int]) -> PackedLayer:
    """
    Turn one layer into samples of 8 or 16 bit and what they mean.

    A sample ``q`` is ``low + q * (high - low) / levels_max``. Eight bits are spread over the limits and
    some room around them; 8-bit images, masks and thin stacks are sent over their full range.
    """
    small = shrink(layer.voxels.reshape(layer.tzyx.shape), steps, mask=layer.kind == "mask")
    about: dict[str, object] = {
        "name": layer.name,
        "units": layer.units,
        "kind": layer.kind,
        "role": layer.role,
        "colormap": layer.colormap,
    }
    if layer.kind == "mask":
        samples = np.where(small != 0, np.uint8(255), np.uint8(0))
        return _finish(about, samples, (0.0, 1.0), (0.0, 1.0))
    own = layer.own_limits if layer.own_limits is not None else find_limits(layer.voxels)
    limits = layer.limits if layer.limits is not None else own
    about["own"] = own
    if layer.voxels.dtype == np.uint8:
        return _finish(about, np.rint(small).astype(np.uint8), (0.0, 255.0), limits)
    if not np.isfinite(low := float(small.min())) or not np.isfinite(high := float(small.max())):
        small = np.nan_to_num(small.astype(np.float32), nan=limits[0], posinf=limits[1], neginf=limits[0])
        low, high = float(small.min()), float(small.max())
    if steps != (1, 1, 1):  # single planes in full resolution share these levels, and averages reach less far
        low, high = float(np.nanmin(layer.voxels)), float(np.nanmax(layer.voxels))
    elif small.size <= SIXTEEN_BIT_VOXELS:
        low, high = min(low, limits[0]), max(high, limits[1])
        return _finish(about, quantise(small, low, high, 65535), (low, high), limits)
    reach = _reach((low, high), limits, own)
    about["beyond"] = [bool(low < reach[0]), bool(high > reach[1])]
    return _finish(about, quantise(small, *reach, 255), reach, limits)


def pack(layers: Sequence[PackedLayer], about: dict[str, object]) -> bytes:
    """
    Join the packed layers and a JSON header into the one payload that the browser gets.

    The layout is ``LFV1``, the length of the header (4 bytes, little endian), the header, then the gzip
    streams one after another; each layer in the header says where its streams start and end.
    """
    entries: list[dict[str, object]] = []
    offset = 0
    for layer in layers:
        places = []
        for part in layer.parts:
            places.append([offset, offset + len(part)])
            offset += len(part)
        entries.append({**layer.about, "parts": places})
    header = json.dumps({**about, "layers": entries}).encode()
    bodies = (part for layer in layers for part in layer.parts)
    return b"".join([MAGIC, len(header).to_bytes(4, "little"), header, *bodies])


def _finish(
    about: dict[str, object], samples: np.ndarray, reach: tuple[float, float], limits: tuple[float, float]
) -> PackedLayer:
    high = reach[1] if reach[1] > reach[0] else reach[0] + 1.0
    about |= {
        "bits": 8 * samples.dtype.itemsize,
        "low": reach[0],
        "high": high,
        "limits": [limits[0], limits[1] if limits[1] > limits[0] else limits[0] + (high - reach[0]) / 255],
        "shape": list(samples.shape),
    }
    raw = np.ascontiguousarray(samples, samples.dtype.newbyteorder("<")).data.cast("B")
    size = -(-len(raw) // PARTS)
    size += size % 2  # a 16-bit sample stays in one part
    with ThreadPoolExecutor(PARTS) as pool:
        parts = tuple(pool.map(compress, (raw[start : start + size] for start in range(0, len(raw), size))))
    return PackedLayer(about, parts)


def compress(raw: memoryview) -> bytes:
    """Pack bytes as one gzip stream."""
    # wbits 31 is the gzip container that the browser's DecompressionStream reads. Against camera noise only
    # the entropy coder helps: Z_RLE at level 1 is both quicker and smaller than the default.
    packer = zlib.compressobj(level=1, wbits=31, strategy=zlib.Z_RLE)
    return packer.compress(raw) + packer.flush()


def _reach(data: Limits, *windows: Limits) -> Limits:
    """Spread 8 bits over all windows that one click shows, and some room around them."""
    below = min(lo - BELOW_LIMITS * (hi - lo) for lo, hi in windows)
    above = max(hi + ABOVE_LIMITS * (hi - lo) for lo, hi in windows)
    return max(data[0], below), min(data[1], above)


def quantise(voxels: np.ndarray, low: float, high: float, top: int) -> np.ndarray:
    dtype = np.uint8 if top == 255 else np.uint16
    samples = np.empty(voxels.shape, dtype)
    gain = np.float32(top / (high - low)) if high > low else np.float32(0)
    for t in range(voxels.shape[0]):
        for z in range(voxels.shape[1]):  # plane by plane: no second float copy of a large stack
            plane = (voxels[t, z].astype(np.float32) - np.float32(low)) * gain
            samples[t, z] = np.clip(np.rint(plane), 0, top)
    return samples


def find_limits(voxels: npt.NDArray[np.generic]) -> Limits:
    """Find an image's own percentiles, in a large one from an evenly spaced sample."""
    flat = voxels.reshape(-1)
    if flat.size > LIMITS_VOXELS:
        flat = flat[:: -(-flat.size // LIMITS_VOXELS)]
    if flat.dtype.kind == "f":
        flat = flat[np.isfinite(flat)]
    return display.limits(flat) if flat.size else (0.0, 1.0)
