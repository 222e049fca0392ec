"""
The published U-Net with its large levels computed in strips of rows: exact, in a third of the memory.

The full-resolution level holds eight times the voxels of the next one (four times for
planes), so that nearly all memory goes into it. Its convolutions reach only a few rows;
strips with that overlap give the same numbers, while the deeper levels, whose reach is
wide, run whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from labelfree_core.inference.interruptible import FEWEST_ROWS, empty_rows
from labelfree_core.models.unet import FNet, Level, TwoConvolutions

_MORE = 2  # rows that two convolutions with a kernel of 3 reach
_LESS = 4  # rows of the way up: two convolutions and the last one, on an even row


@dataclass(frozen=True, slots=True)
class Streaming:
    """
    How much of the network runs in strips.

    ``levels`` from full resolution downwards; ``keep_skips`` False computes the way down a
    second time instead of keeping it, which is slower and smaller.
    """

    levels: int = 0
    keep_skips: bool = True

    @property
    def name(self) -> str:
        """In words, for a recipe."""
        if self.levels == 0:
            return "whole"
        return f"{self.levels} level(s) in strips, skips {'kept' if self.keep_skips else 'computed twice'}"


# From fast and large to slow and small.
WHOLE = Streaming()
CHOICES = (WHOLE, Streaming(1), Streaming(1, keep_skips=False), Streaming(2, keep_skips=False))


def run_unet(network: FNet, x: Tensor, how: Streaming = WHOLE) -> Tensor:
    """
    Run *network* (batch normalisation folded) on *x*, streaming as *how* says.

    Parameters
    ----------
    network : FNet
        Its convolutions already include the batch normalisation.
    x : tensor, shape (N, n_in, [Z,] Y, X)
        Standardised image, sizes multiples of the network's divisor.
    how : Streaming
        Whole, or the upper levels in strips.

    Returns
    -------
    result : tensor, shape (N, n_out, [Z,] Y, X)
    """
    if how.levels == 0:
        return network.conv_out(_whole(network.net_recurse, x))
    return _streamed(network.net_recurse, x, how, network)


def _two(block: TwoConvolutions, x: Tensor) -> Tensor:
    return block.conv2(block.conv1(x, relu=True), relu=True)


def _whole(level: Level, x: Tensor) -> Tensor:
    skip = _two(level.sub_2conv_more, x)
    if level.depth == 0:
        return skip
    up = level.convt(_whole(level.sub_u, level.conv_down(skip, relu=True)), relu=True)
    both = torch.cat((skip, up), dim=1)
    del skip, up  # before the convolutions take their own room
    return _two(level.sub_2conv_less, both)


def _streamed(level: Level, x: Tensor, how: Streaming, network: FNet | None = None) -> Tensor:
    """One level in strips; with *network*, at full resolution, each strip ends in the last convolution."""
    if how.levels == 0 or level.depth == 0:
        return _whole(level, x)
    down, skip = _way_down(level, x, keep=how.keep_skips)
    deep = _streamed(level.sub_u, down, Streaming(how.levels - 1, how.keep_skips))
    del down
    height, out = x.shape[-2], None
    for start, stop in _strips(height):
        low, high = max(0, start - _LESS), min(height, stop + _LESS)
        up = level.convt(deep[..., low // 2 : high // 2, :], relu=True)
        part = _skip_rows(level, x, low, high) if skip is None else skip[..., low:high, :]
        both = torch.cat((part, up), dim=1)
        del part, up
        result = _two(level.sub_2conv_less, both)
        del both
        if network is not None:
            result = network.conv_out(result)
        if out is None:
            out = empty_rows(result, height)
        out[..., start:stop, :] = result[..., start - low : stop - low, :]
    assert out is not None  # x has rows
    return out


def _way_down(level: Level, x: Tensor, *, keep: bool) -> tuple[Tensor, Tensor | None]:
    height = x.shape[-2]
    down: Tensor | None = None
    skip: Tensor | None = None
    for start, stop in _strips(height):
        part = _skip_rows(level, x, start, stop)
        if keep:
            if skip is None:
                skip = empty_rows(part, height)
            skip[..., start:stop, :] = part
        half = level.conv_down(part, relu=True)
        if down is None:
            down = empty_rows(half, height // 2)
        down[..., start // 2 : stop // 2, :] = half
    assert down is not None  # x has rows
    return down, skip


def _skip_rows(level: Level, x: Tensor, start: int, stop: int) -> Tensor:
    """Rows [start, stop) of the way down of this level."""
    low, high = max(0, start - _MORE), min(x.shape[-2], stop + _MORE)
    return _two(level.sub_2conv_more, x[..., low:high, :])[..., start - low : stop - low, :]


def _strips(height: int) -> list[tuple[int, int]]:
    count = max(1, height // FEWEST_ROWS)
    edges = [round(i * height / count / 2) * 2 for i in range(count)] + [height]
    return list(pairwise(edges))
