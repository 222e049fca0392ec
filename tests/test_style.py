"""Format, lint and types are part of the specification; these are the commands a developer runs by hand."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COMMANDS = [["ruff", "format", "--check"], ["ruff", "check"], ["mypy"]]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_code_is_clean(command: list[str]) -> None:
    pytest.importorskip(command[0], reason=f"{command[0]} is missing; `python start.py test` installs it")
    run = [sys.executable, "-m", *command]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
