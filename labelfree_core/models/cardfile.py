"""Model cards as TOML files: read with every field checked, written so that a person can edit them."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from labelfree_core.errors import ModelError
from labelfree_core.models.card import ModelCard, Score
from labelfree_core.models.cardfields import EXAMPLES, READERS, Place, check_truth
from labelfree_core.models.files import reason, write_atomically

CARD_NAME = "card.toml"
_LARGEST_CARD = 1_000_000
_DOTS = '"..."'
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def read_card(path: str | Path) -> ModelCard:
    """
    Read a card and check every field of it.

    Parameters
    ----------
    path : path
        A ``card.toml``, or the folder it lies in.

    Returns
    -------
    card : ModelCard

    Raises
    ------
    ModelError
        If the file can't be read, a field is missing, misspelt, of another type, or can't be true.
    """
    file = Path(path)
    if file.is_dir():
        file = file / CARD_NAME
    try:
        if file.stat().st_size > _LARGEST_CARD:
            raise ModelError(f"{file.name} holds more than 1 MB; a model card is a page of text. Replace it.")
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise ModelError(
            f"The model card {file} can't be read ({reason(problem)}); "
            "a model folder holds card.toml and weights.safetensors. Add the model again."
        ) from problem
    return parse_card(text, name=f"{file.parent.name}/{file.name}")


def parse_card(text: str, *, name: str = CARD_NAME) -> ModelCard:
    """
    Turn the text of a card into a ModelCard; *name* is what an error calls it.

    Examples
    --------
    >>> parse_card('id = "a"', name="a/card.toml")
    Traceback (most recent call last):
    ...
    labelfree_core.errors.ModelError: a/card.toml has no 'title'; add it, for example: title = "...".
    """
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as problem:
        raise ModelError(
            f"{name} is not valid TOML ({problem}). Mend that line, or add the model again."
        ) from None
    known = {item.name: item for item in dataclasses.fields(ModelCard)}
    for key in table:
        if key not in known:
            raise ModelError(
                f"{name} has the unknown field '{key[:60]}'; known are {', '.join(known)}. Mend or remove it."
            )
    values: dict[str, object] = {}
    for key, item in known.items():
        if key in table:
            values[key] = READERS[key](table[key], Place(name, key))
        elif item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            raise ModelError(
                f"{name} has no '{key}'; add it, for example: {key} = {EXAMPLES.get(key, _DOTS)}."
            )
    card = ModelCard(**values)  # type: ignore[arg-type]
    check_truth(card, name)
    return card


def write_card(path: str | Path, card: ModelCard) -> Path:
    """
    Write a card as TOML, whole or not at all.

    Parameters
    ----------
    path : path
        The file to write, or an existing folder, which then gets a ``card.toml``.
    card : ModelCard

    Returns
    -------
    file : Path

    Raises
    ------
    ModelError
        If the folder can't be written.
    """
    file = Path(path)
    if file.is_dir():
        file = file / CARD_NAME
    write_atomically(file, format_card(card).encode("utf-8"))
    return file


def format_card(card: ModelCard) -> str:
    """
    Lay a card out as TOML; what is empty by default is left out.

    Examples
    --------
    >>> card = ModelCard("a", "A", "DNA", "bright-field", 2, "fnet", {"depth": 4}, (0.29, 0.29))
    >>> parse_card(format_card(card)) == card
    True
    """
    simple, tables = [], []
    for item in dataclasses.fields(card):
        value = getattr(card, item.name)
        if item.name == "scores":
            tables += ["\n[[scores]]\n" + _lines(_score_table(score)) for score in value]
        elif isinstance(value, dict):
            tables += [f"\n[{item.name}]\n" + _lines(value)] if value else []
        elif value not in (None, "", ()) or value != item.default:
            simple.append(f"{item.name} = {_toml(value)}\n")
    # Arrays of tables go last: a plain table after them would read as one of theirs to a person.
    tables.sort(key=lambda block: block.startswith("\n[["))
    return "".join(simple + tables)


def _score_table(score: Score) -> dict[str, object]:
    return {key: value for key, value in dataclasses.asdict(score).items() if key != "note" or value}


def _lines(table: Mapping[str, object]) -> str:
    return "".join(
        f"{_key(key)} = {_toml(value)}\n" for key, value in table.items() if value not in ("", None)
    )


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _toml(key)


def _toml(value: object) -> str:
    """Write one value; json's string escapes are TOML's, but for DEL."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return repr(float(value))
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(str(key))} = {_toml(item)}" for key, item in value.items()) + "}"
    raise ModelError(
        f"A model card can't hold {value!r}; it needs text, finite numbers, lists and tables of them."
    )
