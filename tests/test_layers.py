"""The house rules on who may import what, kept by reading the imports of every file."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = ROOT / "labelfree_core"

# Each room may import from itself and from the rooms before it.
ORDER = ["errors", "settings", "images", "models", "inference", "analysis", "reports"]
ALLOWED = {room: set(ORDER[: position + 1]) for position, room in enumerate(ORDER)}
ALLOWED["simulation"] = {"errors", "settings", "images", "simulation"}
ALLOWED["training"] = {*ORDER[:-1], "simulation", "training"}


def imported_modules(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def core_files() -> list[Path]:
    return sorted(CORE.rglob("*.py"))


@pytest.mark.parametrize("path", core_files(), ids=lambda path: path.relative_to(CORE).as_posix())
def test_imports_run_one_way(path: Path) -> None:
    room = path.relative_to(CORE).parts[0].removesuffix(".py")
    rooms = {name.split(".")[1] for name in imported_modules(path) if name.startswith("labelfree_core.")}
    rooms &= set(ORDER) | {"simulation", "training", "batch", "cli", "commands"}
    if room in ALLOWED:
        assert rooms <= ALLOWED[room], f"{room} may not import {sorted(rooms - ALLOWED[room])}"


@pytest.mark.parametrize("path", core_files(), ids=lambda path: path.relative_to(CORE).as_posix())
def test_the_core_never_imports_streamlit(path: Path) -> None:
    assert not {name for name in imported_modules(path) if name.split(".")[0] == "streamlit"}


@pytest.mark.parametrize(
    "path",
    [ROOT / "app.py", *sorted((ROOT / "pages").rglob("*.py"))],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_pages_leave_files_and_networks_to_the_core(path: Path) -> None:
    tops = {name.split(".")[0] for name in imported_modules(path)}
    assert not tops & {"torch", "tifffile", "scipy"}


@pytest.mark.parametrize("module", ["labelfree_core", "labelfree_core.cli", "labelfree_core.models.store"])
def test_nothing_waits_for_torch_before_a_prediction(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_pages_stay_short() -> None:
    def lines(path: Path) -> int:
        return len(path.read_text(encoding="utf-8").splitlines())

    assert {path.name for path in (ROOT / "pages").glob("*.py") if lines(path) > 80} == set()
    assert lines(ROOT / "app.py") <= 40
