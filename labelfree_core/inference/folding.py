"""Batch normalisation folded into the convolution before it: the same numbers in fewer passes over memory."""

from __future__ import annotations

import copy
from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from labelfree_core.models.unet import FNet, Level, TwoConvolutions

_CONVOLUTIONS = (nn.Conv2d, nn.Conv3d)
_NORMS = (nn.BatchNorm2d, nn.BatchNorm3d)


def folded(network: nn.Module) -> nn.Module:
    """
    Return a copy of *network* without batch normalisation layers that can be folded away.

    Parameters
    ----------
    network : torch module in eval mode
        Left as it is.

    Returns
    -------
    network : torch module
        The same function, up to rounding.
    """
    network = copy.deepcopy(network).eval().requires_grad_(requires_grad=False)
    if isinstance(network, FNet):
        _fold_level(network.net_recurse)
    else:
        for part in network.modules():
            if isinstance(part, nn.Sequential):
                _fold_sequence(part)
    return network


def _fold_level(level: Level) -> None:
    _fold_pair(level.sub_2conv_more)
    if level.depth == 0:
        return
    _fold_into(level, "conv_down", "bn0")
    _fold_into(level, "convt", "bn1", transpose=True)
    _fold_pair(level.sub_2conv_less)
    _fold_level(level.sub_u)


def _fold_pair(block: TwoConvolutions) -> None:
    _fold_into(block, "conv1", "bn1")
    _fold_into(block, "conv2", "bn2")


def _fold_sequence(sequence: nn.Sequential) -> None:
    # In a Sequential the order of calls is the order of the parts, so that a pair is certain.
    for (i, conv), (j, norm) in pairwise(sequence.named_children()):
        if isinstance(conv, _CONVOLUTIONS) and isinstance(norm, _NORMS):
            _fold_into(sequence, i, j)
    previous: nn.Module | None = None
    for part in sequence.children():
        if isinstance(part, nn.ReLU) and isinstance(previous, _CONVOLUTIONS):
            part.inplace = True  # nobody else sees what the convolution made
        previous = previous if isinstance(part, nn.Identity) else part


def _fold_into(parent: nn.Module, conv_name: str, norm_name: str, *, transpose: bool = False) -> None:
    conv, norm = getattr(parent, conv_name), getattr(parent, norm_name)
    # In float64, so that folding adds no rounding beyond that of storing the weights.
    fused = fuse_conv_bn_eval(conv.double(), norm.double(), transpose=transpose)
    parent.register_module(conv_name, fused.to(torch.float32))
    parent.register_module(norm_name, nn.Identity())
