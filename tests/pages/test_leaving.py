"""What is left of a visitor whose session ends."""

from __future__ import annotations

import gc
from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from .conftest import Worker, press

Open = Callable[..., AppTest]


def test_a_session_that_ends_leaves_the_queue_and_no_file(open_app: Open, worker: Worker) -> None:
    worker.looks_needed = 1000
    app = press(open_app("predict", sample="cells"), "Predict")
    work = app.session_state["work"]
    owner, folder = work.owner, work.path
    assert work.jobs
    assert folder.is_dir()
    assert worker.left == []
    del app, work  # as the server does some time after the tab was closed
    gc.collect()
    assert worker.left == [owner]
    assert not folder.exists()


def test_the_queue_tells_when_it_is_ones_turn(open_app: Open, worker: Worker) -> None:
    worker.looks_needed = 1000
    worker.ahead = (2, 95.0)
    app = press(open_app("predict", sample="cells"), "Predict")
    shown = [element.proto.text for element in app.get("progress")]
    assert shown == ["dna-test-3d: 2 others come first, starts in about 2 min"]
