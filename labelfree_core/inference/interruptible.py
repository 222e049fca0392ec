"""Convolutions that report their work, and pause often enough to be stopped within a second."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.conv import _ConvNd

from labelfree_core.inference.cost import convolution_flops
from labelfree_core.inference.planewise import Thin, Winograd, plane_wise
from labelfree_core.inference.preview import Int8, coarse

WorkCallback = Callable[[int], None]
# Each thread sees only its own, so that predictions side by side don't report to each other.
_ON_WORK: ContextVar[WorkCallback | None] = ContextVar("on_work", default=None)

# About 0.2 s on two cores: a stop is noticed in time, and a strip is still worth a kernel call.
SLICE_FLOPS = 20_000_000_000
# With fewer rows the CPU library takes a kernel that is 2.5 times slower.
FEWEST_ROWS = 32


@contextmanager
def reporting(on_work: WorkCallback | None) -> Iterator[None]:
    """Send the work done in this block (floating point operations) to *on_work*."""
    token = _ON_WORK.set(on_work)
    try:
        yield
    finally:
        _ON_WORK.reset(token)


class Interruptible(nn.Module):
    """
    One convolution, computed in strips of rows where it would take long; the same numbers.

    Parameters
    ----------
    conv : Conv2d, Conv3d, ConvTranspose2d or ConvTranspose3d
        Becomes part of this module.
    preview : bool
        Whether 8-bit arithmetic will do.
    """

    def __init__(self, conv: _ConvNd, *, preview: bool = False) -> None:
        super().__init__()
        self.conv = conv
        self.transposed = isinstance(conv, nn.ConvTranspose2d | nn.ConvTranspose3d)
        self.splits = _can_split(conv, transposed=self.transposed)
        self._kind = Int8 if preview and coarse(conv) else plane_wise(conv)
        self._quick: Winograd | Thin | Int8 | None = None

    def __getstate__(self) -> dict[str, object]:
        """Leave out what can be prepared anew: a copy that only counts work has no use for it."""
        return {**self.__dict__, "_quick": None}

    def forward(self, x: Tensor, *, relu: bool = False) -> Tensor:
        """Return what the convolution returns, without what is negative if *relu*."""
        quick = self._quick_way(x)
        if quick is not None:
            return quick(x, relu=relu, on_work=_tell)
        result = self._direct(x)
        return result.relu_() if relu else result

    def _quick_way(self, x: Tensor) -> Winograd | Thin | Int8 | None:
        """Return another way than the direct one, prepared at its first use, where there is one for *x*."""
        if self._kind is None or not _single_precision(x):
            return None
        if self._quick is None and onednn(transposed=False):
            self._quick = self._kind(self.conv)  # type: ignore[arg-type]  # only a Conv3d has a kind
        return self._quick if self._quick is not None and self._quick.takes(x) else None

    def _direct(self, x: Tensor) -> Tensor:
        weight = self.conv.weight
        voxels = x.shape[0] * x[0, 0].numel()
        # For a stride of s the output has fewer voxels than this; an upper limit is enough here.
        work = 2 * voxels * weight.numel()
        rows = x.shape[-2] if work <= SLICE_FLOPS else int(x.shape[-2] * SLICE_FLOPS / work)
        rows = max(rows, FEWEST_ROWS)
        if not self.splits or rows >= x.shape[-2] or x.device.type != "cpu":
            return self._report(x, convolve(x, self.conv))
        return self._strips(x, rows)

    def _strips(self, x: Tensor, rows: int) -> Tensor:
        scale, stride = (self.conv.stride[-2], 1) if self.transposed else (1, self.conv.stride[-2])
        height = x.shape[-2] * scale // stride
        rows = rows // stride * stride
        out: Tensor | None = None
        for start in range(0, x.shape[-2], rows):
            stop = min(start + rows, x.shape[-2])
            part = self._strip(x, start, stop)
            if out is None:
                out = empty_rows(part, height)
            out[..., start * scale // stride : stop * scale // stride, :] = part
        assert out is not None  # x has rows
        return out

    def _strip(self, x: Tensor, start: int, stop: int) -> Tensor:
        """Output rows that belong to input rows [start, stop)."""
        conv = self.conv
        if self.transposed or conv.kernel_size[-2] == conv.stride[-2]:
            part = x[..., start:stop, :]
            return self._report(part, convolve(part, conv))
        assert not isinstance(conv.padding, str)  # such a convolution does not split
        reach = conv.padding[-2]
        low, high = max(0, start - reach), min(x.shape[-2], stop + reach)
        part = x[..., low:high, :]
        if high - low < stop - start + 2 * reach:
            part = functional.pad(part, (0, 0, low - start + reach, stop + reach - high))
        padding = (*conv.padding[:-2], 0, conv.padding[-1])
        return self._report(part, convolve(part, conv, padding))

    def _report(self, x: Tensor, result: Tensor) -> Tensor:
        _tell(convolution_flops(x, self.conv.weight, result, transposed=self.transposed))
        return result


def _tell(flops: int) -> None:
    """Report work to whoever listens in this thread."""
    on_work = _ON_WORK.get()
    if on_work is not None:
        on_work(flops)


def convolve(x: Tensor, conv: _ConvNd, padding: tuple[int, ...] | None = None) -> Tensor:
    """
    Apply one convolution, on a CPU always by the fast library.

    PyTorch gives small convolutions (batch 1, channels * planes * rows <= 20480) to a slow
    kernel of its own; asking oneDNN by name is up to ten times faster there, with the same
    numbers up to rounding.

    Parameters
    ----------
    x : tensor, shape (N, n_in, [Z,] Y, X)
    conv : Conv2d, Conv3d, ConvTranspose2d or ConvTranspose3d
    padding : tuple of int, optional
        Instead of the padding of *conv*; not for a transposed convolution.
    """
    weight, bias, pads = conv.weight, conv.bias, padding or conv.padding
    transposed = isinstance(conv, nn.ConvTranspose2d | nn.ConvTranspose3d)
    plain = conv.padding_mode == "zeros" and not isinstance(pads, str)
    if plain and _single_precision(x) and onednn(transposed=transposed):
        if not transposed:
            return _direct(x, conv, pads)  # type: ignore[arg-type]
        rule = (conv.padding, conv.output_padding, conv.stride, conv.dilation, conv.groups)
        return torch.ops.mkldnn._convolution_transpose_pointwise(x, weight, bias, *rule, "none", [], "")
    if padding is None:
        return conv(x)
    call = functional.conv3d if weight.dim() == 5 else functional.conv2d
    return call(x, weight, bias, conv.stride, padding, conv.dilation, conv.groups)


def _single_precision(x: Tensor) -> bool:
    """Whether a convolution of *x* is one of 32-bit numbers on a processor."""
    half = torch.is_autocast_enabled("cpu")
    return x.device.type == "cpu" and x.dtype == torch.float32 and not half


def _direct(x: Tensor, conv: _ConvNd, padding: tuple[int, ...]) -> Tensor:
    return torch.mkldnn_convolution(
        x, conv.weight, conv.bias, padding, conv.stride, conv.dilation, conv.groups
    )


@lru_cache(maxsize=2)
def onednn(*, transposed: bool) -> bool:
    """Whether this PyTorch can be asked for oneDNN by name, and gives the right numbers there."""
    if not torch.backends.mkldnn.is_available():
        return False
    x = torch.ones(1, 4, 4, 4, 4)
    try:
        with torch.no_grad():
            if not transposed:
                conv = nn.Conv3d(4, 4, 2, stride=2)
                return bool(torch.allclose(_direct(x, conv, (0, 0, 0)), conv(x), atol=1e-5))
            up = nn.ConvTranspose3d(4, 4, 2, stride=2)
            rule = (up.padding, up.output_padding, up.stride, up.dilation, up.groups)
            call = torch.ops.mkldnn._convolution_transpose_pointwise
            found = call(x, up.weight, up.bias, *rule, "none", [], "")
            return bool(torch.allclose(found, up(x), atol=1e-5))
    except (AttributeError, RuntimeError, TypeError):  # another build of PyTorch
        return False


def empty_rows(like: Tensor, height: int) -> Tensor:
    """Return an empty tensor like *like* with *height* rows, in its memory format."""
    shape = (*like.shape[:-2], height, like.shape[-1])
    layout = torch.channels_last_3d if like.dim() == 5 else torch.channels_last
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=layout)


def interruptible(network: nn.Module, *, preview: bool = False) -> nn.Module:
    """Wrap every convolution of *network*, in place, and return it."""
    kinds = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)
    for parent in list(network.modules()):
        for name, part in list(parent.named_children()):
            if isinstance(part, kinds) and not isinstance(parent, Interruptible):
                setattr(parent, name, Interruptible(part, preview=preview))
    return network


def _can_split(conv: _ConvNd, *, transposed: bool) -> bool:
    """Whether strips of rows give the same numbers with the rules above."""
    kernel, stride, padding, dilation = (
        getattr(conv, name) for name in ("kernel_size", "stride", "padding", "dilation")
    )
    if not isinstance(padding, tuple) or getattr(conv, "padding_mode", "zeros") != "zeros":
        return False
    side_by_side = kernel[-2] == stride[-2] and padding[-2] == 0 and dilation[-2] == 1
    if transposed:
        return bool(side_by_side and max(conv.output_padding) == 0)
    same_size = stride[-2] == 1 and 2 * padding[-2] == dilation[-2] * (kernel[-2] - 1)
    return bool(side_by_side or same_size)
