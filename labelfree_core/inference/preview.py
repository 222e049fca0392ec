"""
Convolutions in 8-bit arithmetic, for previews: several times faster, and visibly not the same numbers.

The range of each input is measured as it comes, so that no calibration images are needed. The weights
have one scale for each output channel. The first and the last convolution, those that change the size and
thin ones stay in 32 bits: they cost little and lose most.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

NOTE = (
    "This is a preview in 8-bit arithmetic: see where things are, but do not measure brightness in it. "
    "Predict again without the preview before any comparison."
)
_FEWEST_CHANNELS = 16
_PIECE_BYTES = 16 * 2**20  # of one input, so that its 8-bit copy stays in the cache
_TINY = 1e-12


class Int8:
    """
    One convolution with 8-bit inputs and weights, 32-bit sums and results.

    Parameters
    ----------
    conv : Conv2d or Conv3d
        Of the kind that :func:`coarse` takes.
    """

    def __init__(self, conv: _ConvNd) -> None:
        weight = conv.weight.detach()
        self.axes = weight.dim() - 2
        scales = weight.abs().flatten(1).amax(1).clamp_min(_TINY) / 127
        whole = torch.round(weight / scales.view(-1, *(1,) * (self.axes + 1))).to(torch.int8)
        ones, sides = [1] * self.axes, [0] + [1] * (self.axes - 1)
        self.rule = (ones, sides, ones, 1)  # stride, padding, dilation, groups
        self.packed = torch.ops.onednn.qconv_prepack(whole, scales, 1.0, 0, *self.rule, None)
        self.scales, self.zeros = scales, torch.zeros(len(scales), dtype=torch.long)
        self.bias = None if conv.bias is None else conv.bias.detach()
        self.n_in, self.n_out = conv.in_channels, conv.out_channels

    def takes(self, x: Tensor) -> bool:
        """Whether *x* can be convolved in this way."""
        return x.shape[0] == 1

    def __call__(self, x: Tensor, *, relu: bool, on_work: Callable[[int], None]) -> Tensor:
        """
        Convolve.

        Parameters
        ----------
        x : float32 tensor, shape (1, n_in, [Z,] Y, X)
        relu : bool
            Whether negative results become zero.
        on_work : callable
            Called after each piece with its operations.
        """
        order = (1, *range(2, self.axes + 1), 0)
        source = x[0].permute(order).contiguous()  # ([Z,] Y, X, n_in), as it lies in memory
        layout = torch.channels_last_3d if self.axes == 3 else torch.channels_last
        out = torch.empty((1, self.n_out, *x.shape[2:]), dtype=x.dtype, memory_format=layout)
        target = out[0].permute(order)
        low, high = (float(value) for value in torch.aminmax(source.view(-1)))
        low, high = min(low, 0.0), max(high, 0.0)
        scale = max((high - low) / _levels(), _TINY)
        zero = round(-low / scale)
        step = max(1, _PIECE_BYTES // (4 * source[0].numel()))
        for start in range(0, len(source), step):
            stop = min(len(source), start + step)
            small = _rounded(source, start, stop, scale, zero)
            back = (self.axes, *range(self.axes))
            found = torch.ops.onednn.qconv_pointwise(
                small.permute(back)[None],
                scale,
                zero,
                self.packed,
                self.scales,
                self.zeros,
                self.bias,
                *self.rule,
                1.0,
                0,
                torch.float32,
                "none",
                [],
                "",
            )
            part = target[start:stop]
            part.copy_(found[0].permute(order))
            if relu:
                part.relu_()
            on_work(2 * 3**self.axes * self.n_in * self.n_out * part[..., 0].numel())
        return out


def coarse(conv: _ConvNd) -> bool:
    """Whether this convolution is computed in 8 bits for a preview."""
    axes = conv.weight.dim() - 2
    return (
        isinstance(conv, nn.Conv2d | nn.Conv3d)
        and conv.kernel_size == (3,) * axes
        and conv.padding == (1,) * axes
        and conv.padding_mode == "zeros"
        and conv.stride == conv.dilation == (1,) * axes
        and conv.groups == 1
        and min(conv.in_channels, conv.out_channels) >= _FEWEST_CHANNELS
    )


@lru_cache(maxsize=1)
def available() -> bool:
    """Whether this PyTorch can convolve in 8 bits, and gives the right numbers."""
    conv = nn.Conv3d(16, 16, 3, padding=1)
    x = torch.linspace(0, 1, 16 * 4 * 6 * 6).view(1, 16, 4, 6, 6)
    try:
        with torch.no_grad():
            found = Int8(conv)(x, relu=False, on_work=lambda _flops: None)
            return bool((found - conv(x)).norm() < 0.05 * conv(x).norm())
    except (AttributeError, RuntimeError, TypeError):  # another processor, another build of PyTorch
        return False


@lru_cache(maxsize=1)
def _levels() -> int:
    # Without these instructions two products are added in 16 bits, where 8-bit inputs would overflow.
    check = getattr(torch.cpu, "_is_vnni_supported", None)
    return 255 if check is not None and check() else 127


def _rounded(source: Tensor, start: int, stop: int, scale: float, zero: int) -> Tensor:
    """Return [start, stop) in 8 bits, with one plane or row more on either side."""
    low, high = max(0, start - 1), min(len(source), stop + 1)
    # Truncation of what is half a step higher rounds; the range was measured, so that nothing overflows.
    found = torch.add(torch.tensor(zero + 0.5), source[low:high], alpha=1 / scale).to(torch.uint8)
    if high - low == stop - start + 2:
        return found
    small = found.new_full((stop - start + 2, *source.shape[1:]), zero)
    small[low - start + 1 : high - start + 1] = found
    return small
