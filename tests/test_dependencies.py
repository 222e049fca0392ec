"""No pinned or installed package has a hole that is on the list of known ones."""

import sys
import tomllib
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "audit"))
import holes


def test_no_pinned_version_has_a_known_hole() -> None:
    assert holes.open_holes(holes.pins(), holes.known()) == []


def test_nothing_that_the_pins_bring_along_has_a_known_hole() -> None:
    installed = holes.needed(holes.pins())
    assert {"jinja2", "starlette", "protobuf"} <= installed.keys()  # it does look further than the pins
    assert holes.open_holes(installed, holes.known()) == []


def test_every_pinned_package_was_looked_up() -> None:
    looked_up = tomllib.loads(holes.LIST.read_text(encoding="utf-8"))["checked"]
    assert set(holes.pins()) <= set(looked_up)


@pytest.mark.parametrize(
    ("package", "version", "number"),
    [
        ("pillow", "12.3.0", "GHSA-8g5g-8vmr-9782"),
        ("torch", "2.9.1+cpu", "GHSA-63cw-57p8-fm3p"),
        ("torch", "2.10.0", "PYSEC-2026-139"),
        ("streamlit", "1.53.0", "PYSEC-2026-2285"),
    ],
)
def test_a_version_with_a_hole_is_named_with_its_mend(package: str, version: str, number: str) -> None:
    assert any(number in sentence for sentence in holes.open_holes({package: version}, holes.known()))


def test_a_version_before_and_after_a_hole_is_not() -> None:
    listed = [{"package": "a", "id": "X", "introduced": "2.0", "fixed": "3.0"}]
    assert holes.open_holes({"a": "1.9"}, listed) == []
    assert holes.open_holes({"a": "3.0"}, listed) == []
    assert holes.open_holes({"a": "2.9"}, listed) == ["a 2.9 has X: closed in 3.0"]


def test_a_hole_without_an_end_stays_open() -> None:
    listed = [{"package": "a", "id": "X", "introduced": "0"}]
    assert holes.open_holes({"a": "99"}, listed) == ["a 99 has X: no release closes it yet"]
