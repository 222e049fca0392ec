"""One engine for each model and device, shared by everybody in this process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from labelfree_core.errors import PredictionError
from labelfree_core.inference import lost
from labelfree_core.inference.devices import choose_device
from labelfree_core.inference.engine import Engine
from labelfree_core.inference.memory import give_back
from labelfree_core.inference.preview import available
from labelfree_core.models.store import load_network

if TYPE_CHECKING:
    from labelfree_core.models.store import ModelEntry

_KEPT = 4
_lock = threading.RLock()
_engines: OrderedDict[tuple[str, str, str], Engine] = OrderedDict()


def get_engine(entry: ModelEntry, device: str = "auto", kind: str = "torch") -> Engine:
    """
    Return the engine of a model, built on first use and kept.

    Parameters
    ----------
    entry : ModelEntry
        Verified against its hash when loaded.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    kind : str
        ``"torch"`` or ``"preview"``.

    Raises
    ------
    PredictionError
        If this machine has no such device or engine.
    """
    card = entry.card
    if kind == "preview" and device == "auto":
        device = "cpu"  # what a preview is made for, also beside a graphics processor
    chosen = "cpu" if lost.gone() else choose_device(device)
    key = (f"{card.sha256} {card.architecture} {card.ndim} {sorted(card.network.items())!r}", chosen, kind)
    with _lock:  # held while building, so that two people who ask at once get one engine
        if key not in _engines:
            _engines[key] = _build(entry, chosen, kind)
            while len(_engines) > _KEPT:
                _engines.popitem(last=False)
        _engines.move_to_end(key)
        return _engines[key]


def release_engines() -> None:
    """Drop all engines of this process and give their memory back; the next call builds anew."""
    with _lock:
        devices = {device for _, device, _ in _engines}
        _engines.clear()
    for device in devices:
        give_back(device)


def drop_lost_engines() -> None:
    """Drop the engines of a graphics processor that failed; to give its memory back would fail too."""
    with _lock:
        for key in [key for key in _engines if key[1] != "cpu"]:
            del _engines[key]


def _build(entry: ModelEntry, device: str, kind: str) -> Engine:
    preview = kind == "preview"
    if preview and device != "cpu":
        raise PredictionError(
            f"A preview in 8-bit arithmetic is made for processors, and {device!r} is quick without "
            'it. Choose the engine "torch", or the device "cpu".'
        )
    if preview and not available():
        raise PredictionError(
            "This processor or this build of PyTorch can't compute in 8 bits, so that there is no preview. "
            'Choose the engine "torch".'
        )
    engine = Engine(load_network(entry), device, preview=preview)
    give_back("cpu")  # folding left a second copy of the weights behind
    return engine
