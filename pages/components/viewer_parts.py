"""What the browser gets when: one plane at once, then the volumes, then single planes in full resolution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from pages.components.viewer_data import (
    Layer,
    Limits,
    PackedLayer,
    compress,
    find_limits,
    pack_layer,
    quantise,
    shrink,
)
from pages.components.viewer_state import ViewState

Part = Literal["preview", "volumes", "plane", "view"]
Steps = tuple[int, int, int]

# Fewer voxels over all layers are there as quickly as one plane of them.
SENT_AT_ONCE = 1_500_000
# These views can be drawn truly from one plane.
FLAT_MODES = ("side", "blink", "swipe", "blend", "merge", "difference")


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    The next thing to send.

    Parameters
    ----------
    part : {"preview", "volumes", "plane", "view"}
        One plane of each layer, all of them, one in full resolution, or no voxels: only where to look.
    t, z : int
        Time point, and plane as counted in what was sent.
    """

    part: Part
    t: int = 0
    z: int = 0


@dataclass(frozen=True, slots=True)
class Scene:
    """
    What one viewer shows.

    Parameters
    ----------
    layers : tuple of Layer
        All of one shape.
    steps : (z, y, x)
        Voxels that become one.
    start : ViewState
        How the viewer opens.
    """

    layers: tuple[Layer, ...]
    steps: Steps
    start: ViewState


def first_part(scene: Scene) -> Wanted:
    """Decide what a browser that has nothing gets: thresholds, projections and 3-D need whole volumes."""
    steps, start, n_layers = scene.steps, scene.start, len(scene.layers)
    _, nz, ny, nx = sent = sent_shape(scene.layers[0].tzyx.shape, steps)
    flat = start.mode in FLAT_MODES and start.projection == "plane" and not start.sections
    if not flat or n_layers * sent[0] * nz * ny * nx <= SENT_AT_ONCE:
        return Wanted("volumes")
    z = (nz - 1) // 2 if start.z is None else start.z // steps[0]
    return Wanted("preview", min(max(start.t or 0, 0), sent[0] - 1), min(max(z, 0), nz - 1))


def asked_part(asked: object, content: str, shape: tuple[int, int, int, int]) -> Wanted | None:
    """Read what the browser asks for; None where it asks for another image or makes no sense."""
    if not isinstance(asked, Mapping) or asked.get("content") != content:
        return None
    if asked.get("part") == "volumes":
        return Wanted("volumes")
    t, z = asked.get("t"), asked.get("z")
    if asked.get("part") != "plane" or not isinstance(t, int) or not isinstance(z, int):
        return None
    return Wanted("plane", t, z) if 0 <= t < shape[0] and 0 <= z < shape[1] else None


def sent_shape(shape: tuple[int, ...], steps: Steps) -> tuple[int, int, int, int]:
    """Count time points, planes, rows and columns that are left after :func:`shrink`."""
    nz = len(range(steps[0] // 2, shape[1], steps[0])) if steps[0] > 1 else shape[1]
    return shape[0], nz, shape[2] // steps[1], shape[3] // steps[2]


def window_of(layer: Layer) -> tuple[Limits, Limits]:
    """Return what is black and white in a layer, as given and by its own percentiles."""
    if layer.kind == "mask":
        return (0.0, 1.0), (0.0, 1.0)
    own = layer.own_limits if layer.own_limits is not None else find_limits(layer.voxels)
    return layer.limits if layer.limits is not None else own, own


def preview(layer: Layer, windows: tuple[Limits, Limits], steps: Steps, wanted: Wanted) -> PackedLayer:
    """Pack the plane that is seen first, between the limits of the whole layer."""
    plane = _plane(layer, steps, wanted)[None, None]
    lone = replace(
        layer,
        voxels=plane,
        voxel_size_um=(1.0, *layer.voxel_size_um[-2:]),
        limits=windows[0],
        own_limits=windows[1],
        region=None,
    )
    return pack_layer(lone, (1, *steps[1:]))


def with_region(packed: PackedLayer, layer: Layer, steps: Steps) -> PackedLayer:
    """Add a layer's region to its volume as one more stream, of one bit a voxel."""
    if layer.region is None:
        return packed
    inside = shrink(layer.region.reshape(layer.tzyx.shape), steps, mask=True)
    bits = compress(np.packbits(inside != 0).data)
    return PackedLayer({**packed.about, "region": True}, (*packed.parts, bits))


def full_plane(layer: Layer, about: Mapping[str, object], steps: Steps, wanted: Wanted) -> PackedLayer:
    """
    Pack one plane in full resolution, with samples that mean the same as those of the volume.

    Parameters
    ----------
    layer : Layer
        The whole image.
    about : mapping
        What the samples of its volume mean.
    steps : (z, y, x)
        Voxels that became one in the volume; rows and columns that it lacks are left out here too.
    wanted : Wanted
        Which plane.
    """
    plane = _plane(layer, steps, wanted)
    _, _, ny, nx = sent_shape((1, 1, *plane.shape), steps)
    plane = plane[: ny * steps[1], : nx * steps[2]]
    low, high = float(str(about["low"])), float(str(about["high"]))
    if layer.kind == "mask":
        samples = np.where(plane != 0, np.uint8(255), np.uint8(0))
    elif plane.dtype == np.uint8:
        samples = np.asarray(plane)
    else:
        finite = np.nan_to_num(plane.astype(np.float32), nan=low, posinf=high, neginf=low)
        samples = quantise(finite[None, None], low, high, 255)
    raw = np.ascontiguousarray(samples).data.cast("B")
    return PackedLayer({"name": layer.name, "shape": list(plane.shape)}, (compress(raw),))


def _plane(layer: Layer, steps: Steps, wanted: Wanted) -> np.ndarray:
    z = wanted.z * steps[0] + (steps[0] // 2 if steps[0] > 1 else 0)
    return np.asarray(layer.tzyx[wanted.t, z])
