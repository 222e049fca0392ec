"""
The preparation that a published ``train_options.json`` asks for.

The file holds its transforms as Python expressions, ``"fnet.transforms.Resizer((1, 0.37241,
0.37241))"``. They are read as text: dotted names, calls and plain constants, and nothing is run.
"""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labelfree_core.errors import ModelError
from labelfree_core.models.files import reason

_LARGEST_OPTIONS = 1_000_000
_LONGEST_EXPRESSION = 300

Constant = float | int | str | bool | None
Argument = Constant | tuple["Argument", ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A transform by name, without the modules in front, and what it was given."""

    name: str
    arguments: tuple[Argument, ...] = ()


@dataclass(frozen=True, slots=True)
class Preparation:
    """
    How a published model wants its image.

    ``steps`` in order, ``zoom`` the resize factors, ``told`` what the options say about the
    training (data set, folders) for people, ``notes`` what was left out.
    """

    steps: tuple[str, ...]
    zoom: tuple[float, ...] | None
    told: str
    notes: tuple[str, ...] = ()


# Cropping and padding to a multiple of 16 is done for every network anyway.
_LEFT_OUT = {"Cropper", "Padder", "Propper", "ReflectionPadder3d", "do_nothing", "Identity"}
_STANDARDISE = {"normalize", "Normalize", "zscore"}


def parse_transform(text: str) -> Call:
    """
    Read one transform expression without running anything.

    Examples
    --------
    >>> parse_transform("fnet.transforms.Resizer((1, 0.37241, 0.37241))")
    Call(name='Resizer', arguments=((1, 0.37241, 0.37241),))
    >>> parse_transform("__import__('os').system('true')")
    Traceback (most recent call last):
    ...
    labelfree_core.errors.ModelError: The transform "__import__('os').system('true')" is no plain name or call with numbers; such options are not read. Remove it from train_options.json.
    """  # noqa: E501 - an error is one line
    if len(text) > _LONGEST_EXPRESSION:
        raise _unreadable(text)
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _unreadable(text) from None
    if isinstance(node, ast.Call):
        values = [*node.args, *(keyword.value for keyword in node.keywords)]
        return Call(_dotted(node.func, text), tuple(_constant(value, text) for value in values))
    return Call(_dotted(node, text))


def read_preparation(path: Path, *, ndim: int) -> Preparation:
    """
    Read the signal's transforms from a ``train_options.json``.

    Raises
    ------
    ModelError
        If the file is no JSON, names a transform that is not known, or resizes another number of axes.
    """
    return prepare_from(_load_options(path), path.name, ndim=ndim)


def prepare_from(options: dict[str, object], name: str, *, ndim: int) -> Preparation:
    """Turn the options of a training into steps; *name* is what an error calls them."""
    steps: list[str] = []
    notes: list[str] = []
    zoom: tuple[float, ...] | None = None
    for call in _signal_transforms(options, name):
        step = _step(call, name)
        if step == "":
            notes.append(call.name)
            continue
        if step in steps:
            raise ModelError(
                f"{name} asks for '{call.name}' twice, which is not supported. Mend transform_signal."
            )
        steps.append(step)
        if step == "resize":
            zoom = _factors(call, name, ndim)
    return Preparation(tuple(steps), zoom, _told(options), tuple(notes))


def _step(call: Call, name: str) -> str:
    if call.name in _STANDARDISE and not call.arguments:
        return "standardise"
    if call.name == "Resizer":
        return "resize"
    if call.name in _LEFT_OUT:
        return ""
    raise ModelError(
        f"{name} asks for the transform '{call.name[:60]}', which is not known here, and without it the "
        "network would see other images than in its training. Known are normalize and Resizer."
    )


def _factors(call: Call, name: str, ndim: int) -> tuple[float, ...]:
    given = call.arguments[0] if call.arguments else ()
    sizes = given if isinstance(given, tuple) else (given,) * ndim
    numbers = tuple(
        float(size) for size in sizes if isinstance(size, (int, float)) and not isinstance(size, bool)
    )
    if len(numbers) == 3 and ndim == 2 and numbers[0] == 1:
        numbers = numbers[1:]  # a 2-D network resizes the stack before it takes planes
    if len(numbers) != ndim or not all(math.isfinite(size) and 0.01 <= size <= 100 for size in numbers):
        raise ModelError(
            f"{name} resizes by {str(given)[:60]}; a {ndim}-D network needs {ndim} factors from 0.01 to 100. "
            "Choose the train_options.json that belongs to this model."
        )
    return numbers


def _load_options(path: Path) -> dict[str, object]:
    try:
        size = path.stat().st_size
    except OSError as problem:
        raise ModelError(
            f"{path.name} can't be read ({reason(problem)}). Choose a file that exists."
        ) from problem
    if size > _LARGEST_OPTIONS:
        raise ModelError(
            f"{path.name} has more than 1 MB; training options are a page of text. Choose that file."
        )
    try:
        options = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        raise ModelError(
            f"{path.name} is no valid JSON ({reason(problem)}); needed is the train_options.json that "
            "was written with the model. Choose that file or leave it out."
        ) from problem
    if not isinstance(options, dict):
        raise ModelError(
            f"{path.name} holds no table of options. Choose the train_options.json of this model."
        )
    return options


def _signal_transforms(options: dict[str, object], name: str) -> Iterator[Call]:
    # Older trainings write it at the top, newer ones among the arguments of the data set.
    places = [
        options,
        *(options.get(key) for key in ("dataset_kwargs", "dataset_train_kwargs", "bds_kwargs")),
    ]
    for place in places:
        if isinstance(place, dict) and place.get("transform_signal") is not None:
            found = place["transform_signal"]
            texts = found if isinstance(found, list) else [found]
            if len(texts) > 20 or not all(isinstance(text, str) for text in texts):
                raise ModelError(
                    f"{name}: transform_signal is no list of texts. Mend it or leave the file out."
                )
            return (parse_transform(text) for text in texts)
    raise ModelError(
        f"{name} has no transform_signal, so the preparation of the image is not in it. Choose the "
        "train_options.json that was written with this model, or leave it out."
    )


def _told(options: dict[str, object]) -> str:
    """Quote what says which data the network saw."""
    keys = (
        "path_dataset_csv",
        "path_dataset_train",
        "path_train_csv",
        "path_run_dir",
        "dataset",
        "class_dataset",
    )
    found = [f"{key} {options[key]}" for key in keys if isinstance(options.get(key), str)]
    # A text from outside: its length is bounded and it stays on one line.
    return " ".join("; ".join(found).split())[:300]


def _dotted(node: ast.expr, text: str) -> str:
    last = node.attr if isinstance(node, ast.Attribute) else ""
    while isinstance(node, ast.Attribute):
        node = node.value
    if not isinstance(node, ast.Name):
        raise _unreadable(text)
    return last or node.id


def _constant(node: ast.expr, text: str) -> Argument:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float, str, bool, type(None))):
        return node.value
    if isinstance(node, (ast.Tuple, ast.List)):
        return tuple(_constant(item, text) for item in node.elts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _constant(node.operand, text)
        if isinstance(value, (int, float)):
            return -value
    raise _unreadable(text)


def _unreadable(text: str) -> ModelError:
    return ModelError(
        f'The transform "{text[:80]}" is no plain name or call with numbers; such options are not read. '
        "Remove it from train_options.json."
    )
