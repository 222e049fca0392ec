"""
Images of nothing, so that a network learns to answer nothing to them.

A network that has seen cells in every patch invents some in noise. Here the phases of a patch are
scrambled, which keeps its spectrum and takes its content, or it is replaced by noise.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

_SCRAMBLED, _SMOOTHED, _SHADED = 0.6, 0.6, 0.5
_SMOOTHED_PX = (0.4, 1.6)
_REACH_PX = 6
_SHADES = 4


def blurred(image: Tensor, sigma_px: float, reach_px: int) -> Tensor:
    """
    Blur planes by a Gaussian.

    Parameters
    ----------
    image : tensor, shape (..., Y, X)
    sigma_px : float
    reach_px : int
        Half width of the kernel.
    """
    at = torch.arange(-reach_px, reach_px + 1, dtype=torch.float32)
    kernel = torch.exp(-(at**2) / (2 * sigma_px**2))
    kernel = kernel / kernel.sum()
    flat = F.pad(image.reshape(-1, 1, *image.shape[-2:]), (reach_px,) * 4, mode="reflect")
    flat = F.conv2d(F.conv2d(flat, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))
    return flat.reshape(image.shape)


def shading(side_px: int, rng: np.random.Generator) -> Tensor:
    """Draw a smooth unevenness of about unit size, shape (side, side)."""
    coarse = torch.from_numpy(rng.normal(size=(1, 1, _SHADES, _SHADES)).astype(np.float32))
    return F.interpolate(coarse, size=(side_px, side_px), mode="bicubic")[0, 0]


def scrambled(image: Tensor, rng: np.random.Generator) -> Tensor:
    """
    Return an image of the same spectrum and mean without its content.

    Parameters
    ----------
    image : float tensor, shape (..., Y, X)
        Planes are scrambled alike, so that what is alike in neighbours stays alike.
    rng : numpy Generator
    """
    mean = image.mean()
    noise = torch.from_numpy(rng.normal(size=tuple(image.shape[-2:])).astype(np.float32))
    phase = torch.angle(torch.fft.fft2(noise))
    content = torch.fft.fft2(image - mean)
    if rng.random() < 0.5:
        # Same phases in every plane: a still pattern. Else the planes keep what differs between them.
        turned = torch.polar(content.abs(), phase.expand(content.shape).contiguous())
    else:
        turned = content * torch.polar(torch.ones_like(phase), phase)
    return torch.fft.ifft2(turned).real + mean


def nothing_like(image: Tensor, rng: np.random.Generator) -> Tensor:
    """
    Return a patch that holds nothing: *image* scrambled, or noise.

    Parameters
    ----------
    image : float tensor, shape (1, [Z,] Y, X)
    rng : numpy Generator
    """
    if rng.random() < _SCRAMBLED:
        return scrambled(image, rng)
    noise = torch.from_numpy(rng.normal(size=tuple(image.shape)).astype(np.float32))
    if rng.random() < _SMOOTHED:
        noise = blurred(noise, rng.uniform(*_SMOOTHED_PX), _REACH_PX)
    if rng.random() < _SHADED:
        noise = noise + shading(image.shape[-1], rng) * float(rng.uniform(0, 2)) * noise.std()
    # A prepared image has unit spread, and so has most of what a person opens by mistake.
    return (noise - noise.mean()) / (noise.std() + 1e-3) * float(np.exp(0.3 * rng.normal()))
