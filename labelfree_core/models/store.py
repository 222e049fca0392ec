"""Where models are kept: list them, find one, load its network once for everybody, save one."""

from __future__ import annotations

import difflib
import shutil
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from labelfree_core.errors import ModelError
from labelfree_core.models.card import ModelCard
from labelfree_core.models.cardfile import CARD_NAME, write_card
from labelfree_core.models.entries import (
    FOLDER_VARIABLE,
    WEIGHTS_NAME,
    ModelEntry,
    exists,
    list_models,
    model_id,
    read_entry,
    shipped_folders,
    user_folder,
)
from labelfree_core.models.files import write_atomically

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "FOLDER_VARIABLE",
    "ModelEntry",
    "find_model",
    "list_models",
    "load_network",
    "model_id",
    "read_entry",
    "remove_model",
    "save_model",
    "shipped_folders",
    "user_folder",
]

_KEPT_NETWORKS = 4

_lock = threading.RLock()
_networks: OrderedDict[str, nn.Module] = OrderedDict()


def find_model(id_or_path: str | Path) -> ModelEntry:
    """
    Find a model by its id, or by the path to a model folder or file.

    Parameters
    ----------
    id_or_path : str or path
        An id of :func:`list_models`; a folder with ``card.toml``; or a published checkpoint
        (``model.p``), a ``.safetensors`` file, a BioImage.IO package (``.zip`` or folder). Files
        are imported for this process only; :func:`~labelfree_core.models.importing.import_model`
        keeps them.

    Returns
    -------
    entry : ModelEntry

    Raises
    ------
    ModelError
        If nothing of that name exists, or it can't be used.
    """
    name = str(id_or_path)
    entries = list_models()
    for entry in entries:
        if entry.card.id == name:  # the first of that name; later ones carry that as their problem
            return _usable(entry)
    path = Path(id_or_path)
    if exists(path):
        if path.is_dir() and (path / CARD_NAME).exists():
            return _usable(read_entry(path, shipped=path.resolve().parent in shipped_folders()))
        from labelfree_core.models.importing import import_for_now

        return _usable(import_for_now(path))
    ids = [entry.card.id for entry in entries if not entry.problem]
    close = difflib.get_close_matches(name, ids, n=1)
    meant = f"Did you mean '{close[0]}'? " if close else ""
    raise ModelError(
        f"There is no model '{name[:200]}', neither a name nor a file. {meant}"
        f"Known are: {', '.join(ids) or 'none yet'}; `labelfree models` shows their cards."
    )


def load_network(entry: ModelEntry) -> nn.Module:
    """
    Load a network once for the whole process, after its hash was verified.

    Parameters
    ----------
    entry : ModelEntry

    Returns
    -------
    network : torch module
        In eval mode, without gradients, on the CPU. It is shared: never change it, copy it.

    Raises
    ------
    ModelError
        If the entry has a problem, the hash differs from the card's, or the tensors do not fit.
    """
    card = _usable(entry).card
    key = f"{card.sha256} {card.architecture} {card.ndim} {sorted(card.network.items())!r}"
    with _lock:  # held while loading, so that two people who ask at once get one copy
        if key not in _networks:
            _networks[key] = _load(card, entry.folder)
            while len(_networks) > _KEPT_NETWORKS:
                _networks.popitem(last=False)
        _networks.move_to_end(key)
        return _networks[key]


def save_model(folder: str | Path, module_state: Mapping[str, Tensor], card: ModelCard) -> ModelEntry:
    """
    Write the weights and the card of one model.

    Parameters
    ----------
    folder : path
        The model's own folder, e.g. ``weights/dna-brightfield-3d``; its name is the card's id.
    module_state : mapping of names to tensors
        ``network.state_dict()``. Optimiser state does not belong here.
    card : ModelCard
        Its ``sha256`` is replaced by that of the file written.

    Returns
    -------
    entry : ModelEntry

    Raises
    ------
    ModelError
        If tensors do not fit the card, are not finite, or the folder can't be written.
    """
    from labelfree_core.models.build import skeleton
    from labelfree_core.models.weights import checked_state, pack_weights

    place = Path(folder)
    if place.name != card.id:
        raise ModelError(
            f"The model '{card.id}' was to be saved in a folder called '{place.name}'; both names have to be "
            "the same. Rename one of them."
        )
    content = pack_weights(checked_state(module_state, skeleton(card), name=f"The model '{card.id}'"))
    card = replace(card, sha256=sha256(content).hexdigest())
    # The weights first: a card without its weights would be a promise, and a process killed
    # between the two leaves a hash that does not match, which is refused.
    write_atomically(place / WEIGHTS_NAME, content)
    write_card(place / CARD_NAME, card)
    return read_entry(place, shipped=place.resolve().parent in shipped_folders())


def remove_model(entry: ModelEntry) -> None:
    """
    Delete a model that a person added; one that is gone already is no problem.

    Parameters
    ----------
    entry : ModelEntry

    Raises
    ------
    ModelError
        If it came with the software, or the system does not let it go.
    """
    folder = entry.folder
    if entry.shipped or folder.resolve().parent in shipped_folders():
        raise ModelError(
            f"'{entry.card.id}' came with the software and stays; only models that you added can be removed."
        )
    hidden = folder.with_name(f".{folder.name}-removed")
    try:
        folder.rename(hidden)  # a model goes whole: hidden before the first file is deleted
        shutil.rmtree(hidden)
    except FileNotFoundError:
        return
    except OSError as problem:
        raise ModelError(
            f"The model '{entry.card.id}' can't be removed ({problem.strerror or 'disk error'}). Close what "
            f"uses it and try again, or delete the folder {folder} yourself."
        ) from problem


def _load(card: ModelCard, folder: Path) -> nn.Module:
    from labelfree_core.models.build import skeleton
    from labelfree_core.models.weights import checked_state, read_weights

    network = skeleton(card)
    state, digest = read_weights(folder / WEIGHTS_NAME)
    if digest != card.sha256:
        raise ModelError(
            f"The weights of '{card.id}' have the hash {digest[:12]}..., and the card says "
            f"{card.sha256[:12]}...: one of them was changed. Add the model again from its source."
        )
    network.load_state_dict(checked_state(state, network, name=f"The model '{card.id}'"), assign=True)
    left = [name for name, buffer in network.named_buffers() if buffer.is_meta]
    if left:
        raise RuntimeError(
            f"{left[0]} is no part of the state dict, so it can't be loaded: register it as persistent"
        )
    return network.eval().requires_grad_(False)


def _usable(entry: ModelEntry) -> ModelEntry:
    if entry.problem:
        raise ModelError(entry.problem)
    return entry
