"""What a network is trained to make small; voxels where nothing is known never count."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def stain_loss(predicted: Tensor, target: Tensor, known: Tensor, importance: Tensor | None = None) -> Tensor:
    """
    Loss for a stain: smooth L1 plus half of one minus Pearson r of each patch.

    A plain squared error is won by predicting the background well; the correlation does not care how much
    of a patch is background.

    Parameters
    ----------
    predicted, target, known : tensors, shape (N, structures, ...)
        *known* is 1 where the target counts.
    importance : tensor, shape (structures,), optional
        How much each structure counts; 1 each without.
    """
    axes = tuple(range(2, predicted.ndim))
    counts = known if importance is None else known * importance.view(1, -1, *[1] * len(axes))
    error = (F.smooth_l1_loss(predicted, target, beta=2.0, reduction="none") * counts).sum() / (
        known.sum() + 1
    )
    count = known.sum(axes, keepdim=True) + 1

    def centred(values: Tensor) -> Tensor:
        return (values - (values * known).sum(axes, keepdim=True) / count) * known

    a, b = centred(predicted), centred(target)
    # The smallest number keeps the slope of the root finite where a target is even.
    power = a.square().sum(axes) * b.square().sum(axes) / count.flatten(1) ** 2
    spread = (power + 1e-8).sqrt()
    r = (a * b).sum(axes) / count.flatten(1) / (spread + 0.05)
    off = 1 - r
    return error + 0.5 * (off if importance is None else off * importance).mean()


def segmentation_loss(
    predicted: Tensor, target: Tensor, known: Tensor, importance: Tensor | None = None
) -> Tensor:
    """
    Loss for a segmentation: squared error of each structure plus a fifth of one minus soft Dice.

    Parameters
    ----------
    predicted, target, known : tensors, shape (N, structures, ...)
        *known* is 1 where the target counts.
    importance : tensor, shape (structures,), optional
        How much the error of each structure counts, beside its overlap; 1 each without.
    """
    axes = (0, *range(2, predicted.ndim))
    error = ((predicted - target).square() * known).sum(axes) / (known.sum(axes) + 1)
    inside, truth = predicted.clamp(0, 1) * known, target * known
    overlap = (2 * (inside * truth).sum(axes) + 1) / (
        inside.square().sum(axes) + truth.square().sum(axes) + 1
    )
    weighed = error if importance is None else error * importance
    return torch.sum(4 * weighed + 0.2 * (1 - overlap))
