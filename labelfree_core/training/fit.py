"""Train a network on pairs: resumable, repeatable, with a loss curve and a held-out score."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from labelfree_core.errors import ModelError
from labelfree_core.images.writing import write_bytes
from labelfree_core.models.build import build
from labelfree_core.models.card import ModelCard
from labelfree_core.training.augment import draw
from labelfree_core.training.evaluate import held_out_r
from labelfree_core.training.fitsettings import FitProgress, FitSettings, TrainingStopped
from labelfree_core.training.losses import segmentation_loss, stain_loss
from labelfree_core.training.optimiser import OrthogonalMomentum
from labelfree_core.training.pairs import Pair
from labelfree_core.training.sampling import Pool, pool

CHECKPOINT = "checkpoint.pt"
CURVE = "curve.jsonl"
__all__ = ["FitProgress", "FitSettings", "TrainingStopped", "fit", "join_outputs", "split_outputs"]

LOSSES = {"stain": stain_loss, "segmentation": segmentation_loss}


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
        Called at every report. :class:`TrainingStopped` ends the training as if it were done; any other
        exception stops it. The checkpoint stays.

    Returns
    -------
    state : dict of tensors
        Exponential moving average of the weights, one output for each card.

    Raises
    ------
    ModelError
        If there is no training field, or the loss is no longer a number.
    """
    fields = pool([pair for pair in pairs if not pair.held_out], settings.shares)
    torch.manual_seed(settings.seed)
    run = _Run(_network(cards), settings)
    if start is not None:
        run.start_from(start)
    run.resume(folder)
    losses: list[float] = []
    reported = run.seconds
    while run.fraction < 1:
        losses.append(run.update(lambda: _batch(fields, run.planes, settings, run.step)))
        if settings.minutes is None:
            due = run.step % settings.report_every == 0
        else:
            due = run.seconds - reported >= settings.report_seconds
        if not due and run.fraction < 1:
            continue
        reported, loss, losses = run.seconds, float(np.mean(losses)), []
        report = run.report(loss, held_out_r(run.average, pairs, cards))
        run.save(folder, report)
        try:
            if progress is not None:
                progress(report)
        except TrainingStopped:
            break
    return {name: tensor.clone() for name, tensor in run.average.state_dict().items()}


def split_outputs(state: Mapping[str, Tensor], cards: Sequence[ModelCard]) -> list[dict[str, Tensor]]:
    """
    Cut a network of several outputs into one state dict for each card.

    Only the last convolution differs: each model keeps the rows of its own structure.
    """
    parts = []
    for at in range(len(cards)):
        part = {name: tensor.clone() for name, tensor in state.items()}
        for name in filter(_of_outputs, state):
            rows = state[name].shape[0] // len(cards)
            part[name] = state[name][at * rows : (at + 1) * rows].clone()
        parts.append(part)
    return parts


def join_outputs(parts: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """
    Make one state dict of those that :func:`split_outputs` cut from one network, in the same order.

    Raises
    ------
    ModelError
        If they are not parts of one network.
    """
    first, *more = parts
    shared = [name for name in first if not _of_outputs(name)]
    alike = all(
        part.keys() == first.keys() and all(torch.equal(part[name], first[name]) for name in shared)
        for part in more
    )
    if not alike:
        raise ModelError(
            "The models to start from are not the outputs of one network: apart from their last layer their "
            "weights differ. Start from one model, or from all models of one training."
        )
    return {
        name: torch.cat([part[name] for part in parts]) if _of_outputs(name) else tensor.clone()
        for name, tensor in first.items()
    }


def _of_outputs(name: str) -> bool:
    return name.endswith(("head.weight", "head.bias", "conv_out.weight", "conv_out.bias"))


def _network(cards: Sequence[ModelCard]) -> nn.Module:
    joint = replace(cards[0], network={**cards[0].network, "n_out": len(cards)})
    return build(joint)


def _batch(
    fields: Pool, planes: tuple[int, int], settings: FitSettings, step: int
) -> tuple[Tensor, Tensor, Tensor]:
    rng = np.random.default_rng([settings.seed, step])
    drawn = [draw(fields, planes, settings.augmentation, rng) for _ in range(settings.batch)]
    image, target, known = (torch.stack(parts) for parts in zip(*drawn, strict=True))
    return image, target, known


class _Run:
    """The network being trained, its average and its optimiser."""

    def __init__(self, network: nn.Module, settings: FitSettings) -> None:
        self.network, self.settings = network, settings
        self.step, self.seconds = 0, 0.0
        self.importance = torch.tensor(settings.importance) if settings.importance else None
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

    @property
    def fraction(self) -> float:
        """How much is done, by steps or by time."""
        if self.settings.minutes is None:
            return self.step / self.settings.steps
        return min(1.0, self.seconds / (60 * self.settings.minutes))

    def report(self, loss: float, scores: Mapping[str, float]) -> FitProgress:
        return FitProgress(self.step, loss, scores, self.fraction, self.seconds, self.average)

    def update(self, batch: Callable[[], tuple[Tensor, Tensor, Tensor]]) -> float:
        began = time.monotonic()
        image, target, known = batch()
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate()
        self.network.train()
        judge = LOSSES[self.settings.loss]
        loss: Tensor = judge(self.forward(image), target, known, self.importance)
        if not torch.isfinite(loss):
            raise ModelError(
                f"The training broke down at step {self.step}: its loss is no number. Lower the learning "
                "rate."
            )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self._move_average()
        self.step += 1
        self.seconds += time.monotonic() - began
        return float(loss.detach())

    def _move_average(self) -> None:
        keep = min(0.995, (self.step + 1) / (self.step + 20))
        with torch.no_grad():
            for mean, new in zip(
                self.average.state_dict().values(), self.network.state_dict().values(), strict=True
            ):
                if mean.dtype.is_floating_point:
                    mean.lerp_(new, 1 - keep)
                else:
                    mean.copy_(new)

    def _rate(self) -> float:
        fall = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * self.fraction))
        return self.settings.learning_rate * min(1, (self.step + 1) / 50) * fall

    def save(self, folder: Path, report: FitProgress) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        kept = {
            "step": report.step,
            "seconds": report.seconds,
            "settings": _key(self.settings),
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        partial = folder / (CHECKPOINT + ".part")
        torch.save(kept, partial)
        partial.replace(folder / CHECKPOINT)
        line = {
            "step": report.step,
            "seconds": round(report.seconds, 1),
            "loss": report.loss,
            "held_out_r": dict(report.held_out_r),
        }
        before = (folder / CURVE).read_text() if (folder / CURVE).is_file() else ""
        write_bytes(folder / CURVE, (before + json.dumps(line) + "\n").encode())

    def resume(self, folder: Path) -> None:
        """Continue from the checkpoint in *folder*, where there is one."""
        path = folder / CHECKPOINT
        if not path.is_file():
            (folder / CURVE).unlink(missing_ok=True)
            return
        kept = torch.load(path, map_location="cpu", weights_only=True)
        if kept["settings"] != _key(self.settings):
            raise ModelError(
                f"{path} belongs to a training with other settings. Continue with those, or remove it."
            )
        self.network.load_state_dict(kept["network"])
        self.average.load_state_dict(kept["average"])
        self.optimiser.load_state_dict(kept["optimiser"])
        self.step, self.seconds = int(kept["step"]), float(kept["seconds"])


def _key(settings: FitSettings) -> str:
    """Name a training; minutes may be added to one, steps not: the learning rate follows them."""
    said = asdict(settings)
    if settings.minutes is not None:
        said |= {"minutes": "some", "steps": 0, "report_every": 0, "report_seconds": 0}
    return json.dumps(said, sort_keys=True)
