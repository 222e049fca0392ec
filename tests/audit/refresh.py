"""
Rewrite the list of known holes from a copy of the Python Packaging Advisory Database.

    git clone https://github.com/pypa/advisory-database
    python tests/audit/refresh.py advisory-database

Run it where a network is; the tests read the list and need none. Entries from other sources are kept.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parent))
import holes

SOURCE = "pypa"


def main(clone: Path) -> int:
    """Replace the entries of the database, keep the others; return the exit status."""
    old = tomllib.loads(holes.LIST.read_text(encoding="utf-8"))
    names = sorted({*holes.pins(), *holes.needed(holes.pins())})
    found = [hole for name in names for hole in entries(clone, name)]
    kept = [hole for hole in old["holes"] if hole["source"] != SOURCE]
    log = ["git", "-C", str(clone), "log", "-1", "--format=%h of %cs"]
    commit = subprocess.run(log, capture_output=True, text=True, check=True).stdout.strip()
    old["sources"][SOURCE] = f"Python Packaging Advisory Database, commit {commit}, CC BY 4.0"
    write(sorted(found + kept, key=lambda hole: (hole["package"], hole["id"])), old["sources"], names)
    return 0


def entries(clone: Path, name: str) -> Iterator[dict[str, str]]:
    """Yield every affected range of one package."""
    for path in sorted((clone / "vulns" / name).glob("*.yaml")):
        advisory = yaml.safe_load(path.read_text(encoding="utf-8"))
        if "withdrawn" in advisory:
            continue
        for affected in advisory["affected"]:
            for versions in affected.get("ranges", []):
                if versions["type"] == "ECOSYSTEM":
                    yield from _ranges(name, advisory["id"], versions["events"])


def _ranges(name: str, number: str, events: list[dict[str, str]]) -> Iterator[dict[str, str]]:
    """Pair the versions where a hole began with those where it ended; one without an end goes on."""
    begun = ""
    for kind, version in ((kind, str(version)) for event in events for kind, version in event.items()):
        if kind == "introduced":
            if begun:
                yield {"package": name, "id": number, "introduced": begun, "source": SOURCE}
            begun = version
        elif begun:
            yield {"package": name, "id": number, "introduced": begun, kind: version, "source": SOURCE}
            begun = ""
    if begun:
        yield {"package": name, "id": number, "introduced": begun, "source": SOURCE}


def write(found: list[dict[str, str]], sources: dict[str, str], names: list[str]) -> None:
    """Write the list, one hole a line."""
    lines = ["# Known holes of what this app installs; tests/audit/refresh.py rewrites it.", ""]
    lines += ["checked = [", *(f'  "{name}",' for name in names), "]", "holes = ["]
    for hole in found:
        lines.append("  { " + ", ".join(f'{key} = "{value}"' for key, value in hole.items()) + " },")
    lines += ["]", "", "[sources]", *(f'{key} = "{text}"' for key, text in sources.items())]
    holes.LIST.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
