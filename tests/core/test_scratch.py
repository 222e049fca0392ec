"""Temporary folders: private, and gone with their program even where that was killed."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from labelfree_core import scratch
from labelfree_core.errors import LabelFreeError

ROOT = Path(__file__).parents[2]
MAKE = "from labelfree_core.scratch import own_folder; print(own_folder('visit'))"


def make(tmp_path: Path, code: str = MAKE) -> Path:
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, env=environment, capture_output=True, text=True, check=True, cwd=tmp_path)
    return Path(done.stdout.strip())


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_a_folder_is_readable_by_its_user_only() -> None:
    folder = scratch.own_folder("visit")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.rmdir()


def test_what_an_ended_program_left_goes_and_all_else_stays(tmp_path: Path) -> None:
    left = make(tmp_path)
    assert left.is_dir()
    (left / "upload.tif").write_bytes(b"x")
    others = [f"labelfree-visit-{os.getpid()}-alive", "labelfree-visit-notes", "labelfree-data", "tmpabc"]
    for name in others:
        (tmp_path / name).mkdir()
    assert make(tmp_path).is_dir()
    assert not left.exists()
    assert all((tmp_path / name).is_dir() for name in others)


def test_a_program_with_the_same_number_as_the_one_before_deletes_its_folders(tmp_path: Path) -> None:
    """As the server in a container, which has the same number at each start."""
    before = "import os; os.mkdir(f'labelfree-visit-{os.getpid()}-before');"
    again = make(tmp_path, f"{before} {MAKE}")
    assert [path.name for path in tmp_path.iterdir()] == [again.name]


def test_no_room_for_a_folder_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with pytest.raises(LabelFreeError, match=r"No temporary folder can be written .*TMPDIR"):
        scratch.own_folder("visit")
