"""Model folders: which there are, and what is wrong with them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from labelfree_core.errors import ModelError
from labelfree_core.models.card import ModelCard
from labelfree_core.models.cardfields import MODEL_ID
from labelfree_core.models.cardfile import CARD_NAME, read_card

FOLDER_VARIABLE = "LABELFREE_MODELS"
WEIGHTS_NAME = "weights.safetensors"
_ROOM = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """
    One model folder.

    ``problem`` is empty where the model can be used, and else the sentence that says why
    not. The card of a folder whose card can't be read is a bare one with the folder's name.
    """

    card: ModelCard
    folder: Path
    shipped: bool = False
    problem: str = ""


def shipped_folders() -> tuple[Path, ...]:
    """Folders of models that came with the software: in a checkout, or where it was installed."""
    places = (
        _ROOM.parents[1] / "weights",
        _ROOM.parent / "weights",
        Path(sys.prefix) / "share/labelfree/weights",
    )
    return tuple(place for place in places if place.is_dir())


def user_folder() -> Path:
    """
    Folder of the models a person added: ``LABELFREE_MODELS``, or the usual place of the system.

    Raises
    ------
    ModelError
        If the system knows no home folder.
    """
    chosen = os.environ.get(FOLDER_VARIABLE, "")
    try:
        if chosen:
            return Path(chosen).expanduser()
        if sys.platform == "win32":
            base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local")
        elif sys.platform == "darwin":
            base = Path.home() / "Library/Application Support"
        else:
            base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    except RuntimeError as problem:
        raise ModelError(
            f"No home folder was found, so there is no place for your own models. "
            f"Set the environment variable {FOLDER_VARIABLE} to a folder."
        ) from problem
    return base / "labelfree" / "models"


def list_models(folders: Sequence[str | Path] | None = None) -> tuple[ModelEntry, ...]:
    """
    List the models of some folders, broken ones with their problem.

    Parameters
    ----------
    folders : sequence of paths, optional
        Each holds model folders. By default what came with the software, then the person's own.

    Returns
    -------
    entries : tuple of ModelEntry
        Sorted by id within each folder. Hashes are checked when a network is loaded, not here.
    """
    shipped = shipped_folders()
    if folders is None:
        try:
            chosen = (*shipped, user_folder())
        except ModelError:
            chosen = shipped
    else:
        chosen = tuple(Path(folder) for folder in folders)
    entries: list[ModelEntry] = []
    seen: set[str] = set()
    for folder in chosen:
        for place in _model_folders(folder):
            entry = read_entry(place, shipped=folder in shipped)
            if entry.card.id in seen:
                again = (
                    f"Another model is called '{entry.card.id}' too; rename this folder and its card's id."
                )
                entry = replace(entry, problem=entry.problem or again)
            seen.add(entry.card.id)
            entries.append(entry)
    return tuple(entries)


def read_entry(folder: Path, *, shipped: bool = False) -> ModelEntry:
    """Read one model folder; what is wrong with it goes into ``problem``."""
    try:
        card = read_card(folder / CARD_NAME)
    except ModelError as problem:
        return ModelEntry(_bare_card(folder), folder, shipped, str(problem))
    return ModelEntry(card, folder, shipped, _problem(card, folder))


def model_id(file_name: str, digest: str) -> str:
    """
    Make an id from a file's name and the hash of its content.

    >>> model_id("../../My Model (final).p", "0123456789abcdef")
    'my-model-final-01234567'
    """
    stem = re.split(r"[\\/]", file_name)[-1]
    stem = stem.rsplit(".", 1)[0] if "." in stem else stem
    plain = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:60].strip("-")
    return f"{plain or 'model'}-{digest[:8]}"


def _model_folders(folder: Path) -> list[Path]:
    try:
        places = sorted(folder.iterdir())
    except OSError:  # no such folder yet, or not ours to read: no models there
        return []
    return [place for place in places if not place.name.startswith(".") and exists(place / CARD_NAME)]


def exists(path: Path) -> bool:
    """Say whether a path exists, also where the name is no possible one."""
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, no permission, a NUL in the name
        return False


def _problem(card: ModelCard, folder: Path) -> str:
    weights = folder / WEIGHTS_NAME
    if card.id != folder.resolve().name:
        return (
            f"The card in the folder '{folder.name}' is that of '{card.id}'. Rename the folder or the id, "
            "so that the two agree."
        )
    if not card.sha256:
        return (
            f"The card of '{card.id}' gives no sha256, so its weights can't be verified. Add the model again."
        )
    if not exists(weights):
        return f"The model '{card.id}' has a card and no {WEIGHTS_NAME}. Add the model again from its source."
    channels = card.network.get("n_in", 1)
    if channels != 1:
        return (
            f"The model '{card.id}' needs {channels} images at once, and one transmitted-light image is all "
            "that is given here. Choose a model with one input."
        )
    return ""


def _bare_card(folder: Path) -> ModelCard:
    name = folder.name.lower()
    return ModelCard(
        name if MODEL_ID.fullmatch(name) else "unnamed", folder.name, "unknown", "unknown", 3, "fnet"
    )
