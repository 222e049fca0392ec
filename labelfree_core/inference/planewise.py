"""
Three-dimensional convolutions made of two-dimensional ones: fewer multiplications, the same numbers.

Both ways use that the planes of a channels-last stack are a batch of images without copying. What is
left is rounding: 1e-6 to 2e-6 of a layer's norm, against 5e-7 of the direct sum.

:class:`Winograd` is F(4, 3) along z [1]_. Four output planes of a 3 x 3 x 3 convolution need twelve
convolutions of single planes. Seen as polynomials in z they need six: six mixtures of the planes are
convolved with six mixtures of the kernel, and the results are mixed back.

:class:`Thin` serves convolutions with one or a few output channels. CPU libraries compute sixteen at
least, so the three planes of the kernel become output channels, and are summed afterwards.

References
----------
.. [1] Lavin & Gray (2016), CVPR, arXiv 1509.09308: the three matrices below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

_PLANES, _MIXTURES = 4, 6
_INPUT = torch.tensor(
    [
        [4.0, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
_KERNEL = torch.tensor(
    [[6.0, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]], dtype=torch.float64
)
_KERNEL_SCALE = 24  # so that the matrix above has whole numbers
_OUTPUT = torch.tensor([[1.0, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])
_BIASED = 1  # this mixture goes into all four planes with a weight of one, and so does a bias added to it
# Thinner layers are bound by memory, where more passes only cost.
_FEWEST_CHANNELS = 16
_THIN = 5  # output channels, three planes of which still fit into the sixteen that are computed
# Mixtures of one piece: large enough for the calls to cost nothing, small enough for a last-level cache.
PIECE_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class _Piece:
    """Output planes [z, z_stop) and rows [y, y_stop) that are computed at once."""

    z: int
    z_stop: int
    y: int
    y_stop: int


class Winograd:
    """
    One convolution, its kernel mixed once.

    Parameters
    ----------
    conv : Conv3d
        Of the kind that :func:`plane_wise` takes.
    """

    def __init__(self, conv: nn.Conv3d) -> None:
        mixed = torch.einsum("mk,oikyx->moiyx", _KERNEL / _KERNEL_SCALE, conv.weight.detach().double())
        self.kernels = [kernel.float().contiguous(memory_format=torch.channels_last) for kernel in mixed]
        self.bias = None if conv.bias is None else conv.bias.detach()
        self.n_in, self.n_out = conv.in_channels, conv.out_channels

    def takes(self, x: Tensor) -> bool:
        """Whether *x* can be convolved in this way."""
        return x.shape[0] == 1 and x.shape[2] % _PLANES == 0

    def __call__(self, x: Tensor, *, relu: bool, on_work: Callable[[int], None]) -> Tensor:
        """
        Convolve.

        Parameters
        ----------
        x : float32 tensor, shape (1, n_in, Z, Y, X)
            Z a multiple of 4.
        relu : bool
            Whether negative results become zero.
        on_work : callable
            Called after each piece with the operations that the direct sum would have taken.
        """
        _, _, depth, height, width = x.shape
        shape = (1, self.n_out, depth, height, width)
        out = torch.empty(shape, dtype=x.dtype, memory_format=torch.channels_last_3d)
        source, target = _planes(x), _planes(out)
        for piece in self._pieces(depth, height, width):
            mixtures = self._mix(source, piece, height, width)
            products = self._convolve(mixtures, width)
            for z in range(piece.z, piece.z_stop, _PLANES):
                rows = slice(piece.y * width * self.n_out, piece.y_stop * width * self.n_out)
                part = target[z : z + _PLANES, rows]
                torch.mm(_OUTPUT, products[:, (z - piece.z) // _PLANES], out=part)
                if relu:
                    part.relu_()
            voxels = (piece.z_stop - piece.z) * (piece.y_stop - piece.y) * width
            on_work(2 * 27 * self.n_in * self.n_out * voxels)
        return out

    def _pieces(self, depth: int, height: int, width: int) -> Iterator[_Piece]:
        row = 4 * _MIXTURES * width * max(self.n_in, self.n_out)
        count = max(1, -(-height // max(8, PIECE_BYTES // row)))
        rows = -(-height // count)
        planes = _PLANES * max(1, PIECE_BYTES // (row * rows))
        for z in range(0, depth, planes):
            for y in range(0, height, rows):
                yield _Piece(z, min(depth, z + planes), y, min(height, y + rows))

    def _mix(self, source: Tensor, piece: _Piece, height: int, width: int) -> Tensor:
        """Return the input mixtures of a piece, with one row more above and below."""
        groups, rows = (piece.z_stop - piece.z) // _PLANES, piece.y_stop - piece.y + 2
        line, depth = width * self.n_in, source.shape[0]
        mixtures = source.new_empty(_MIXTURES, groups, rows * line)
        first, last = max(0, piece.y - 1), min(height, piece.y_stop + 1)
        above = (first - piece.y + 1) * line
        stop = above + (last - first) * line
        mixtures[:, :, :above] = 0  # beyond the image
        mixtures[:, :, stop:] = 0
        for group in range(groups):
            z = piece.z + group * _PLANES - 1
            low, high = max(0, z), min(depth, z + _MIXTURES)
            planes = source[low:high, first * line : last * line]
            torch.mm(_INPUT[:, low - z : high - z], planes, out=mixtures[:, group, above:stop])
        return mixtures.view(_MIXTURES, groups, rows, width, self.n_in)

    def _convolve(self, mixtures: Tensor, width: int) -> Tensor:
        _, groups, rows = mixtures.shape[:3]
        products = mixtures.new_empty(_MIXTURES, groups, (rows - 2) * width * self.n_out)
        for i, kernel in enumerate(self.kernels):
            bias = self.bias if i == _BIASED else None
            found = torch.mkldnn_convolution(
                mixtures[i].permute(0, 3, 1, 2), kernel, bias, (0, 1), (1, 1), (1, 1), 1
            )
            products[i] = found.permute(0, 2, 3, 1).reshape(groups, -1)
        return products


class Thin:
    """
    One convolution with few output channels.

    Parameters
    ----------
    conv : Conv3d
        Of the kind that :func:`plane_wise` takes.
    """

    def __init__(self, conv: nn.Conv3d) -> None:
        self.n_in, self.n_out = conv.in_channels, conv.out_channels
        kernel = conv.weight.detach().permute(2, 0, 1, 3, 4).flatten(0, 1)  # (3 n_out, n_in, 3, 3)
        self.kernel = kernel.contiguous(memory_format=torch.channels_last)
        silent = torch.zeros(self.n_out)
        self.bias = None if conv.bias is None else torch.cat((silent, conv.bias.detach(), silent))

    def takes(self, x: Tensor) -> bool:
        """Whether *x* can be convolved in this way."""
        return x.shape[0] == 1

    def __call__(self, x: Tensor, *, relu: bool, on_work: Callable[[int], None]) -> Tensor:
        """Convolve *x*, (1, n_in, Z, Y, X); as for :class:`Winograd`, with any Z."""
        _, _, depth, height, width = x.shape
        planes = max(1, PIECE_BYTES // (4 * height * width * max(self.n_in, 16)))
        out = x.new_zeros((1, self.n_out, depth, height, width))
        for z in range(0, depth, planes):
            stop = min(depth, z + planes)
            part = x[0, :, z:stop].transpose(0, 1)
            found = torch.mkldnn_convolution(part, self.kernel, self.bias, (1, 1), (1, 1), (1, 1), 1)
            for k in range(3):  # plane k of the kernel makes plane z + 1 - k of the result
                first, last = max(0, z + 1 - k), min(depth, stop + 1 - k)
                share = found[first - (z + 1 - k) : last - (z + 1 - k)]
                out[0, :, first:last] += share[:, k * self.n_out : (k + 1) * self.n_out].transpose(0, 1)
            on_work(2 * 27 * self.n_in * self.n_out * (stop - z) * height * width)
        return out.relu_() if relu else out


def plane_wise(conv: _ConvNd) -> type[Winograd] | type[Thin] | None:
    """Return the quick way for a convolution, None where none pays."""
    fits = (
        isinstance(conv, nn.Conv3d)
        and conv.kernel_size == (3, 3, 3)
        and conv.padding == (1, 1, 1)
        and conv.padding_mode == "zeros"
        and conv.stride == conv.dilation == (1, 1, 1)
        and conv.groups == 1
        and conv.in_channels >= _FEWEST_CHANNELS
    )
    if fits and conv.out_channels >= _FEWEST_CHANNELS:
        return Winograd
    return Thin if fits and conv.out_channels <= _THIN else None


def _planes(x: Tensor) -> Tensor:
    """View (1, C, Z, Y, X) as (Z, Y * X * C); copied only where it does not lie channels-last."""
    return x[0].permute(1, 2, 3, 0).flatten(1)
