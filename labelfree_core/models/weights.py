"""Tensors of a network: read from safetensors, checked against the network, never trusted."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor

from labelfree_core.errors import ModelError
from labelfree_core.models.entries import WEIGHTS_NAME

# The published network has 93 MB; ten times that is a generous bound for one that a person can run.
LARGEST_WEIGHTS_BYTES = 1_000_000_000
_COUNTER = "num_batches_tracked"

State = dict[str, Tensor]


def read_weights(path: Path) -> tuple[State, str]:
    """
    Read a safetensors file once, and hash the very bytes that were read.

    Returns
    -------
    state : dict of tensors
    sha256 : str
        Hex digest of the file.

    Raises
    ------
    ModelError
        If the file is missing, too large or no safetensors file.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST_WEIGHTS_BYTES:
            raise ModelError(
                f"{path.name} holds {size / 1e9:.1f} GB; networks of up to "
                f"{LARGEST_WEIGHTS_BYTES / 1e9:.0f} GB are supported. Choose a smaller model."
            )
        content = path.read_bytes()
    except OSError as problem:
        raise ModelError(
            f"The weights {path} can't be read ({problem.strerror}); a model folder holds card.toml and "
            f"{WEIGHTS_NAME}. Add the model again."
        ) from problem
    digest = hashlib.sha256(content).hexdigest()
    try:
        return load_safetensors(content), digest
    except (SafetensorError, ValueError, RuntimeError, KeyError, TypeError) as problem:
        raise ModelError(
            f"{path.name} is no whole safetensors file ({problem}). Download or export it again."
        ) from problem


def pack_weights(state: Mapping[str, Tensor]) -> bytes:
    """Turn a state dict into the bytes of a safetensors file, the same for the same tensors."""
    return save_safetensors({name: state[name].detach().cpu().contiguous().clone() for name in sorted(state)})


def checked_state(state: Mapping[str, Tensor], network: torch.nn.Module, *, name: str) -> State:
    """
    Return the tensors of *state* in single precision, if they are those that *network* needs.

    Parameters
    ----------
    state : mapping of names to tensors
        From a file. Counters of batches may be missing, as in files from before torch 0.4.1.
    network : module
        May live on the "meta" device; only its names and shapes are used.
    name : str
        What the error calls the model.

    Raises
    ------
    ModelError
        If a tensor is missing, superfluous, of another shape, not of real numbers, or not finite.
    """
    wanted = network.state_dict()
    _check_names(state, wanted, name)
    checked: State = {}
    for key, template in wanted.items():
        if key not in state:
            checked[key] = torch.zeros(template.shape, dtype=template.dtype)
            continue
        # The shape comes before everything else: a tensor of stride 0 claims any size for free.
        if state[key].shape != template.shape:
            raise ModelError(
                f"{name}: the tensor '{key}' has the shape {tuple(state[key].shape)}, and its network needs "
                f"{tuple(template.shape)}. The card or the file is wrong; add the model again."
            )
        checked[key] = _as_template(state[key], template, f"{name}: the tensor '{key}'")
    return checked


def _check_names(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor], name: str) -> None:
    missing = [key for key in wanted if key not in state and not key.endswith(_COUNTER)]
    extra = [key for key in state if key not in wanted]
    if missing or extra:
        found = ([f"lacks {len(missing)} tensors such as '{missing[0]}'"] if missing else []) + (
            [f"has {len(extra)} that do not belong to it, such as '{extra[0][:80]}'"] if extra else []
        )
        raise ModelError(
            f"{name} {' and '.join(found)}: these are not the weights of the network its card or layout "
            "names. Choose the file that belongs to it."
        )


def _as_template(tensor: Tensor, template: Tensor, name: str) -> Tensor:
    if tensor.is_sparse or tensor.is_quantized or tensor.is_complex():
        raise ModelError(
            f"{name} is sparse, quantised or complex; plain numbers are needed. Export it again."
        )
    if not template.is_floating_point():
        return tensor.detach().to(template.dtype).contiguous().clone()
    if not tensor.is_floating_point():
        raise ModelError(f"{name} holds {tensor.dtype}; floating point is needed. Export the model again.")
    plain = tensor.detach().to(torch.float32).contiguous().clone()
    if not bool(torch.isfinite(plain).all()):
        raise ModelError(
            f"{name} holds values that are not finite: the training failed or the file is damaged. "
            "Use an earlier checkpoint."
        )
    return plain
