"""
Runs one network on one device: folded, in the memory order the device likes, within its memory.

The weights, and so the result, are those of the plain module: the difference is rounding
(relative L2 below 1e-5 on a CPU). The network that was handed in is never changed.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from labelfree_core.inference.cost import Cost, cost
from labelfree_core.inference.folding import folded
from labelfree_core.inference.interruptible import WorkCallback, interruptible, reporting
from labelfree_core.inference.memory import keep_large_buffers
from labelfree_core.inference.speed import Pace, measure
from labelfree_core.inference.streaming import CHOICES, WHOLE, Streaming, run_unet
from labelfree_core.models.unet import FNet

_LOG = logging.getLogger(__name__)
_LAYOUTS = {4: torch.channels_last, 5: torch.channels_last_3d}
_MEMORY_MESSAGES = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "could not create a memory",
)


class OutOfMemory(Exception):
    """An allocation failed; a smaller tile may do. Never reaches the person."""


@dataclass(frozen=True, slots=True)
class Flight:
    """
    A tile on its way through a network: what went in, and the result that is being computed.

    ``sound`` tells whether all numbers are finite, where they may not be; ``arrived`` when all is here.
    """

    x: Tensor
    how: Streaming
    batched: bool
    result: Tensor
    sound: Tensor | None = None
    arrived: torch.cuda.Event | None = None


class Engine:
    """
    One network, ready to run on one device.

    Parameters
    ----------
    network : torch module
        (N, n_in, [Z,] Y, X) to (N, n_out, [Z,] Y, X); may have ``divisor`` and ``halo``.
    device : str
        ``"cpu"``, ``"cuda"`` or ``"mps"``.
    preview : bool
        8-bit arithmetic on a processor: quick, and not the same numbers.
    """

    def __init__(self, network: nn.Module, device: str = "cpu", *, preview: bool = False) -> None:
        keep_large_buffers()
        self.device = device
        ready = interruptible(folded(network), preview=preview).to(device)
        self.ndim = _ndim(network)
        self.layout = _LAYOUTS[self.ndim + 2]
        if device == "mps" and self.ndim == 3:
            self.layout = torch.contiguous_format  # Apple's backend has no channels_last_3d
        if self.layout is not torch.contiguous_format:
            for weight in ready.parameters():  # a network for stacks may have weights of both kinds
                if weight.dim() in _LAYOUTS:
                    weight.data = weight.data.contiguous(memory_format=_LAYOUTS[weight.dim()])
        self.network = ready
        self.divisor: tuple[int, ...] = tuple(getattr(network, "divisor", (1,) * self.ndim))
        self.halo: tuple[int, ...] = tuple(getattr(network, "halo", (32,) * self.ndim))
        self.published = isinstance(network, FNet)
        self.choices = CHOICES if self.published else (WHOLE,)
        # Rounding of 16-bit floats is far below the noise of any image; a CPU only loses by them. The other
        # kind, bfloat16, never overflows and rounds eight times as much (docs/performance.md).
        self.dtype = "float16" if device == "cuda" else "int8" if preview else "float32"
        # While the processor blends one tile, a graphics processor computes the next.
        self.tiles_in_flight = 2 if device == "cuda" else 1
        self._costs: dict[tuple[tuple[int, ...], Streaming], Cost] = {}
        self._ghost: nn.Module | None = None
        self._pace: Pace | None = None

    def run(
        self,
        image: npt.NDArray[np.float32],
        *,
        how: Streaming = WHOLE,
        on_work: WorkCallback | None = None,
    ) -> npt.NDArray[np.float32]:
        """
        Predict one tile, or a batch of planes.

        Parameters
        ----------
        image : float32 array, shape ([N,] [Z,] Y, X)
            Prepared image; sizes are multiples of :attr:`divisor`.
        how : Streaming
            One of :attr:`choices`.
        on_work : callable, optional
            Called after each convolution with its floating point operations. What it raises ends the run.

        Returns
        -------
        result : float32 array, shape of *image*

        Raises
        ------
        OutOfMemory
            If the memory of the device does not suffice.
        """
        return self.finish(self.start(image, how=how, on_work=on_work))

    def start(
        self,
        image: npt.NDArray[np.float32],
        *,
        how: Streaming = WHOLE,
        on_work: WorkCallback | None = None,
    ) -> Flight:
        """
        Begin what :meth:`run` does; a graphics processor then works while this one goes on.

        Parameters
        ----------
        image, how, on_work
            As for :meth:`run`.

        Raises
        ------
        OutOfMemory
            If the memory of the device does not suffice.
        """
        batched = image.ndim == self.ndim + 1
        x = torch.from_numpy(np.ascontiguousarray(image))
        x = x.unsqueeze(1) if batched else x[None, None]
        with _memory_errors(), torch.inference_mode(), reporting(on_work):
            if self.device == "cuda":
                x = x.pin_memory()  # else the copy would wait for the tile before
            x = x.to(self.device, non_blocking=True)
            result = self._forward(x, how)
            sound = torch.isfinite(result).all() if self.dtype == "float16" else None
            result = result[:, 0].float()
            if self.device != "cuda":
                return Flight(x, how, batched, result, sound)
            there = torch.empty(result.shape, pin_memory=True).copy_(result, non_blocking=True)
            arrived = torch.cuda.Event()
            arrived.record()
            return Flight(x, how, batched, there, sound, arrived)

    def finish(self, flight: Flight) -> npt.NDArray[np.float32]:
        """
        Wait for the result of :meth:`start`.

        Returns
        -------
        result : float32 array, shape of the image

        Raises
        ------
        OutOfMemory
            If the memory of the device does not suffice.
        """
        result = flight.result
        with _memory_errors(), torch.inference_mode():
            if flight.arrived is not None:
                flight.arrived.synchronize()
            if flight.sound is not None and not bool(flight.sound):
                # A few networks leave the range of float16 inside; they run in full precision from now on.
                _LOG.info("float16 overflowed; the network runs in float32")
                self.dtype = "float32"
                result = self._forward(flight.x, flight.how)[:, 0]
            found: npt.NDArray[np.float32] = result.cpu().numpy()
        return found if flight.batched else found[0]

    def _forward(self, x: Tensor, how: Streaming) -> Tensor:
        x = x.contiguous(memory_format=self.layout)
        if self.dtype != "float16":
            return _apply(self.network, x, how)
        with torch.autocast(self.device, dtype=torch.float16):
            return _apply(self.network, x, how)

    def cost(self, shape: tuple[int, ...], how: Streaming = WHOLE) -> Cost:
        """
        Work and memory of :meth:`run` for an image of *shape*, without running it.

        Parameters
        ----------
        shape : tuple of int
            ([N,] [Z,] Y, X).
        how : Streaming
            One of :attr:`choices`.
        """
        key = (shape, how)
        if key not in self._costs:
            if self._ghost is None:
                self._ghost = copy.deepcopy(self.network).to("meta")
            ghost = self._ghost
            full = (shape[0], 1, *shape[1:]) if len(shape) > self.ndim else (1, 1, *shape)
            self._costs[key] = cost(
                lambda x: _apply(ghost, x.contiguous(memory_format=self.layout), how), full
            )
        return self._costs[key]

    def pace(self) -> Pace:
        """Return how long work takes on this machine: from short trials, corrected by the last prediction."""
        if self._pace is None:
            self._pace = measure(self)
        return self._pace

    def learn(self, flops: int, pieces: int, seconds: float) -> None:
        """Correct the pace by a prediction that took *seconds*; costs nothing."""
        if self._pace is not None:
            self._pace = self._pace.corrected(self._pace.seconds(flops, pieces), seconds)


@contextmanager
def _memory_errors() -> Iterator[None]:
    """Turn the many errors of a failed allocation into one."""
    try:
        yield
    except MemoryError as problem:
        raise OutOfMemory from problem
    except RuntimeError as problem:
        if any(words in str(problem).lower() for words in _MEMORY_MESSAGES):
            raise OutOfMemory from problem
        raise


def _apply(network: nn.Module, x: Tensor, how: Streaming) -> Tensor:
    return run_unet(network, x, how) if isinstance(network, FNet) else network(x)


def _ndim(network: nn.Module) -> int:
    divisor = getattr(network, "divisor", None)
    if isinstance(divisor, tuple):
        return len(divisor)
    # An image network begins with a convolution: (out, in, [z,] y, x).
    return next(p.dim() - 2 for p in network.parameters() if p.dim() >= 4)
