"""
The published U-Net for predicting fluorescence from transmitted light, in 3-D and 2-D.

Written from the description of the network and the names of the tensors in its published
weight files, so that those files load as they are. Nothing here is taken from the
original program, whose licence forbids commercial use.

References
----------
.. [1] Ounkomol et al. (2018), Nat. Methods 15:917, doi 10.1038/s41592-018-0111-2.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

_CONV: dict[int, type[nn.Conv2d] | type[nn.Conv3d]] = {2: nn.Conv2d, 3: nn.Conv3d}
_CONV_UP: dict[int, type[nn.ConvTranspose2d] | type[nn.ConvTranspose3d]] = {
    2: nn.ConvTranspose2d,
    3: nn.ConvTranspose3d,
}
_NORM: dict[int, type[nn.BatchNorm2d] | type[nn.BatchNorm3d]] = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


class TwoConvolutions(nn.Module):
    """Twice: convolution with a kernel of 3, batch normalisation, ReLU. Keeps the size."""

    def __init__(self, ndim: int, n_in: int, n_out: int) -> None:
        super().__init__()
        self.conv1 = _CONV[ndim](n_in, n_out, kernel_size=3, padding=1)
        self.bn1 = _NORM[ndim](n_out)
        self.conv2 = _CONV[ndim](n_out, n_out, kernel_size=3, padding=1)
        self.bn2 = _NORM[ndim](n_out)

    def forward(self, x: Tensor) -> Tensor:
        """(N, n_in, ...) to (N, n_out, ...)."""
        return relu(self.bn2(self.conv2(relu(self.bn1(self.conv1(x))))))


class Level(nn.Module):
    """
    One resolution of the U, with everything below it inside ``sub_u``.

    The lowest level (``depth`` 0) is two convolutions and nothing else, and its state
    dict has no tensors of the way down and up.
    """

    def __init__(self, ndim: int, n_in: int, width: int, depth: int) -> None:
        super().__init__()
        self.depth = depth
        self.sub_2conv_more = TwoConvolutions(ndim, n_in, width)
        if depth == 0:
            return
        self.conv_down = _CONV[ndim](width, width, kernel_size=2, stride=2)
        self.bn0 = _NORM[ndim](width)
        self.sub_u = Level(ndim, width, 2 * width, depth - 1)
        self.convt = _CONV_UP[ndim](2 * width, width, kernel_size=2, stride=2)
        self.bn1 = _NORM[ndim](width)
        self.sub_2conv_less = TwoConvolutions(ndim, 2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, n_in, ...) to (N, width, ...), sizes kept."""
        skip = self.sub_2conv_more(x)  # (N, width, ...)
        if self.depth == 0:
            return skip
        down = relu(self.bn0(self.conv_down(skip)))  # (N, width, .../2)
        up = relu(self.bn1(self.convt(self.sub_u(down))))  # (N, width, ...)
        # The published weights expect the skipped channels first.
        return self.sub_2conv_less(torch.cat((skip, up), dim=1))  # (N, width, ...)


class FNet(nn.Module):
    """
    The published U-Net, whose state dict has the names and shapes of the published files.

    Parameters
    ----------
    ndim : int
        3 for z-stacks, 2 for planes.
    n_in, n_out : int
        Channels in and out.
    mult_chan : int
        Channels at full resolution; each level below has twice as many.
    depth : int
        How often the size is halved.

    Attributes
    ----------
    divisor : tuple of int
        Every axis of an image must be a multiple of this many voxels.
    halo : tuple of int
        Voxels along each axis that a tile needs around it so that its result is exact.

    References
    ----------
    .. [1] Ounkomol et al. (2018), Nat. Methods 15:917.

    Examples
    --------
    >>> network = FNet(ndim=2, mult_chan=4, depth=2).eval()
    >>> network(torch.zeros(1, 1, 8, 12)).shape
    torch.Size([1, 1, 8, 12])
    """

    def __init__(
        self, ndim: int = 3, n_in: int = 1, n_out: int = 1, mult_chan: int = 32, depth: int = 4
    ) -> None:
        super().__init__()
        self.ndim, self.n_in, self.n_out = ndim, n_in, n_out
        self.mult_chan, self.depth = mult_chan, depth
        self.net_recurse = Level(ndim, n_in, mult_chan, depth)
        self.conv_out = _CONV[ndim](mult_chan, n_out, kernel_size=3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, n_in, [Z,] Y, X) float to (N, n_out, [Z,] Y, X); no activation at the end."""
        return self.conv_out(self.net_recurse(x))

    @property
    def divisor(self) -> tuple[int, ...]:
        """Sizes must be multiples of this, one number for each axis."""
        return (2**self.depth,) * self.ndim

    @property
    def halo(self) -> tuple[int, ...]:
        """Voxels a tile needs around it to be exact, where tiles start at multiples of :attr:`divisor`."""
        return (_aligned_reach(self.depth),) * self.ndim


def _aligned_reach(depth: int) -> int:
    """
    How far the first voxel of a tile can look to the left, as a multiple of ``2**depth``.

    >>> _aligned_reach(4)
    96
    """
    place = -1  # conv_out
    for _ in range(depth):
        place = (place - 2) // 2  # two convolutions, then to the coarser level
    place -= 2
    for _ in range(depth):
        # The coarsest level has its two convolutions above; every other one has two more.
        place = 2 * place - 2
    step = 2**depth
    return -(place // step) * step
