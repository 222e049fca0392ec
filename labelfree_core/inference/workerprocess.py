"""The pages' end of one worker process: start it, talk to it, notice that it died."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from labelfree_core.settings import Settings

Message = dict[str, object]
_ROOT = Path(__file__).resolve().parents[2]


class WorkerProcess:
    """
    One running ``labelfree_core.inference.worker``.

    Its messages wait in an inbox; the last one is ``{"kind": "ended"}``, whatever ended it.
    """

    def __init__(self, settings: Settings) -> None:
        folders = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, **settings.environment(), "PYTHONPATH": os.pathsep.join(folders)}
        if settings.threads is not None:
            environment["OMP_NUM_THREADS"] = str(settings.threads)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "labelfree_core.inference.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            encoding="utf-8",
            # Ctrl-C in the terminal is for the server, which then ends its worker in order.
            start_new_session=os.name == "posix",
        )
        self._inbox: queue.Queue[Message] = queue.Queue()
        threading.Thread(target=self._listen, name="labelfree-worker-inbox", daemon=True).start()

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def say(self, message: Message) -> None:
        """Send a message; to a dead process it is lost, and the inbox tells of the death."""
        assert self._process.stdin is not None  # it was opened as a pipe
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except OSError:
            return

    def hear(self, timeout_s: float) -> Message | None:
        """Return the next message, or None if there is none in time."""
        try:
            return self._inbox.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def end(self, patience_s: float = 0.0) -> None:
        """Ask the process to end, and kill it after *patience_s*; leaves no zombie."""
        assert self._process.stdin is not None  # it was opened as a pipe
        with suppress(OSError):  # a message to a dead process may be left in the buffer
            self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=patience_s)
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def _listen(self) -> None:
        assert self._process.stdout is not None  # it was opened as a pipe
        with self._process.stdout as lines:
            for line in lines:
                try:
                    self._inbox.put(json.loads(line))
                except ValueError:  # cut off in the middle by a kill
                    break
        self._inbox.put({"kind": "ended"})
