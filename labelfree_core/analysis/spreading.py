"""
The spread of views as a kind of work of the service (see :mod:`labelfree_core.inference.handover`).

The worker predicts the views, so that the pages stay free, and a person who cancels or leaves stops them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labelfree_core.analysis.spread import Spread, spread
from labelfree_core.inference.options import ProgressCallback

if TYPE_CHECKING:
    from labelfree_core.inference.handover import Message, Wish

_FILES = {"map": "spread.npy", "mean": "mean.npy"}


def answer(wish: Wish, progress: ProgressCallback) -> Message:
    """Predict the views, in the worker; ``details`` say the extent."""
    ask = wish.ask
    extent = str(ask.details["extent"])
    found = spread(wish.stack, ask.model, extent=extent, options=ask.options, progress=progress)
    for name, file in _FILES.items():
        np.save(wish.folder / file, getattr(found, name), allow_pickle=False)
    return {
        "voxel_size_um": list(found.voxel_size_um),
        "offset_um": list(found.offset_um),
        "views": found.views,
        "share": found.share,
        "seconds": found.seconds,
    }


def read(about: dict, folder: Path) -> Spread:
    """Put together what :func:`answer` left, in the pages' process."""
    maps = {name: np.load(folder / file, allow_pickle=False) for name, file in _FILES.items()}
    sizes = {name: tuple(about[name]) for name in ("voxel_size_um", "offset_um")}
    return Spread(**{**about, **maps, **sizes})
