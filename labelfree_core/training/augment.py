"""Random patches that look like other microscopes: contrast, focus, scale, inversion, noise, orientation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from labelfree_core.training.pairs import Pair


@dataclass(frozen=True, slots=True)
class Augmentation:
    """
    Ranges of what varies between microscopes.

    ``patch_px`` side of a patch in y and x; ``scale`` largest zoom either way; ``gain`` spread of the log
    contrast; ``offset`` spread of the brightness in standard deviations; ``blur_px`` widest Gaussian;
    ``noise`` largest standard deviation; ``inverted`` share of patches with inverted contrast.
    """

    patch_px: int = 224
    scale: float = 1.25
    gain: float = 0.25
    offset: float = 0.2
    blur_px: float = 1.5
    noise: float = 0.15
    inverted: float = 0.1


def draw(
    pairs: Sequence[Pair], planes: tuple[int, int], augmentation: Augmentation, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """
    Draw one random patch.

    Parameters
    ----------
    pairs : sequence of Pair
        Training fields; groups are drawn evenly in the square root of their size.
    planes : tuple of int
        ``(block, context)``: planes to predict and planes seen beyond them; ``(0, 0)`` for single planes.
    augmentation : Augmentation
    rng : numpy Generator

    Returns
    -------
    image : float32 tensor, shape (1, [block + 2 context,] P, P)
    target, known : float32 tensors, shape (structures, [block,] P, P)
    """
    pair = _choose(pairs, rng)
    side = min(
        int(augmentation.patch_px * rng.uniform(1 / augmentation.scale, augmentation.scale)),
        *pair.image.shape[-2:],
    )
    y, x = (int(rng.integers(size - side + 1)) for size in pair.image.shape[-2:])
    seen, wanted = _planes(pair, planes, rng)
    window = (..., slice(y, y + side), slice(x, x + side))
    parts = (
        [pair.image[seen][window][None], pair.targets[:, wanted][window], pair.known[:, wanted][window]]
        if planes[0]
        else [pair.image[window][None], pair.targets[window], pair.known[window]]
    )
    tensors = [torch.from_numpy(np.ascontiguousarray(part, np.float32)) for part in parts]
    stack = _turned([_resized(tensor, augmentation.patch_px) for tensor in tensors], rng)
    image, target, known = stack
    return _other_microscope(image, augmentation, rng), target, (known > 0.99).float()


def _choose(pairs: Sequence[Pair], rng: np.random.Generator) -> Pair:
    groups: dict[str, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(pair.group, []).append(pair)
    weights = np.sqrt([len(members) for members in groups.values()])
    members = list(groups.values())[rng.choice(len(groups), p=weights / weights.sum())]
    return members[rng.integers(len(members))]


def _planes(pair: Pair, planes: tuple[int, int], rng: np.random.Generator) -> tuple[list[int], list[int]]:
    block, context = planes
    if not block:
        return [], []
    depth = pair.image.shape[0]
    start = int(rng.integers(-(block // 2), max(depth - block // 2, 1)))
    seen = np.clip(np.arange(start - context, start + block + context), 0, depth - 1)
    return seen.tolist(), np.clip(np.arange(start, start + block), 0, depth - 1).tolist()


def _resized(patch: Tensor, side: int) -> Tensor:
    if patch.shape[-1] == side:
        return patch
    flat = patch.reshape(1, -1, *patch.shape[-2:])
    return F.interpolate(flat, size=(side, side), mode="bilinear").reshape(*patch.shape[:-2], side, side)


def _turned(parts: list[Tensor], rng: np.random.Generator) -> list[Tensor]:
    quarter, mirrored = int(rng.integers(4)), bool(rng.random() < 0.5)
    parts = [torch.rot90(part, quarter, (-2, -1)) for part in parts]
    return [part.flip(-1) for part in parts] if mirrored else parts


def _other_microscope(image: Tensor, augmentation: Augmentation, rng: np.random.Generator) -> Tensor:
    if rng.random() < 0.3:
        image = _blurred(image, rng.uniform(0.4, max(augmentation.blur_px, 0.41)))
    image = image * float(np.exp(augmentation.gain * rng.normal())) + float(
        augmentation.offset * rng.normal()
    )
    if rng.random() < augmentation.inverted:
        image = -image
    if rng.random() < 0.5:
        noise = rng.normal(size=image.shape).astype(np.float32)
        image = image + torch.from_numpy(noise) * float(rng.uniform(0, augmentation.noise))
    return image


def _blurred(image: Tensor, sigma_px: float) -> Tensor:
    at = torch.arange(-4, 5, dtype=torch.float32)
    kernel = torch.exp(-(at**2) / (2 * sigma_px**2))
    kernel = kernel / kernel.sum()
    flat = F.pad(image.reshape(-1, 1, *image.shape[-2:]), (4, 4, 4, 4), mode="reflect")
    flat = F.conv2d(F.conv2d(flat, kernel.view(1, 1, 1, 9)), kernel.view(1, 1, 9, 1))
    return flat.reshape(image.shape)
