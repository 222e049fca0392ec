"""What each field of a model card may hold."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable

from labelfree_core.errors import ModelError
from labelfree_core.models.card import ModelCard, Score

STEPS = ("standardise", "flatten", "resize")
ARCHITECTURES = ("fnet", "compact")
# What training did with an image, from the least to the most it saw of it.
USES = ("held-out", "part", "trained")
MODEL_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
# Names stand in lists and on buttons; the rest is a page of text.
_LONGEST_NAME, _LONGEST_TEXT = 300, 20_000
_LARGEST_COUNT = 10**9


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Which field of which file is being read, for the error."""

    file: str
    key: str

    def refuse(self, value: object, needed: str) -> ModelError:
        """Say what was found and what is needed."""
        try:
            found = str(value)[:80]
        except ValueError:  # Python writes no whole number of thousands of digits
            found = "a number without end"
        return ModelError(f"{self.file}: '{self.key}' is {found!r}; it has to be {needed}. Mend the card.")


def _text(value: object, place: Place) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise place.refuse(value, f"text in quotes, of at most {_LONGEST_TEXT} characters")
    return value


def _title(value: object, place: Place) -> str:
    text = _text(value, place)
    if len(text) > _LONGEST_NAME:
        raise place.refuse(value, f"text of at most {_LONGEST_NAME} characters")
    return text


def _name(value: object, place: Place) -> str:
    text = _title(value, place)
    if not text.strip():
        raise place.refuse(value, "a word")
    return text


def _number(value: object, place: Place) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise place.refuse(value, "a finite number")
    try:
        number = float(value)
    except OverflowError:  # a whole number of hundreds of digits
        number = math.inf
    if not math.isfinite(number):
        raise place.refuse(value, "a finite number")
    return number


def _whole(value: object, place: Place) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _LARGEST_COUNT:
        raise place.refuse(value, f"a whole number of at most {_LARGEST_COUNT}")
    return value


def _flag(value: object, place: Place) -> bool:
    if not isinstance(value, bool):
        raise place.refuse(value, "true or false")
    return value


def _texts(value: object, place: Place) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise place.refuse(value, "a list of texts")
    return tuple(_text(item, place) for item in value)


def _sizes(value: object, place: Place) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) not in (2, 3):
        raise place.refuse(value, "a list of 2 (y, x) or 3 (z, y, x) numbers")
    sizes = tuple(_number(item, place) for item in value)
    if not all(1e-4 < size < 1e4 for size in sizes):
        raise place.refuse(value, "positive numbers between 0.0001 and 10000")
    return sizes


def _table(value: object, place: Place) -> dict[str, object]:
    if not isinstance(value, dict):
        raise place.refuse(value, f"a table, [{place.key}]")
    return value


def _numbers(value: object, place: Place) -> dict[str, float]:
    return {key: _number(item, place) for key, item in _table(value, place).items()}


def _uses(value: object, place: Place) -> dict[str, str]:
    found = {key: _text(item, place) for key, item in _table(value, place).items()}
    for use in found.values():
        if use not in USES:
            raise place.refuse(use, f"one of {', '.join(USES)} for each image")
    return found


def _scores(value: object, place: Place) -> tuple[Score, ...]:
    if not isinstance(value, list):
        raise place.refuse(value, "a list of tables, [[scores]]")
    return tuple(_score(_table(item, place), place) for item in value)


def _score(table: dict[str, object], place: Place) -> Score:
    values: dict[str, object] = {}
    for item in dataclasses.fields(Score):
        inside = Place(place.file, f"scores.{item.name}")
        if item.name in table:
            read = (
                _text if item.name in ("data", "metric", "note") else _whole if item.name == "n" else _number
            )
            values[item.name] = read(table[item.name], inside)
        elif item.default is dataclasses.MISSING:
            raise ModelError(f"{place.file}: a score has no '{item.name}'; add it or remove the score.")
    unknown = sorted(set(table) - set(values))
    if unknown:
        raise ModelError(
            f"{place.file}: a score has the unknown field '{unknown[0][:60]}'. Mend or remove it."
        )
    return Score(**values)  # type: ignore[arg-type]


READERS: dict[str, Callable[[object, Place], object]] = {
    **dict.fromkeys(("structure", "modality"), _name),
    "title": _title,
    **dict.fromkeys(("id", "architecture"), _text),
    **dict.fromkeys(("sha256", "training", "licence", "citation", "units"), _text),
    **dict.fromkeys(("steps", "limits"), _texts),
    **dict.fromkeys(("voxel_size_um", "zoom"), _sizes),
    "ndim": _whole,
    "network": _table,
    "scores": _scores,
    "simulated": _flag,
    "hallucination": _numbers,
    "images": _uses,
}
EXAMPLES = {"ndim": "3", "architecture": '"fnet"'}


def check_truth(card: ModelCard, name: str) -> None:
    """Refuse a card whose fields contradict each other or the software."""
    if not MODEL_ID.fullmatch(card.id) or ".." in card.id:
        raise Place(name, "id").refuse(card.id, "1 to 80 small letters, digits, dots, hyphens or underscores")
    if card.ndim not in (2, 3):
        raise Place(name, "ndim").refuse(card.ndim, "2 (planes) or 3 (z-stacks)")
    if card.architecture not in ARCHITECTURES:
        raise Place(name, "architecture").refuse(card.architecture, " or ".join(ARCHITECTURES))
    for key, sizes in (("voxel_size_um", card.voxel_size_um), ("zoom", card.zoom)):
        if sizes is not None and len(sizes) != card.ndim:
            raise Place(name, key).refuse(sizes, f"{card.ndim} numbers, because ndim is {card.ndim}")
    if len(set(card.steps)) != len(card.steps) or not set(card.steps) <= set(STEPS):
        raise Place(name, "steps").refuse(
            list(card.steps), f"a list of {', '.join(STEPS)}, each at most once"
        )
    if card.sha256 and not re.fullmatch(r"[0-9a-f]{64}", card.sha256):
        raise Place(name, "sha256").refuse(card.sha256, "the 64 hexadecimal digits of weights.safetensors")
    for score in card.scores:
        if score.n < 1 or not score.lowest <= score.median <= score.highest:
            raise Place(name, "scores").refuse(
                score, "of at least one image, with lowest <= median <= highest"
            )
