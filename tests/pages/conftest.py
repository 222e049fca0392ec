"""A small world for the pages: two samples, two models, and a worker that answers at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from labelfree_core.analysis.spread import Spread
from labelfree_core.images import samples
from labelfree_core.images.stack import ImageStack
from labelfree_core.images.writing import write_channels
from labelfree_core.inference.handover import Ask
from labelfree_core.inference.jobs import JobState
from labelfree_core.inference.options import Estimate
from labelfree_core.inference.prediction import Prediction
from labelfree_core.models.card import ModelCard, Score
from labelfree_core.models.entries import ModelEntry

ROOT = Path(__file__).parents[2]
SIZE_UM = (0.29, 0.29, 0.29)
SHAPE = (8, 48, 64)


def channels(seed: int = 0) -> dict[str, np.ndarray]:
    """Two cells: bright-field with rims, and nuclei."""
    random = np.random.default_rng(seed)
    z, y, x = np.indices(SHAPE)
    nuclei = np.zeros(SHAPE)
    for centre in ((4, 16, 18), (4, 32, 44)):
        distance = sum(
            ((grid - at) / size) ** 2 for grid, at, size in zip((z, y, x), centre, (4, 9, 9), strict=True)
        )
        nuclei += np.exp(-(distance**3))
    light = 9000 - 1500 * nuclei + 900 * np.roll(nuclei, 5, 2) + random.normal(0, 60, SHAPE)
    stain = 400 + 3000 * nuclei + random.normal(0, 40, SHAPE)
    return {"Bright_100": light.clip(0).astype(np.uint16), "H3342": stain.clip(0).astype(np.uint16)}


def prediction_for(stack: ImageStack, model: str, structure: str) -> Prediction:
    """Predict that dark places are nuclei, which is true in this small world."""
    voxels = -(stack.voxels.astype(np.float32) - stack.voxels.mean()) / stack.voxels.std()
    recipe = {"format": 1, "model": {"id": model}, "input": {"name": stack.origin.name}, "options": {}}
    return Prediction(
        voxels,
        stack.voxel_size_um or SIZE_UM,
        "input",
        structure,
        model,
        "0" * 64,
        stack.origin,
        recipe=recipe,
    )


def views_of(stack: ImageStack) -> Spread:
    """Views that disagree on the right, in the right unit, as four of them would."""
    mean = prediction_for(stack, "", "").voxels
    unsure = np.broadcast_to(np.linspace(0, 1, mean.shape[-1], dtype=np.float32) ** 8, mean.shape)
    return Spread(unsure, mean, stack.voxel_size_um or SIZE_UM, (0.0,) * mean.ndim, 4, 1.0, 2.0)


class Worker:
    """Stands for the prediction service: one look at "running", then done or failed."""

    def __init__(self) -> None:
        self.jobs: dict[str, tuple[str, ImageStack, str]] = {}
        self.asked: dict[str, Ask] = {}
        self.looks: dict[str, int] = {}
        self.failing: dict[str, str] = {}
        self.cancelled: set[str] = set()
        self.left: list[str] = []
        self.released: list[str] = []
        self.looks_needed = 0
        self.ahead: tuple[int, float] | None = None

    def submit(self, owner: str, stack: ImageStack, model: str, options: object) -> str:
        job = f"job-{len(self.jobs)}"
        self.jobs[job] = (owner, stack, Path(model).name)
        self.looks[job] = 0
        return job

    def ask(self, owner: str, stack: ImageStack, ask: Ask) -> str:
        job = self.submit(owner, stack, ask.model, ask.options)
        self.asked[job] = ask
        return job

    def job(self, job: str, owner: str) -> JobState:
        whose, stack, model = self.jobs[job]
        assert whose == owner
        assert job not in self.released
        if job in self.cancelled:
            return JobState("cancelled")
        self.looks[job] += 1
        if self.looks[job] <= self.looks_needed:
            if self.ahead is not None:
                return JobState("queued", self.ahead[0], seconds_left=self.ahead[1])
            return JobState("running", fraction=0.4, seconds_left=12.0)
        problem = next((text for name, text in self.failing.items() if name in stack.origin.name), "")
        if problem:
            return JobState("failed", problem=problem)
        if job in self.asked:
            return JobState("done", fraction=1.0, result=views_of(stack))
        return JobState("done", fraction=1.0, prediction=prediction_for(stack, model, "DNA"))

    def cancel(self, job: str, owner: str) -> None:
        self.cancelled.add(job)

    def release(self, job: str, owner: str) -> None:
        assert self.jobs[job][0] == owner
        self.released.append(job)

    def leave(self, owner: str) -> None:
        self.left.append(owner)


@pytest.fixture(scope="session")
def sample_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    with_stain = channels()
    write_channels(folder / "cells.ome.tif", with_stain, SIZE_UM, provenance={"simulated": True})
    write_channels(
        folder / "unstained.ome.tif",
        {"Bright_100": with_stain["Bright_100"]},
        SIZE_UM,
        provenance={"simulated": True},
    )
    write_channels(folder / "real.ome.tif", channels(1), SIZE_UM)
    (folder / "samples.toml").write_text(
        "\n".join(
            f'[[sample]]\nfile = "{name}.ome.tif"\ntitle = "{title}"\nsentence = "Two cells."'
            for name, title in (("cells", "Two cells"), ("unstained", "Never stained"), ("real", "Found"))
        )
    )
    return folder


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch, sample_folder: Path, tmp_path: Path) -> Worker:
    """Put the small world in place of the installed one."""
    from pages.components import cached

    standing_in = Worker()
    card = ModelCard(
        id="dna-test-3d",
        title="DNA in bright-field z-stacks",
        structure="DNA",
        modality="bright-field",
        ndim=3,
        architecture="fnet",
        voxel_size_um=SIZE_UM,
        sha256="0" * 64,
        scores=(Score("two fields", "pearson_r", 2, 0.61, 0.5, 0.7),),
        limits=("Made for a test.",),
    )
    entry = ModelEntry(card, tmp_path / "dna-test-3d")
    monkeypatch.setattr(samples, "_FOLDER", sample_folder)
    monkeypatch.setattr(cached, "service", lambda: standing_in)
    monkeypatch.setattr(cached, "_installed_models", SimpleNamespace(clear=lambda: None, __call__=None))
    monkeypatch.setattr(cached, "models", lambda work: (entry,))
    monkeypatch.setattr(cached, "estimate", lambda *_: Estimate(3.0, 2 * 10**8, 1, "cpu"))
    return standing_in


@pytest.fixture
def open_app(worker: Worker) -> Callable[..., AppTest]:
    """Open the app as a visitor: ``open_app("masks", sample="cells")``."""

    def build(page: str = "", **query: str) -> AppTest:
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        for name, value in query.items():
            app.query_params[name] = value
        app.run()
        return app.switch_page(f"pages/{page}.py").run() if page else app

    return build


@pytest.fixture
def predicted(open_app: Callable[..., AppTest]) -> Callable[..., AppTest]:
    """Open a page with one prediction made from a sample."""

    def build(page: str, sample: str = "cells") -> AppTest:
        app = press(open_app("predict", sample=sample), "Predict")
        return app if page == "predict" else app.switch_page(f"pages/{page}.py").run()

    return build


def press(app: AppTest, label: str) -> AppTest:
    """Press the button with this label."""
    button = next(button for button in app.button if button.label == label)
    return button.click().run()


def words(app: AppTest) -> str:
    """All text on the page."""
    parts = [*app.title, *app.subheader, *app.markdown, *app.caption, *app.info, *app.error, *app.warning]
    return "\n".join(str(part.value) for part in parts)
