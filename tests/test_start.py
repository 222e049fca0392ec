"""start.py: what can be checked without installing anything."""

import ast
import signal
import socket
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = spec_from_file_location("start", ROOT / "start.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "requirements.txt").write_text("one==1\n")
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    return module


@pytest.fixture
def commands(start: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Record the commands instead of running them; making the environment makes its Python."""
    seen: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess:
        seen.append([str(part) for part in command])
        if "venv" in seen[-1]:
            start.python().parent.mkdir(parents=True)
            start.python().touch()
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(start.subprocess, "run", run)
    return seen


def test_it_needs_the_standard_library_only() -> None:
    tree = ast.parse((ROOT / "start.py").read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= set(sys.stdlib_module_names)


def test_the_second_start_installs_nothing(start: ModuleType, commands: list[list[str]]) -> None:
    start.prepare()
    assert [command[1:3] for command in commands] == [["-m", "venv"], ["-m", "pip"], ["-m", "pip"]]
    commands.clear()
    start.prepare()
    assert commands == []


def test_the_tests_bring_the_optics_without_its_graphical_parts(
    start: ModuleType, commands: list[list[str]]
) -> None:
    start.prepare("test")
    assert commands[-1][-2:] == ["--no-deps", start.OPTICS]


def test_changed_requirements_are_installed_again(start: ModuleType, commands: list[list[str]]) -> None:
    start.prepare()
    commands.clear()
    (start.ROOT / "requirements.txt").write_text("one==2\n")
    start.prepare()
    assert [command[1:3] for command in commands] == [["-m", "pip"], ["-m", "pip"]]


def test_a_failed_install_is_tried_again(start: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(command: list[str], **_: object) -> None:
        raise subprocess.CalledProcessError(3, command)

    monkeypatch.setattr(start.subprocess, "run", fail)
    assert start.main(["--no-browser"]) == 1
    assert not (start.VENV / "installed").exists()


def test_a_taken_port_is_replaced_by_a_free_one(start: ModuleType) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert start.free_port(port) != port


def test_a_free_port_is_used_as_asked(start: ModuleType) -> None:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port = trial.getsockname()[1]
    assert start.free_port(port) == port


@pytest.mark.parametrize("version", [(3, 10, 4), (3, 14, 0)])
def test_another_python_is_refused_in_a_sentence(
    start: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    version: tuple[int, int, int],
) -> None:
    monkeypatch.setattr(start.sys, "version_info", version)
    assert start.main([]) == 1
    assert "needs 3.11 to 3.13" in capsys.readouterr().out


def test_what_follows_test_goes_to_pytest(start: ModuleType, commands: list[list[str]]) -> None:
    assert start.main(["test", "-k", "masks"]) == 0
    assert commands[-1][1:] == ["-m", "pytest", "-k", "masks"]


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_asked_to_end_it_ends_the_app_too() -> None:
    app = "import time; print('there', flush=True); time.sleep(60)"
    code = f"import sys, start; sys.exit(start.run_until_stopped([sys.executable, '-c', {app!r}]))"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "there\n"
        running.terminate()
        assert running.stdout.read() == ""  # it closes when the last of both has ended
        assert running.wait(20) == -signal.SIGTERM % 256
