"""The page Trust, as a visitor meets it."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import press, words

Open = Callable[..., AppTest]


def test_it_opens_empty_and_says_what_to_do(open_app: Open) -> None:
    app = open_app("trust")
    assert not app.exception
    assert "Choose an image" in str(app.main) or "No image is open yet" in words(app)


def test_it_judges_an_image_before_anything_is_predicted(open_app: Open) -> None:
    app = open_app("trust", sample="cells")
    assert not app.exception
    text = words(app)
    assert "keeps no familiarity file" in text
    assert "Check before measuring" in text


def test_with_a_stain_it_shows_r_and_the_ceiling(predicted: Open) -> None:
    app = predicted("trust")
    assert not app.exception
    shown = {metric.label: metric.value for metric in app.metric}
    assert float(shown["Pearson r"]) > 0.5
    assert shown["Published r"] == "0.65"
    assert "paper reached" in words(app)


def test_one_press_shows_where_it_is_unsure(predicted: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    from labelfree_core.analysis import spread

    def leaning(stack: object, model: object, **_: object) -> SimpleNamespace:
        voxels = np.asarray(stack.voxels, np.float32)  # type: ignore[attr-defined]
        ramp = np.linspace(0, 1, voxels.shape[-1], dtype=np.float32) ** 8
        return SimpleNamespace(voxels=voxels / voxels.max() + ramp, voxel_size_um=stack.voxel_size_um)  # type: ignore[attr-defined]

    monkeypatch.setattr(spread, "predict", leaning)
    app = press(predicted("trust"), "Look at the middle (about one prediction)")
    assert not app.exception
    text = words(app)
    assert "not calibrated" in text
    assert "Mean of 4 views" in text
