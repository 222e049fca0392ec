"""Which of the packages that this app installs have a hole that is on the list."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("known_holes.toml")


def pins() -> dict[str, str]:
    """Return the pinned version of every package that requirements.txt and the test extra name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    lines += project["optional-dependencies"]["test"]
    wanted = [Requirement(line) for line in lines if line.strip() and not line.startswith(("#", "-"))]
    return {_plain(one.name): str(one.specifier).removeprefix("==") for one in wanted}


def needed(names: Iterable[str]) -> dict[str, str]:
    """Return the installed version of these packages and of all they need in turn."""
    found: dict[str, str] = {}
    ahead = [_plain(name) for name in names]
    while ahead:
        name = ahead.pop()
        try:
            one = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # of another platform
            continue
        if name not in found:
            found[name] = one.version
            ahead += _requirements(one)
    return found


def known() -> list[Mapping[str, str]]:
    """Return the list of holes."""
    return tomllib.loads(LIST.read_text(encoding="utf-8"))["holes"]


def open_holes(versions: Mapping[str, str], listed: Iterable[Mapping[str, str]]) -> list[str]:
    """Name each hole that is open in these versions, with what closes it."""
    found = []
    for hole in listed:
        version = versions.get(hole["package"])
        if version is not None and _affected(_version(version), hole):
            end = hole.get("fixed")
            mend = f"closed in {end}" if end else "no release closes it yet"
            found.append(f"{hole['package']} {version} has {hole['id']}: {mend}")
    return found


def _affected(version: Version, hole: Mapping[str, str]) -> bool:
    if version < _version(hole["introduced"]):
        return False
    if "fixed" in hole:
        return version < _version(hole["fixed"])
    return "last_affected" not in hole or version <= _version(hole["last_affected"])


def _version(text: str) -> Version:
    """Read a version without the build it was made for, as in 2.13.0+cpu and 2.6.0-NA."""
    return Version(re.split(r"\+|-[A-Za-z]", text)[0])


def _requirements(one: metadata.Distribution) -> Iterator[str]:
    for line in one.requires or []:
        wanted = Requirement(line)
        if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
            yield _plain(wanted.name)


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
