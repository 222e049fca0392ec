"""The processors of this machine that can predict."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from labelfree_core.errors import PredictionError
from labelfree_core.inference.memory import free_memory


@dataclass(frozen=True, slots=True)
class Device:
    """A processor that can predict: its ``name`` in options, a ``title`` for people, ``free_bytes``."""

    name: str
    title: str
    free_bytes: int


def devices() -> tuple[Device, ...]:
    """
    Processors of this machine that can predict, best first.

    Examples
    --------
    >>> devices()[-1].name
    'cpu'
    """
    found = []
    if torch.cuda.is_available():
        found.append(Device("cuda", torch.cuda.get_device_name(0), free_memory("cuda")))
    if torch.backends.mps.is_available():
        found.append(Device("mps", "Apple GPU", free_memory("mps")))
    threads = torch.get_num_threads()
    found.append(Device("cpu", f"Processor, {threads} threads", free_memory("cpu")))
    return tuple(found)


def choose_device(name: str) -> str:
    """
    Return the device that *name* means on this machine; ``"auto"`` takes the best.

    Raises
    ------
    PredictionError
        If the machine has no such device.
    """
    known = [device.name for device in devices()]
    if name == "auto":
        return known[0]
    if name not in known:
        raise PredictionError(
            f"This machine has no device {name!r} that PyTorch can use; it has {', '.join(known)}. "
            'Choose one of these, or "auto".'
        )
    return name
