"""A quick preview is a choice of the person, and says on every page that it is one."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from labelfree_core.images.stack import ImageStack
from labelfree_core.inference.jobs import JobState
from labelfree_core.inference.options import PredictOptions
from labelfree_core.inference.prediction import PREVIEW
from pages.components import cached
from tests.pages.conftest import Worker, press, words


class Sketcher(Worker):
    """A worker that does in 8 bits what it is asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.engines: list[str] = []

    def submit(self, owner: str, stack: ImageStack, model: str, options: PredictOptions) -> str:
        self.engines.append(options.engine)
        return super().submit(owner, stack, model, options)

    def job(self, job: str, owner: str) -> JobState:
        state = super().job(job, owner)
        if state.prediction is None or self.engines[-1] == "torch":
            return state
        made = replace(state.prediction, units=state.prediction.units + PREVIEW)
        return replace(state, prediction=made)


@pytest.fixture
def sketcher(monkeypatch: pytest.MonkeyPatch, worker: Worker) -> Sketcher:
    standing_in = Sketcher()
    monkeypatch.setattr(cached, "service", lambda: standing_in)
    return standing_in


def test_a_preview_is_asked_for_and_marked(sketcher: Sketcher, open_app: Callable[..., AppTest]) -> None:
    app = open_app("predict", sample="cells")
    next(toggle for toggle in app.toggle if toggle.label == "Quick preview").set_value(True).run()
    press(app, "Predict")
    assert sketcher.engines == ["preview"]
    assert "Preview: not for measuring" in words(app)
    assert "8-bit preview" in words(app)
    for page in ("compare", "masks", "trust"):
        assert "Preview: not for measuring" in words(app.switch_page(f"pages/{page}.py").run()), page


def test_without_asking_there_is_no_preview(sketcher: Sketcher, open_app: Callable[..., AppTest]) -> None:
    app = press(open_app("predict", sample="cells"), "Predict")
    assert sketcher.engines == ["torch"]
    assert "Preview: not for measuring" not in words(app)
