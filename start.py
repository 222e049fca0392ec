"""
Start the app, or run its tests, with nothing installed but Python.

    python start.py                 make .venv, install what requirements.txt pins, open the app
    python start.py --port 8600     ask for a port; a free one is taken if it is in use
    python start.py --no-browser    do not open the browser
    python start.py test [...]      run the tests; what follows goes to pytest
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import webbrowser
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
OLDEST, NEWEST = (3, 11), (3, 13)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
SECONDS_TO_WAIT_FOR_THE_APP = 120
# Its own list asks for a graphical interface, which simulating does not need; the extra "test" has the rest.
OPTICS = "waveorder==3.0.2"


def main(arguments: list[str]) -> int:
    """Do what the command line asks; return the exit status."""
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        say(
            f"This is Python {sys.version.split()[0]}; the app needs {_dots(OLDEST)} to {_dots(NEWEST)}. "
            f"Install one of them and run it with `python{_dots(NEWEST)} start.py`."
        )
        return 1
    try:
        if arguments[:1] == ["test"]:
            return test(arguments[1:])
        return start(_options(arguments))
    except subprocess.CalledProcessError as problem:
        say(
            f"`{' '.join(map(str, problem.cmd[:5]))} ...` failed with status {problem.returncode}; see above."
        )
        return 1
    except KeyboardInterrupt:
        return 0


def start(options: argparse.Namespace) -> int:
    """Install what is missing, then run the app until it is stopped."""
    prepare()
    port = free_port(options.port)
    if port != options.port:
        say(f"Port {options.port} is taken; using {port}.")
    address = f"http://127.0.0.1:{port}"
    say(f"Starting the app at {address} (stop it with Ctrl+C)")
    if not options.no_browser:
        threading.Thread(target=open_when_ready, args=(address,), daemon=True).start()
    command = [str(python()), "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    return run_until_stopped(command)


def run_until_stopped(command: list[str]) -> int:
    """Run the app; whoever asks this program to end asks the app, which then ends in order."""
    with subprocess.Popen(command, cwd=ROOT) as app:
        signal.signal(signal.SIGTERM, lambda *_: app.terminate())
        return app.wait()


def test(arguments: list[str]) -> int:
    """Install the test tools too, then run the tests."""
    prepare("test")
    find_browser()
    say("Running the tests")
    return subprocess.run([python(), "-m", "pytest", *arguments], cwd=ROOT, check=False).returncode


def prepare(extra: str = "") -> None:
    """Make the virtual environment and install into it, unless that was done for these requirements."""
    requirements = ROOT / "requirements.txt"
    project = ROOT / "pyproject.toml"
    wanted = fingerprint(requirements.read_bytes() + project.read_bytes(), extra)
    stamp = VENV / (f"installed-{extra}" if extra else "installed")
    if python().exists() and stamp.is_file() and stamp.read_text() == wanted:
        return
    if not python().exists():
        say(f"Making a virtual environment in {VENV.name}")
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    say("Installing (the first time this takes some minutes, and about 2 GB of disk)")
    pip = [str(python()), "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "-r", str(requirements)], cwd=ROOT, check=True)
    # Gives the command `labelfree`; what the package depends on is the pinned list from above.
    subprocess.run([*pip, "--editable", f".[{extra}]" if extra else "."], cwd=ROOT, check=True)
    if extra == "test":
        subprocess.run([*pip, "--no-deps", OPTICS], check=True)
    stamp.write_text(wanted)


def fingerprint(requirements: bytes, extra: str) -> str:
    """Name what would be installed, so that the second start can skip it."""
    return hashlib.sha256(requirements + repr((extra, OPTICS, sys.version_info[:2])).encode()).hexdigest()


def python() -> Path:
    """Say where the environment's own Python is."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def free_port(wanted: int) -> int:
    """Return the wanted port, or the next free one, or any."""
    for port in (*range(wanted, wanted + 20), 0):
        with socket.socket() as trial:
            if os.name != "nt":  # a port in TIME_WAIT is free; Windows gives this option another meaning
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(trial.getsockname()[1])
    raise OSError("no free port on this computer")


def open_when_ready(address: str) -> None:
    """Open the browser once the app answers."""
    give_up = time.monotonic() + SECONDS_TO_WAIT_FOR_THE_APP
    while time.monotonic() < give_up:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                webbrowser.open(address)
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)


def find_browser() -> None:
    """Say which browser the tests will drive; a bare Linux machine that runs as root gets one."""
    if any(shutil.which(name) for name in BROWSERS):
        return
    bare = sys.platform == "linux" and os.environ.get("CI") and os.geteuid() == 0 and shutil.which("apt-get")
    if bare:
        say("Installing Chromium for the browser tests")
        quiet = ["apt-get", "-qq", "-y", "--no-install-recommends"]
        subprocess.run([*quiet, "update"], check=False)
        subprocess.run([*quiet, "install", "chromium"], check=False)
        return
    say("No Chromium or Chrome was found: the browser tests will be skipped.")


def say(words: str) -> None:
    """Print one line at once."""
    print(words, flush=True)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="start.py", description="Start the app in your browser.")
    parser.add_argument("--port", type=int, default=8501, help="port to listen on (default 8501)")
    parser.add_argument("--no-browser", action="store_true", help="do not open the browser")
    return parser.parse_args(arguments)


def _dots(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
