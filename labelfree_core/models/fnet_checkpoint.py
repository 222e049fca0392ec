"""
Published checkpoints (``model.p``), opened without running anything that is in them.

Two layouts exist, told apart by their keys; both hold the optimiser's state, three times
the size of the network, which is dropped. The network itself is read off the shapes of its
tensors and then compared with what the file says about it.
"""

from __future__ import annotations

import hashlib
import pickle
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from labelfree_core.errors import ModelError
from labelfree_core.models import inferred
from labelfree_core.models.build import skeleton
from labelfree_core.models.card import ModelCard
from labelfree_core.models.containers import Kind, identify, refusal
from labelfree_core.models.entries import model_id
from labelfree_core.models.transforms_parser import Preparation, read_preparation
from labelfree_core.models.weights import State, checked_state, read_weights

CITATION = (
    "Ounkomol C, Seshamani S, Maleckar MM, Collman F, Johnson GR (2018). Label-free prediction of "
    "three-dimensional fluorescence images from transmitted-light microscopy. Nature Methods 15:917-920. "
    "doi 10.1038/s41592-018-0111-2"
)
# Keys from a file may be anything that can be hashed.
Table = Mapping[Any, object]

_FIRST = "net_recurse.sub_2conv_more.conv1.weight"
_LAST = "conv_out.weight"


@dataclass(frozen=True, slots=True)
class Layout:
    """What a file holds: the tensors, which layout, and what it says about its network."""

    state: Table
    name: str
    arguments: Table
    iterations: int | None = None


def import_checkpoint(
    path: str | Path, *, train_options: str | Path | None = None, name: str | None = None
) -> tuple[ModelCard, State]:
    """
    Open a published checkpoint, or a safetensors file with the same tensors.

    Parameters
    ----------
    path : path
        ``model.p`` of either layout, the bare state dict, or ``.safetensors``.
    train_options : path, optional
        The ``train_options.json`` written with it: says how the image has to be prepared.
    name : str, optional
        The person's own name of the file, where *path* is a temporary one.

    Returns
    -------
    card : ModelCard
        Without the hash of the weights, which :func:`~labelfree_core.models.store.save_model` adds.
    state : dict of tensors
        Single precision, checked against the network; no optimiser state.

    Raises
    ------
    ModelError
        If it is anything else, saying what it is.

    References
    ----------
    .. [1] Ounkomol et al. (2018), Nat. Methods 15:917.
    """
    file = Path(path)
    name = name or file.name
    kind = identify(file)
    if kind is Kind.BIOIMAGEIO:
        raise refusal(name, "a BioImage.IO package, which is opened as a whole, not as a checkpoint")
    if kind is Kind.SAFETENSORS:
        layout = Layout(dict(read_weights(file)[0].items()), "safetensors", {})
    else:
        layout = find_layout(load_tensors(file, kind, name=name), name)
    card, state = describe(layout, name)
    options = None if train_options is None else read_preparation(Path(train_options), ndim=card.ndim)
    card = inferred.with_preparation(card, options)
    return replace(card, id=model_id(name, _digest(state, options))), state


def load_tensors(path: Path, kind: Kind, *, name: str) -> object:
    """
    Read a torch file with torch's own loader for plain data, which runs no code of the file.

    Zip containers are mapped, so that the optimiser's state is never read from the disk.
    """
    try:
        with warnings.catch_warnings():
            # Of torch's own storages in old containers; nothing a person can act on.
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True, mmap=kind is Kind.TORCH_ZIP)
    except pickle.UnpicklingError as problem:
        foreign = re.search(r"GLOBAL ([\w.$<>]{1,80})", str(problem))
        inside = f" ('{foreign.group(1)}')" if foreign else ""
        raise ModelError(
            f"{name} holds Python objects{inside} besides tensors; opening those would run code of the file, "
            "so it is refused. Needed is the state dict alone: torch.save(network.state_dict(), ...)."
        ) from None
    except Exception as problem:  # a hostile file can bring torch's loader to raise almost anything
        raise ModelError(
            f"{name} is a damaged torch file ({_first_line(problem)}). Download or save it again."
        ) from None


def find_layout(content: object, name: str) -> Layout:
    """
    Tell the layouts apart and refuse what only looks like a checkpoint.

    Raises
    ------
    ModelError
        For ensembles, optimiser states, other networks and everything else.
    """
    if isinstance(content, Tensor):
        raise refusal(name, f"a torch file with a single tensor of shape {tuple(content.shape)}")
    if not isinstance(content, Mapping):
        raise refusal(name, f"a torch file that holds a {type(content).__name__} and no network")
    if "fnet_model_class" in content:
        return _newer_layout(content, name)
    if "nn_state" in content:
        return Layout(_table(content["nn_state"], name), "release 1", _maybe_table(content.get("nn_kwargs")),
                      _iterations(content))  # fmt: skip
    if {"state", "param_groups"} <= set(content) or {"optimizer_state"} == set(content) - {"count_iter"}:
        raise refusal(name, "the state of an optimiser without its network; choose the file with the weights")
    if "state_dict" in content:
        return Layout(_table(content["state_dict"], name), "a state dict inside a training checkpoint", {})
    return Layout(content, "a bare state dict", {})


def describe(layout: Layout, name: str) -> tuple[ModelCard, State]:
    """Read the network off the tensors, compare it with what the file says, and check every tensor."""
    tensors = _tensors(layout, name)
    card = inferred.first_card(tensors, name)
    says = {key: layout.arguments.get(key) for key in ("mult_chan", "depth", "in_channels", "out_channels")}
    network = card.network
    width = says["mult_chan"]
    # Level 0 has n_in * mult_chan channels in the first release and mult_chan in the newer one.
    true_widths = (network["mult_chan"], int(str(network["mult_chan"])) / int(str(network["n_in"])))
    lies = [
        key
        for key, true in (("depth", "depth"), ("in_channels", "n_in"), ("out_channels", "n_out"))
        if says[key] is not None and says[key] != network[true]
    ] + (["mult_chan"] if width is not None and width not in true_widths else [])
    if lies:
        raise ModelError(
            f"{name} says {lies[0]} = {str(says[lies[0]])[:40]}, and its tensors are of another network. "
            "The file was put together wrongly; get it again from its source."
        )
    seen = f" after {layout.iterations:,} iterations" if layout.iterations else ""
    training = f"Imported from {name} ({layout.name}{seen}); the optimiser's state was dropped."
    card = replace(card, training=training, citation=CITATION)
    return card, checked_state(tensors, skeleton(card), name=name)


def _newer_layout(content: Table, name: str) -> Layout:
    kind = str(content["fnet_model_class"])
    if "ensemble" in kind.lower():
        raise refusal(
            name, "a list of other files (an fnet ensemble) and holds no weights; open one of those files"
        )
    if "nn_state" not in content:
        raise refusal(name, f"a checkpoint of '{kind[:80]}' without weights (no nn_state)")
    arguments = _maybe_table(_maybe_table(content.get("fnet_model_kwargs")).get("nn_kwargs"))
    return Layout(_table(content["nn_state"], name), "newer layout", arguments, _iterations(content))


def _tensors(layout: Layout, name: str) -> dict[str, Tensor]:
    state = layout.state
    found = {key: value for key, value in state.items() if isinstance(key, str) and isinstance(value, Tensor)}
    if not found:
        keys = ", ".join(str(key)[:40] for key in list(state)[:4]) or "nothing"
        raise refusal(name, f"a torch file without a network (it holds {keys})")
    for prefix in ("module.", "_orig_mod."):  # what torch's wrappers put in front
        if all(key.startswith(prefix) for key in found):
            found = {key.removeprefix(prefix): value for key, value in found.items()}
    if any("model.inconv." in key or key.startswith("inconv.") for key in found):
        raise refusal(
            name,
            "VisCy's FNet3D, another network of that name (it halves sizes by convolutions of stride 2)",
        )
    if _FIRST not in found or _LAST not in found:
        raise refusal(
            name, f"a network that is not known here (its first tensor is '{next(iter(found))[:80]}')"
        )
    if len(found) != len(state):
        raise refusal(name, "a state dict with entries that are no tensors")
    return found


def _digest(state: State, options: Preparation | None) -> str:
    """Hash the tensors and how the image is prepared: both make the model."""
    digest = hashlib.sha256(repr(options).encode())
    for key in sorted(state):
        digest.update(key.encode())
        digest.update(state[key].numpy().tobytes())
    return digest.hexdigest()


def _iterations(content: Table) -> int | None:
    count = content.get("count_iter")
    return count if isinstance(count, int) and 0 < count < 10**12 else None


def _table(value: object, name: str) -> Table:
    if not isinstance(value, Mapping):
        raise refusal(
            name, f"a checkpoint whose weights are a {type(value).__name__} instead of named tensors"
        )
    return value


def _maybe_table(value: object) -> Table:
    return value if isinstance(value, Mapping) else {}


def _first_line(problem: BaseException) -> str:
    text = (str(problem).splitlines() or [type(problem).__name__])[0]
    return "its tensors claim more memory than there is" if "allocate memory" in text else text[:160]
