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

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        result = func(*args, **(kwargs or {}))
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
