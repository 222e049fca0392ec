"""The objects on the page Masks: counted, drawn over the image, and one click from being seen."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
from streamlit.testing.v1 import AppTest

from labelfree_core.analysis.matching import paired_table
from labelfree_core.analysis.outlines import outline, outlines
from pages.components import counting
from tests.pages.conftest import words

Open = Callable[..., AppTest]


def test_objects_of_stain_and_prediction_are_counted(predicted: Open) -> None:
    app = predicted("masks")
    assert not app.exception
    assert "2 matched" in words(app)
    shown = app.dataframe[-1].value
    assert list(shown["status"]) == ["matched", "matched"]
    assert {"volume (µm³)", "z (µm)", "y (µm)", "x (µm)", "IoU", "mean observed (z-score)"} <= set(
        shown.columns
    )


def test_numbers_of_the_table_have_a_true_minus_and_the_same_decimals() -> None:
    lines: list[dict[str, object]] = [
        {"object": 1, "IoU": 0.5, "x (µm)": 3.0, "mean observed": -0.5},
        {"object": 2, "IoU": None, "x (µm)": 12.25, "mean observed": 1.25},
    ]
    styled = counting._styled(lines)
    written = styled.to_html()
    for number in ("−0.50", "1.25", "3.0", "12.2", "0.50", "–"):
        assert f">{number}</td>" in written
    assert list(styled.data["mean observed"]) == [-0.5, 1.25]


def test_a_chosen_row_moves_the_viewer_to_its_object(predicted: Open) -> None:
    app = predicted("masks")
    app.session_state["objects-table"] = {"selection": {"rows": [1], "columns": [], "cells": []}}
    app.run()
    assert not app.exception
    view = app.session_state["objects-view-state"]
    row = app.dataframe[-1].value.iloc[1]
    assert view.cursor is not None
    assert abs(view.cursor[0] * 0.29 - row["y (µm)"]) < 0.3
    assert abs(view.cursor[1] * 0.29 - row["x (µm)"]) < 0.3
    assert view.z == int(row["z (µm)"] / 0.29 + 0.2)


def test_without_a_stain_the_predicted_objects_are_counted(predicted: Open) -> None:
    app = predicted("masks", sample="unstained")
    assert not app.exception
    assert "objects** in the prediction" in words(app)


def test_outlines_tell_matched_missed_and_extra_apart() -> None:
    truth, guess = np.zeros((2, 30, 60), np.int32), np.zeros((2, 30, 60), np.int32)
    truth[:, 5:15, 5:15], guess[:, 5:15, 6:16] = 1, 1
    truth[:, 5:15, 25:35], guess[:, 15:25, 45:55] = 2, 2
    rows, _ = paired_table(truth, guess)
    drawn = outlines(guess, rows, truth)
    assert set(drawn) == {"matched", "missed", "extra"}
    assert np.array_equal(drawn["matched"], outline(np.where(guess == 1, 1, 0)))
    assert np.array_equal(drawn["missed"], outline(np.where(truth == 2, 1, 0)))
    assert np.array_equal(drawn["extra"], outline(np.where(guess == 2, 1, 0)))
    assert drawn["matched"].sum() == 2 * 36


def test_touching_objects_get_a_line_each() -> None:
    labels = np.ones((4, 6), np.int32)
    labels[:, 3:] = 2
    assert outline(labels)[:, 2:4].all()
    assert not outline(labels)[:, :2].any()


def test_camera_counts_are_shown_as_a_fit_and_for_looking_only(predicted: Open) -> None:
    app = predicted("compare")
    assert "display only" not in words(app)
    toggle = next(box for box in app.toggle if box.label == "Also show both in camera counts")
    app = toggle.set_value(True).run()
    assert not app.exception
    gain = re.search(r"Shown is ([0-9.,]+) × prediction", words(app))
    assert gain is not None
    assert float(gain[1].replace(",", "")) > 100
    assert "display only, no measurement" in words(app)
