"""Models from elsewhere, kept as safetensors and a card, and never opened from their own file again."""

from __future__ import annotations

import atexit
import functools
import shutil
from pathlib import Path

from labelfree_core.errors import ModelError
from labelfree_core.models.containers import Kind, identify
from labelfree_core.models.entries import ModelEntry, exists, user_folder
from labelfree_core.models.store import save_model
from labelfree_core.scratch import own_folder

OPTIONS_NAME = "train_options.json"


def import_model(
    path: str | Path,
    *,
    train_options: str | Path | None = None,
    name: str | None = None,
    folder: str | Path | None = None,
) -> ModelEntry:
    """
    Import a model file and keep it.

    Parameters
    ----------
    path : path
        A published ``model.p`` or the folder it lies in, a ``.safetensors`` file of that network,
        or a BioImage.IO package (zip or folder).
    train_options : path, optional
        The ``train_options.json`` of a ``model.p``; one beside the file is found by itself.
    name : str, optional
        The person's own name of the file, where *path* is a temporary one.
    folder : path, optional
        Where to keep it; by default with the person's own models.

    Returns
    -------
    entry : ModelEntry
        Its id is made from the name and the tensors: the same file twice is one model.

    Raises
    ------
    ModelError
        If it is anything else, is damaged, or the folder can't be written.
    """
    file, options = _file_and_options(Path(path), train_options)
    if file.is_dir() or identify(file) is Kind.BIOIMAGEIO:
        from labelfree_core.models.bioimageio import read_package

        card, state = read_package(file, name=name)
    else:
        from labelfree_core.models.fnet_checkpoint import import_checkpoint

        card, state = import_checkpoint(file, train_options=options, name=name)
    return save_model((user_folder() if folder is None else Path(folder)) / card.id, state, card)


def import_for_now(path: Path) -> ModelEntry:
    """Import a file for this process only; its copy is deleted when the process ends."""
    file, options = _file_and_options(path, None)
    entry = _import_once(file, tuple(_stamp(place) for place in (file, options)))
    if not exists(entry.folder):  # systems tidy their temporary folders
        _import_once.cache_clear()
        return import_model(path, folder=_scratch())
    return entry


@functools.lru_cache(maxsize=16)
def _import_once(file: Path, stamps: tuple[tuple[int, int], ...]) -> ModelEntry:
    """Import a file again only when it or its options changed: *stamps* tell."""
    return import_model(file, folder=_scratch())


def _stamp(place: Path | None) -> tuple[int, int]:
    if place is None:
        return (0, 0)
    state = place.stat()
    return (state.st_mtime_ns, state.st_size)


def _file_and_options(path: Path, train_options: str | Path | None) -> tuple[Path, Path | None]:
    options = None if train_options is None else Path(train_options)
    if not exists(path):
        raise ModelError(f"There is no file or folder {str(path)[:300]}. Choose one that exists.")
    if path.is_dir():
        found = [
            place
            for place in (path / "model.p", path / "rdf.yaml", path / "bioimageio.yaml")
            if exists(place)
        ]
        if not found:
            raise ModelError(
                f"The folder {path.name} holds no model; needed is card.toml with weights.safetensors, "
                "a published model.p, or the rdf.yaml of a BioImage.IO package."
            )
        if found[0].name != "model.p":
            return path, None
        path = found[0]
    beside = path.with_name(OPTIONS_NAME)
    if options is None and exists(beside):
        options = beside
    return path, options


@functools.cache
def _scratch() -> Path:
    folder = own_folder("models")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
