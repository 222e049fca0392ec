"""Limits come from the environment, and a wrong one is a sentence."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from labelfree_core import settings
from labelfree_core.errors import LabelFreeError
from labelfree_core.settings import Settings


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.read({}) == Settings()


def test_settings_survive_the_way_through_an_environment() -> None:
    chosen = Settings(memory_share=0.25, memory_mib=900, threads=1, model_uploads=False, idle_minutes=2)
    assert Settings.read(chosen.environment()) == chosen


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("LABELFREE_THREADS", "many", "LABELFREE_THREADS is 'many'; it has to be a number"),
        ("LABELFREE_QUEUE", "0", "LABELFREE_QUEUE is 0; it has to be positive"),
        ("LABELFREE_TRAININGS", "0", "LABELFREE_TRAININGS is 0; it has to be positive"),
        ("LABELFREE_IDLE_MINUTES", "-1", "LABELFREE_IDLE_MINUTES is -1.0; it has to be positive"),
        ("LABELFREE_MEMORY_SHARE", "2", r"more than 0 and at most 1"),
        ("LABELFREE_MODEL_UPLOADS", "perhaps", "has to be true or false"),
    ],
)
def test_a_wrong_limit_is_named(name: str, value: str, sentence: str) -> None:
    with pytest.raises(LabelFreeError, match=sentence):
        Settings.read({name: value})


def rows(text: str, cells: str) -> dict[str, str]:
    """Variable and default of every row of a table."""
    return dict(re.findall(cells, text, flags=re.MULTILINE))


def test_both_tables_of_limits_name_every_one_with_its_default() -> None:
    root = Path(settings.__file__).parents[1]
    page = rows((root / "docs" / "deployment.md").read_text(), r"^\| `(LABELFREE_\w+)` \| ([^|]+?) \|")
    module = rows(settings.__doc__ or "", r"^(LABELFREE_\w+) +(\([\w ]+\)|\S+)")
    assert {name: page[name] for name in module} == {name: text.strip("()") for name, text in module.items()}
    for name, value in Settings().environment().items():
        assert page[name] in (value.lower(), f"{float(value):g}" if value.replace(".", "").isdigit() else "")
    assert {f"LABELFREE_{field.name.upper()}" for field in fields(Settings)} == set(module)
