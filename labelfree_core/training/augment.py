"""Random patches that look like other microscopes: contrast, focus, scale, inversion, noise, orientation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from labelfree_core.training.nothing import blurred, nothing_like, shading
from labelfree_core.training.pairs import Pair
from labelfree_core.training.sampling import Pool

_FOREGROUND = 0.5
_BLUR_REACH_PX = 4
# Another transfer function: how uneven, its turn at the highest frequency in radians, how far it reaches.
_UNEVEN, _MOST_TURNED, _EDGE_PX = 0.4, 8.0, 24


@dataclass(frozen=True, slots=True)
class Augmentation:
    """
    Ranges of what varies between microscopes.

    ``patch_px`` side of a patch in y and x; ``scale`` largest zoom either way; ``gain`` spread of the log
    contrast; ``offset`` spread of the brightness in standard deviations; ``blur_px`` widest Gaussian, also
    that of the opposite, a sharper focus; ``noise`` largest standard deviation; ``shading`` largest
    unevenness; ``inverted`` share of patches with inverted contrast; ``on_cells`` share of patches of a
    plane that are drawn around something stained; ``depth`` largest zoom of the step between planes;
    ``fading`` spread of a change of contrast from the lowest to the highest plane; ``curve`` largest
    exponent by which bright and dark are stretched; ``nothing`` share of patches that are scrambled or
    pure noise, whose target is empty; ``transfer`` share of patches seen through another transfer function
    (see :func:`transferred`).
    """

    patch_px: int = 144
    scale: float = 1.27
    gain: float = 0.3
    offset: float = 0.2
    blur_px: float = 1.3
    noise: float = 0.2
    shading: float = 0.4
    inverted: float = 0.1
    on_cells: float = 0.6
    depth: float = 1.16
    fading: float = 0.3
    curve: float = 1.3
    nothing: float = 0.06
    transfer: float = 0.0


def draw(
    fields: Pool, planes: tuple[int, int], augmentation: Augmentation, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """
    Draw one random patch.

    Parameters
    ----------
    fields : Pool
        Training fields, and how often each is drawn.
    planes : tuple of int
        ``(block, context)``: planes to predict and planes seen beyond them; ``(0, 0)`` for single planes.
    augmentation : Augmentation
    rng : numpy Generator

    Returns
    -------
    image : float32 tensor, shape (1, [block + 2 context,] P, P)
    target, known : float32 tensors, shape (structures, [block,] P, P)
    """
    pair = fields.pairs[rng.choice(len(fields.pairs), p=fields.chances)]
    at = _positions(pair, planes, augmentation, rng)
    seen, wanted = _planes(pair, planes, augmentation, rng)
    parts = [pair.image[None], pair.targets, pair.known]
    if planes[0]:
        parts = [pair.image[seen][None], pair.targets[:, wanted], pair.known[:, wanted]]
    image, target, known = _sampled(parts, at)
    image = _other_microscope(image, augmentation, rng)
    if rng.random() < augmentation.nothing:
        empty = torch.from_numpy(fields.background).reshape(-1, *[1] * (target.ndim - 1))
        return nothing_like(image, rng), empty.expand(target.shape), torch.ones_like(target)
    return image, target, (known > 0.99).float()


def _positions(
    pair: Pair, planes: tuple[int, int], augmentation: Augmentation, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Where in the field (y, x) each pixel of the patch lies: moved, turned, mirrored, zoomed, stretched."""
    height, width = pair.image.shape[-2:]
    half = augmentation.patch_px / 2 * augmentation.scale ** rng.uniform(-1, 1)
    centre = [rng.uniform(0, height), rng.uniform(0, width)]
    if not planes[0] and rng.random() < augmentation.on_cells:
        centre = _near_a_cell(pair, augmentation.patch_px, centre, rng)
    # A patch may hang over the edge by a fifth: the field is continued by reflection.
    y0, x0 = (
        float(np.clip(at, min(0.6 * half, size / 2), max(size - 0.6 * half, size / 2)))
        for at, size in zip(centre, (height, width), strict=True)
    )
    stretch = float(np.exp(0.05 * rng.normal()))
    angle = rng.uniform(0, 2 * np.pi) if rng.random() < 0.5 else rng.integers(4) * np.pi / 2
    side = torch.linspace(-1, 1, augmentation.patch_px)
    y, x = torch.meshgrid(side * half * stretch, side * half / stretch, indexing="ij")
    if rng.random() < 0.5:
        y = -y
    cosine, sine = float(np.cos(angle)), float(np.sin(angle))
    return y0 + cosine * y - sine * x, x0 + sine * y + cosine * x


def _near_a_cell(pair: Pair, patch_px: int, otherwise: list[float], rng: np.random.Generator) -> list[float]:
    stained = np.argwhere(pair.targets[0, ::8, ::8] > _FOREGROUND)
    if not len(stained):
        return otherwise
    around = stained[rng.integers(len(stained))] * 8 + rng.integers(-patch_px // 3, patch_px // 3 + 1, 2)
    return [float(value) for value in around]


def _planes(
    pair: Pair, planes: tuple[int, int], augmentation: Augmentation, rng: np.random.Generator
) -> tuple[list[int], list[int]]:
    block, context = planes
    if not block:
        return [], []
    depth = pair.image.shape[0]
    start = int(rng.integers(-(block // 2), max(depth - block // 2, 1)))
    step = augmentation.depth ** rng.uniform(-1, 1) if rng.random() < 0.5 else 1.0
    middle = (block - 1) / 2
    at = start + middle + (np.arange(-context, block + context) - middle) * step
    seen = np.clip(np.round(at), 0, depth - 1).astype(int).tolist()
    return seen, seen[context : context + block]


def _sampled(parts: list[np.ndarray], at: tuple[Tensor, Tensor]) -> list[Tensor]:
    """Read every part at the given places, linearly between pixels."""
    y, x = at
    height, width = parts[0].shape[-2:]
    top, left = (max(int(v.min()) - 2, 0) for v in (y, x))
    # At least two pixels a side, so that places have a scale.
    bottom, right = (min(int(v.max()) + 3, size) for v, size in ((y, height), (x, width)))
    window = (..., slice(top, max(bottom, top + 2)), slice(left, max(right, left + 2)))
    cut = [torch.from_numpy(np.ascontiguousarray(part[window], np.float32)) for part in parts]
    flat = torch.cat([piece.reshape(-1, *piece.shape[-2:]) for piece in cut])
    tall, wide = flat.shape[-2:]
    places = torch.stack([(x - left) / max(wide - 1, 1) * 2 - 1, (y - top) / max(tall - 1, 1) * 2 - 1], -1)
    read = F.grid_sample(flat[None], places[None].float(), padding_mode="reflection", align_corners=True)[0]
    channels = [int(np.prod(piece.shape[:-2])) for piece in cut]
    return [
        got.reshape(*piece.shape[:-2], *read.shape[-2:])
        for got, piece in zip(read.split(channels), cut, strict=True)
    ]


def _other_microscope(image: Tensor, augmentation: Augmentation, rng: np.random.Generator) -> Tensor:
    side = image.shape[-1]
    if augmentation.transfer and rng.random() < augmentation.transfer:
        image = transferred(image, rng)
    if augmentation.blur_px and rng.random() < 0.3:
        softer = blurred(image, rng.uniform(0.3, 1) * augmentation.blur_px, _BLUR_REACH_PX)
        image = softer if rng.random() < 0.6 else image + 0.7 * (image - softer)
    if rng.random() < 0.3:
        image = image + shading(side, rng) * float(rng.uniform(0, augmentation.shading))
    if image.ndim == 4 and rng.random() < 0.3:
        ramp = torch.linspace(-1, 1, image.shape[1])[:, None, None]
        image = image * (1 + ramp * float(augmentation.fading * rng.normal()))
    contrast = float(np.exp(augmentation.gain * rng.normal()))
    image = image * contrast + float(augmentation.offset * rng.normal())
    if augmentation.curve > 1 and rng.random() < 0.2:
        image = image.sign() * image.abs().pow(float(augmentation.curve ** rng.uniform(-1, 1)))
    if rng.random() < augmentation.inverted:
        image = -image
    if rng.random() < 0.5:
        noise = rng.normal(size=image.shape).astype(np.float32)
        image = image + torch.from_numpy(noise) * float(rng.uniform(0, augmentation.noise))
    return image


def transferred(image: Tensor, rng: np.random.Generator) -> Tensor:
    """
    Return an image as another objective at another focus might have shown it.

    Every spatial frequency is made stronger or weaker by a smooth random curve, and half of the time fine
    detail changes its sign, as it does through focus; the spread of the patch stays.

    Parameters
    ----------
    image : float tensor, shape (..., Y, X)
        Planes are changed alike.
    rng : numpy Generator
    """
    edge = min(_EDGE_PX, min(image.shape[-2:]) - 1)
    height, width = (size + 2 * edge for size in image.shape[-2:])
    y, x = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None]
    squared = 4 * (y * y + x * x)  # 1 at the highest frequency along an axis
    radius = squared.sqrt().clamp(max=1.0)
    curve = sum(
        float(_UNEVEN * rng.normal() / order) * (torch.cos(torch.pi * order * radius) - 1)
        for order in (1, 2, 3)
    )
    gain = torch.exp(torch.as_tensor(curve))
    if rng.random() < 0.5:
        gain = gain * torch.cos(float(rng.uniform(0, _MOST_TURNED)) * squared)
    flat = image.reshape(-1, 1, *image.shape[-2:])
    wide = F.pad(flat, (edge,) * 4, mode="reflect")
    mean = wide.mean((-2, -1), keepdim=True)
    seen = torch.fft.irfft2(torch.fft.rfft2(wide - mean) * gain, s=(height, width))
    inner = seen[..., edge:-edge, edge:-edge]
    inner = inner * (flat.std() / (inner.std() + 1e-3)) + mean
    return inner.reshape(image.shape)
