"""
The process that predicts for the web pages: ``python -m labelfree_core.inference.worker``.

It reads one JSON message a line from its standard input and answers in the same way. A
process of its own can be stopped at any moment, gives all its memory back, and can die
without taking the pages along. It is started as a plain program, not forked: whatever the
pages run as their main module is never imported here. When its input closes it ends.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import TextIO

from labelfree_core import logs
from labelfree_core.errors import LabelFreeError, PredictionCancelled
from labelfree_core.inference import lost
from labelfree_core.inference.handover import Message, Wish, module
from labelfree_core.inference.options import Progress
from labelfree_core.settings import Settings

_LOG = logging.getLogger("labelfree.worker")
Say = Callable[[Message], None]


def main() -> int:
    """Serve predictions until the input closes."""
    say = _speaker(_own_output())
    settings = Settings.read()
    logs.configure()
    if hasattr(os, "nice"):
        os.nice(10)  # the pages answer first, on a machine without a core to spare too
    work: queue.Queue[Message] = queue.Queue()
    cancelled: set[str] = set()
    threading.Thread(target=_listen, args=(work, cancelled), daemon=True).start()
    import torch

    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    say({"kind": "ready"})
    while True:
        _serve(work.get(), cancelled, say)


def _listen(work: queue.Queue[Message], cancelled: set[str]) -> None:
    for line in sys.stdin:
        message = json.loads(line)
        if message["kind"] == "cancel":
            cancelled.add(message["job"])
        else:
            work.put(message)
    # The pages have closed the input or are gone: nobody waits for what is being computed.
    os._exit(0)


def _serve(message: Message, cancelled: set[str], say: Say) -> None:
    job = str(message["job"])

    def progress(now: Progress) -> None:
        if job in cancelled:
            raise PredictionCancelled("The prediction was stopped.")
        say({"kind": "progress", "job": job, **asdict(now)})

    try:
        wish = Wish.read(message["wish"])  # type: ignore[arg-type]
        about = module(wish.ask.kind).answer(wish, progress)
        # A process that lost its graphics processor gets it back only by starting anew.
        say({"kind": "done", "job": job, "about": about, "spent": lost.gone()})
    except PredictionCancelled:
        say({"kind": "cancelled", "job": job})
    except LabelFreeError as problem:
        say({"kind": "failed", "job": job, "problem": str(problem)})
    except OSError as problem:
        reason = problem.strerror or "the disk may be full"
        text = f"The computer could not keep the result ({reason}). Free some disk space and predict again."
        say({"kind": "failed", "job": job, "problem": text})
    except Exception:
        _LOG.exception("prediction failed")
        text = "The prediction failed because of an error in this software; the log of the server says more."
        say({"kind": "failed", "job": job, "problem": text})
    cancelled.discard(job)


def _own_output() -> TextIO:
    """Keep the standard output for messages; what a library prints goes to the error output."""
    ours = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return ours


def _speaker(output: TextIO) -> Say:
    def say(message: Message) -> None:
        try:
            output.write(json.dumps(message) + "\n")
            output.flush()
        except OSError:  # the pages are gone
            os._exit(0)

    return say


if __name__ == "__main__":
    sys.exit(main())
