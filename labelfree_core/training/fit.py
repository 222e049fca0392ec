"""Train a network on pairs: resumable, repeatable, with a loss curve and a held-out score."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from labelfree_core.errors import ModelError
from labelfree_core.images.writing import write_bytes
from labelfree_core.models.build import build
from labelfree_core.models.card import ModelCard
from labelfree_core.training.augment import Augmentation, draw
from labelfree_core.training.evaluate import held_out_r
from labelfree_core.training.losses import segmentation_loss, stain_loss
from labelfree_core.training.optimiser import OrthogonalMomentum
from labelfree_core.training.pairs import Pair

CHECKPOINT = "checkpoint.pt"
CURVE = "curve.jsonl"
LOSSES = {"stain": stain_loss, "segmentation": segmentation_loss}


@dataclass(frozen=True, slots=True)
class FitSettings:
    """
    How to train.

    ``steps`` updates of ``batch`` patches; ``learning_rate`` at its highest (it rises for 50 steps and
    falls as a cosine); ``seed`` of everything random; ``report_every`` steps between held-out scores and
    checkpoints; ``loss`` one of ``"stain"`` and ``"segmentation"``.
    """

    steps: int = 1500
    batch: int = 8
    learning_rate: float = 2e-3
    seed: int = 0
    report_every: int = 100
    loss: str = "stain"
    augmentation: Augmentation = field(default_factory=Augmentation)


@dataclass(frozen=True, slots=True)
class FitProgress:
    """Where a training stands; ``loss`` is the mean since the last report, ``held_out_r`` by field."""

    step: int
    steps: int
    loss: float
    held_out_r: Mapping[str, float]


def fit(
    pairs: Sequence[Pair],
    cards: Sequence[ModelCard],
    folder: Path,
    *,
    settings: FitSettings,
    start: Mapping[str, Tensor] | None = None,
    progress: Callable[[FitProgress], None] | None = None,
) -> dict[str, Tensor]:
    """
    Train one network with an output for each card, and return its averaged weights.

    Every step draws from its own seed, so that a training continued from its checkpoint in *folder* gives
    the weights of one that was never stopped.

    Parameters
    ----------
    pairs : sequence of Pair
        Held-out fields are only scored.
    cards : sequence of ModelCard
        One for each structure; the first describes the network.
    folder : path
        For the checkpoint and the loss curve; a checkpoint found there is continued.
    settings : FitSettings
    start : state dict, optional
        Weights to start from; random ones without.
    progress : callable, optional
        Called at every report. An exception it raises stops the training; the checkpoint stays.

    Returns
    -------
    state : dict of tensors
        Exponential moving average of the weights, one output for each card.

    Raises
    ------
    ModelError
        If there is no training field, or the loss is no longer a number.
    """
    seen = [pair for pair in pairs if not pair.held_out]
    if not seen:
        raise ModelError("No field is left to train on; every pair of the table is held out.")
    torch.manual_seed(settings.seed)
    run = _Run(_network(cards), settings)
    if start is not None:
        run.start_from(start)
    done = run.resume(folder)
    losses: list[float] = []
    for step in range(done, settings.steps):
        losses.append(run.update(step, _batch(seen, run.planes, settings, step)))
        if (step + 1) % settings.report_every == 0 or step + 1 == settings.steps:
            scores = held_out_r(run.average, pairs, cards)
            report = FitProgress(step + 1, settings.steps, float(np.mean(losses)), scores)
            losses = []
            run.save(folder, report)
            if progress is not None:
                progress(report)
    return {name: tensor.clone() for name, tensor in run.average.state_dict().items()}


def split_outputs(state: Mapping[str, Tensor], cards: Sequence[ModelCard]) -> list[dict[str, Tensor]]:
    """
    Cut a network of several outputs into one state dict for each card.

    Only the last convolution differs: each model keeps the rows of its own structure.
    """
    names = [
        name
        for name in state
        if name.endswith(("head.weight", "head.bias", "conv_out.weight", "conv_out.bias"))
    ]
    parts = []
    for at in range(len(cards)):
        part = {name: tensor.clone() for name, tensor in state.items()}
        for name in names:
            rows = state[name].shape[0] // len(cards)
            part[name] = state[name][at * rows : (at + 1) * rows].clone()
        parts.append(part)
    return parts


def _network(cards: Sequence[ModelCard]) -> nn.Module:
    joint = replace(cards[0], network={**cards[0].network, "n_out": len(cards)})
    return build(joint)


def _batch(
    pairs: Sequence[Pair], planes: tuple[int, int], settings: FitSettings, step: int
) -> tuple[Tensor, Tensor, Tensor]:
    rng = np.random.default_rng([settings.seed, step])
    drawn = [draw(pairs, planes, settings.augmentation, rng) for _ in range(settings.batch)]
    image, target, known = (torch.stack(parts) for parts in zip(*drawn, strict=True))
    return image, target, known


class _Run:
    """The network being trained, its average and its optimiser."""

    def __init__(self, network: nn.Module, settings: FitSettings) -> None:
        self.network, self.settings = network, settings
        self.average = copy.deepcopy(network).eval()
        self.optimiser = OrthogonalMomentum(network, weight_decay=0.05)
        # A network of blocks of planes is trained on its plane network directly, a block at a time.
        block = int(getattr(network, "block", 0)) or (
            16 if hasattr(network, "ndim") and network.ndim == 3 else 0
        )
        self.planes = (block, int(getattr(network, "context", 0)))

    def start_from(self, state: Mapping[str, Tensor]) -> None:
        try:
            self.network.load_state_dict(dict(state))
        except RuntimeError as problem:
            raise ModelError(
                "The model to start from has another shape than the card describes; use that model's card."
            ) from problem
        self.average.load_state_dict(dict(state))

    def forward(self, image: Tensor) -> Tensor:
        if self.planes[1]:
            n, _, _, y, x = image.shape
            inner: nn.Module = self.network.planes  # type: ignore[assignment]
            flat = image.reshape(n, -1, y, x).contiguous(memory_format=torch.channels_last)
            out: Tensor = inner(flat)
            return out.reshape(n, -1, self.planes[0], y, x)
        layout = torch.channels_last if image.ndim == 4 else torch.channels_last_3d
        result: Tensor = self.network(image.contiguous(memory_format=layout))
        return result

    def update(self, step: int, batch: tuple[Tensor, Tensor, Tensor]) -> float:
        image, target, known = batch
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate(step)
        self.network.train()
        loss: Tensor = LOSSES[self.settings.loss](self.forward(image), target, known)
        if not torch.isfinite(loss):
            raise ModelError(
                f"The training broke down at step {step}: its loss is no number. Lower the learning rate."
            )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        keep = min(0.995, (step + 1) / (step + 20))
        with torch.no_grad():
            for mean, new in zip(
                self.average.state_dict().values(), self.network.state_dict().values(), strict=True
            ):
                if mean.dtype.is_floating_point:
                    mean.lerp_(new, 1 - keep)
                else:
                    mean.copy_(new)
        return float(loss.detach())

    def _rate(self, step: int) -> float:
        done = step / self.settings.steps
        fall = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done))
        return self.settings.learning_rate * min(1, (step + 1) / 50) * fall

    def save(self, folder: Path, report: FitProgress) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        kept = {
            "step": report.step,
            "settings": _key(self.settings),
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        partial = folder / (CHECKPOINT + ".part")
        torch.save(kept, partial)
        partial.replace(folder / CHECKPOINT)
        line = {"step": report.step, "loss": report.loss, "held_out_r": dict(report.held_out_r)}
        before = (folder / CURVE).read_text() if (folder / CURVE).is_file() else ""
        write_bytes(folder / CURVE, (before + json.dumps(line) + "\n").encode())

    def resume(self, folder: Path) -> int:
        """Continue from the checkpoint in *folder*, where there is one; return the steps already done."""
        path = folder / CHECKPOINT
        if not path.is_file():
            (folder / CURVE).unlink(missing_ok=True)
            return 0
        kept = torch.load(path, map_location="cpu", weights_only=True)
        if kept["settings"] != _key(self.settings):
            raise ModelError(
                f"{path} belongs to a training with other settings. Continue with those, or remove it."
            )
        self.network.load_state_dict(kept["network"])
        self.average.load_state_dict(kept["average"])
        self.optimiser.load_state_dict(kept["optimiser"])
        return int(kept["step"])


def _key(settings: FitSettings) -> str:
    return json.dumps(asdict(settings), sort_keys=True)
