"""
Our own small U-Nets, designed for a laptop's CPU.

Two choices make them fast where most time goes, at full resolution: squares of pixels are folded into
channels before the first convolution and unfolded after the last, and a z-stack is seen as blocks of
neighbouring planes folded into channels, so that every convolution is a two-dimensional one (PyTorch's
three-dimensional ones are slow on a CPU when they are thin).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


def _two_convolutions(n_in: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, 3, padding=1),
        nn.BatchNorm2d(n_out),
        nn.ReLU(),
        nn.Conv2d(n_out, n_out, 3, padding=1),
        nn.BatchNorm2d(n_out),
        nn.ReLU(),
    )


class Compact2d(nn.Module):
    """
    A U-Net for planes that works at a fraction of the resolution, with every pixel's detail in channels.

    Parameters
    ----------
    n_in, n_out : int
        Channels in and out.
    widths : sequence of int
        Channels at 1/fold, 1/(2 fold), 1/(4 fold) ... of the resolution.
    fold : int
        Side in pixels of the squares that become channels.

    Attributes
    ----------
    divisor : tuple of int
        Sizes (Y, X) must be multiples of it.
    halo : tuple of int
        Pixels (Y, X) beyond which nothing reaches the output.

    Examples
    --------
    >>> Compact2d(widths=(8, 16)).divisor
    (4, 4)
    """

    def __init__(
        self, n_in: int = 1, n_out: int = 1, widths: Sequence[int] = (32, 64, 128, 192), fold: int = 2
    ) -> None:
        super().__init__()
        inputs = (n_in * fold**2, *widths[:-1])
        self.fold = nn.PixelUnshuffle(fold)
        self.encode = nn.ModuleList(_two_convolutions(a, b) for a, b in zip(inputs, widths, strict=True))
        self.down = nn.MaxPool2d(2)
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(below, here, 2, stride=2) for here, below in pairwise(widths)
        )
        self.decode = nn.ModuleList(_two_convolutions(2 * here, here) for here in widths[:-1])
        self.head = nn.Conv2d(widths[0], n_out * fold**2, 3, padding=1)
        self.unfold = nn.PixelShuffle(fold)
        levels = len(widths)
        self.divisor = (fold * 2 ** (levels - 1),) * 2
        # Two 3 x 3 convolutions a level on the way down and up and one at the end, and the place of a
        # pixel within its coarsest cell; rounded up, since tiles start on multiples of the divisor.
        coarsest = self.divisor[0]
        convolutions = 1 + sum(2 * 2**k * (1 if k == levels - 1 else 2) for k in range(levels))
        reach = fold * convolutions + coarsest - 1
        self.halo = (-(-reach // coarsest) * coarsest,) * 2

    def forward(self, x: Tensor) -> Tensor:
        """(N, n_in, Y, X) to (N, n_out, Y, X)."""
        x = self.fold(x)
        skips = []
        for k, encode in enumerate(self.encode):
            x = encode(self.down(x) if k else x)
            skips.append(x)
        for k in reversed(range(len(self.up))):
            x = self.decode[k](torch.cat([skips[k], self.up[k](x)], 1))
        unfolded: Tensor = self.unfold(self.head(x))
        return unfolded


class Compact3d(nn.Module):
    """
    A U-Net for z-stacks that predicts blocks of planes from the planes around them.

    Every block of ``block`` planes is predicted from itself and ``context`` planes on either side; at the
    ends of the stack the outermost plane is repeated.

    Parameters
    ----------
    n_in, n_out : int
        Channels in (1) and out.
    widths, fold
        As for :class:`Compact2d`.
    block, context : int
        Planes predicted at once, and planes seen beyond them.
    """

    def __init__(
        self,
        n_in: int = 1,
        n_out: int = 1,
        widths: Sequence[int] = (48, 96, 160, 224),
        block: int = 4,
        context: int = 6,
        *,
        fold: int = 2,
    ) -> None:
        super().__init__()
        self.n_in, self.n_out, self.block, self.context = n_in, n_out, block, context
        self.planes = Compact2d(n_in * (block + 2 * context), n_out * block, widths, fold)
        self.divisor = (block, *self.planes.divisor)
        self.halo = (-(-context // block) * block, *self.planes.halo)

    def forward(self, x: Tensor) -> Tensor:
        """(N, n_in, Z, Y, X) to (N, n_out, Z, Y, X)."""
        n, _, z, y, w = x.shape
        before = x[:, :, :1].expand(-1, -1, self.context, -1, -1)
        after = x[:, :, -1:].expand(-1, -1, self.context, -1, -1)
        whole = torch.cat([before, x, after], 2)
        reach = self.block + 2 * self.context
        blocks = []
        for start in range(0, z, self.block):
            seen = whole[:, :, start : start + reach].reshape(n, self.n_in * reach, y, w)
            # One block at a time keeps the memory at that of a single plane's network.
            out = self.planes(seen.contiguous(memory_format=torch.channels_last))
            blocks.append(out.reshape(n, self.n_out, self.block, y, w))
        return torch.cat(blocks, 2)
