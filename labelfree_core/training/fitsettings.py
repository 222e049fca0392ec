"""How to train, and where a training stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import nn

from labelfree_core.training.augment import Augmentation


@dataclass(frozen=True, slots=True)
class FitSettings:
    """
    How to train.

    ``steps`` updates of ``batch`` patches; ``learning_rate`` at its highest (it rises for 50 steps and
    falls as a cosine); ``seed`` of everything random; ``report_every`` steps between held-out scores and
    checkpoints; ``loss`` one of ``"stain"`` and ``"segmentation"``; ``shares`` of the patches from each
    table, where there are several; ``importance`` of each structure in the loss. With ``minutes`` the
    training ends after as much time spent on updates, whatever the steps, and reports every
    ``report_seconds``: good for waiting, but no two runs give the same weights.
    """

    steps: int = 1500
    batch: int = 8
    learning_rate: float = 2e-3
    seed: int = 0
    report_every: int = 100
    loss: str = "stain"
    augmentation: Augmentation = field(default_factory=Augmentation)
    shares: tuple[float, ...] = ()
    importance: tuple[float, ...] = ()
    minutes: float | None = None
    report_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class FitProgress:
    """
    Where a training stands.

    ``loss`` is the mean since the last report, ``held_out_r`` by field, ``fraction`` of the whole that is
    done, ``seconds`` spent on updates, ``network`` the averaged one, to look at and not to keep.
    """

    step: int
    loss: float
    held_out_r: Mapping[str, float]
    fraction: float
    seconds: float
    network: nn.Module


class TrainingStopped(Exception):
    """Raised by a progress callback to end a training early and keep what it has learnt."""
