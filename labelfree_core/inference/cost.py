"""What running a network will cost, found by running it without data."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_CONVOLUTION = torch.ops.aten.convolution.default


@dataclass(frozen=True, slots=True)
class Cost:
    """``flops`` of all convolutions (a multiply-add is two), and ``peak_bytes`` of live activations."""

    flops: int
    peak_bytes: int


class _Meter(TorchDispatchMode):
    """Adds up the work of convolutions and follows which tensors are alive."""

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0
        self.live = 0
        self.peak = 0
        self._seen: set[int] = set()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Otherwise the first operation imports the compiler too.
        return False

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        stand_in = _STAND_INS.get(func, func)
        result = stand_in(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self._follow(leaf.untyped_storage())
        if func is _CONVOLUTION:
            self.flops += convolution_flops(args[0], args[1], result, transposed=bool(args[6]))
        return result

    def _follow(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._seen:
            return
        self._seen.add(key)
        size = storage.nbytes()
        self.live += size
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self.live -= size


def _convolved(image, weight, bias, stride, padding, dilation, transposed, more, groups):  # type: ignore[no-untyped-def]
    """Stand in for a convolution: the shape of its result."""
    axes = range(weight.dim() - 2)
    reach = [dilation[i] * (weight.shape[2 + i] - 1) + 1 for i in axes]
    size = image.shape[2:]
    if transposed:
        sizes = [(size[i] - 1) * stride[i] - 2 * padding[i] + reach[i] + more[i] for i in axes]
    else:
        sizes = [(size[i] + 2 * padding[i] - reach[i]) // stride[i] + 1 for i in axes]
    channels = weight.shape[1] * groups if transposed else weight.shape[0]
    return image.new_empty((image.shape[0], channels, *sizes))


def _joined(parts, dim=0):  # type: ignore[no-untyped-def]
    """Stand in for a concatenation: the shape of its result."""
    sizes = list(parts[0].shape)
    sizes[dim] = sum(part.shape[dim] for part in parts)
    return parts[0].new_empty(sizes)


def _unshuffled(image, factor):  # type: ignore[no-untyped-def]
    n, channels, rows, columns = image.shape
    return image.new_empty((n, channels * factor**2, rows // factor, columns // factor))


def _shuffled(image, factor):  # type: ignore[no-untyped-def]
    n, channels, rows, columns = image.shape
    return image.new_empty((n, channels // factor**2, rows * factor, columns * factor))


def _pooled(image, kernel, stride=(), padding=(0, 0), dilation=(1, 1), ceil_mode=False):  # type: ignore[no-untyped-def]
    """Stand in for max pooling: as a convolution that keeps the channels, and the places of the maxima."""
    steps = [kernel[0] if not stride else stride[0], kernel[-1] if not stride else stride[-1]]
    reach = [dilation[0] * (kernel[0] - 1) + 1, dilation[-1] * (kernel[-1] - 1) + 1]
    pads, more = [padding[0], padding[-1]], [step - 1 if ceil_mode else 0 for step in steps]
    sizes = [(image.shape[2 + i] + 2 * pads[i] - reach[i] + more[i]) // steps[i] + 1 for i in range(2)]
    values = image.new_empty((*image.shape[:2], *sizes))
    return values, values.new_empty(values.shape, dtype=torch.int64)


# Asking PyTorch for the shapes of these would import its compiler, which takes seconds and is not used here.
_STAND_INS = {
    _CONVOLUTION: _convolved,
    torch.ops.aten.cat.default: _joined,
    torch.ops.aten.max_pool2d_with_indices.default: _pooled,
    torch.ops.aten.pixel_unshuffle.default: _unshuffled,
    torch.ops.aten.pixel_shuffle.default: _shuffled,
}


def convolution_flops(
    image: torch.Tensor, weight: torch.Tensor, result: torch.Tensor, *, transposed: bool
) -> int:
    """Return the floating point operations of one convolution, a multiply-add counted as two."""
    # Each output voxel (input voxel, where transposed) meets one column of the weights.
    voxels = (image if transposed else result)[:, :1].numel()
    return 2 * voxels * weight.numel()


def cost(run: Callable[[torch.Tensor], torch.Tensor], shape: tuple[int, ...]) -> Cost:
    """
    Count the work and memory of ``run(x)`` for an image of *shape*, without data.

    Parameters
    ----------
    run : callable
        Takes and returns a tensor; its weights have to be on the ``meta`` device.
    shape : tuple of int
        Of *x*, batch and channel included.
    """
    with torch.inference_mode(mode=False), torch.no_grad(), _Meter() as meter:
        run(torch.empty(shape, device="meta"))
    return Cost(meter.flops, meter.peak)
