"""Batches: everything that can be done is done, nothing is done twice, every failure has its sentence."""

import csv

import numpy as np
import pytest
import tifffile

from labelfree_core.batch import BatchOptions, run
from labelfree_core.errors import LabelFreeError, ModelError, PredictionCancelled
from labelfree_core.inference.options import PredictOptions
from labelfree_core.loading import Wanted


def rows_of(result) -> list[dict[str, str]]:
    with result.summary.open(newline="") as file:
        return list(csv.DictReader(file))


def test_one_bad_file_never_stops_the_rest(cells, model_id, tmp_path) -> None:
    bad = tmp_path / "bad.tif"
    bad.write_bytes(b"II*\x00rubbish")
    result = run([bad, cells.file, tmp_path / "missing.tif"], [model_id], tmp_path / "out")
    assert [row.status for row in result.rows] == ["failed", "done", "failed"]
    assert result.failed == 2
    assert [row["problem"] != "" for row in rows_of(result)] == [True, False, True]


def test_results_are_kept_only_while_image_and_options_are_the_same(
    cells, model_id, tmp_path, write_ome
) -> None:
    out = tmp_path / "out"
    assert run([cells.file], [model_id], out).rows[0].status == "done"
    assert run([cells.file], [model_id], out).rows[0].status == "kept"
    assert run([cells.file], [model_id], out, resume=False).rows[0].status == "done"
    other_channel = BatchOptions(wanted=Wanted(channel="H3342"))
    assert run([cells.file], [model_id], out, options=other_channel).rows[0].status == "done"
    on_model_grid = BatchOptions(wanted=Wanted(channel="H3342"), predict=PredictOptions(grid="model"))
    assert run([cells.file], [model_id], out, options=on_model_grid).rows[0].status == "done"
    write_ome(cells.file, {"Bright_100": cells.stain, "H3342": cells.light}, (0.29,) * 3)
    assert run([cells.file], [model_id], out).rows[0].status == "done"


def test_a_half_written_result_is_made_again(cells, model_id, tmp_path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / f"cells_{model_id}.ome.tif").write_bytes(b"II*\x00")
    assert run([cells.file], [model_id], out).rows[0].status == "done"
    assert tifffile.imread(out / f"cells_{model_id}.ome.tif").shape == cells.light.shape


def test_two_files_of_one_name_have_two_results(cells, model_id, tmp_path, write_ome) -> None:
    (tmp_path / "b").mkdir()
    twin = write_ome(tmp_path / "b" / "cells.ome.tif", {"BF": cells.light}, (0.29,) * 3)
    result = run([cells.file, twin], [model_id], tmp_path / "out")
    assert [row.output for row in result.rows] == [f"cells_{model_id}.ome.tif", f"cells-2_{model_id}.ome.tif"]


def test_scores_are_added_where_a_stain_is_named(cells, model_id, tmp_path) -> None:
    options = BatchOptions(observed_channel="H3342")
    made, kept = (run([cells.file], [model_id], tmp_path / "out", options=options).rows[0] for _ in range(2))
    assert made.pearson_r is not None
    assert made.pearson_r == pytest.approx(kept.pearson_r)
    assert made.n_voxels == np.prod(cells.light.shape)


def test_cancelling_keeps_what_is_done(cells, model_id, tmp_path, write_ome) -> None:
    second = write_ome(tmp_path / "second.ome.tif", {"BF": cells.light}, (0.29,) * 3)

    def stop(progress) -> None:
        if progress.finished == 1 and progress.inner is not None:
            raise PredictionCancelled("Stopped.")

    with pytest.raises(PredictionCancelled):
        run([cells.file, second], [model_id], tmp_path / "out", progress=stop)
    with (tmp_path / "out" / "summary.csv").open(newline="") as file:
        assert [row["status"] for row in csv.DictReader(file)] == ["done"]


def test_the_contact_sheet_has_every_image(cells, model_id, tmp_path) -> None:
    (sheet,) = run([cells.file], [model_id], tmp_path / "out").sheets
    assert sheet.name == f"contact_{model_id}.png"


def test_an_unknown_model_is_refused_before_anything_is_opened(cells, tmp_path, model_id) -> None:
    with pytest.raises(ModelError, match="no model 'nonsense'"):
        run([cells.file], [model_id, "nonsense"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_to_do_is_said(tmp_path, model_id) -> None:
    with pytest.raises(LabelFreeError, match="at least one image"):
        run([], [model_id], tmp_path)


def test_a_bug_in_one_prediction_is_named_and_the_rest_goes_on(
    cells, model_id, tmp_path, monkeypatch, caplog
):
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("labelfree_core.inference.predict.predict", broken)
    result = run([cells.file, cells.file], [model_id], tmp_path / "out")
    assert [row.problem for row in result.rows] == ["bug in labelfree: ZeroDivisionError: oops"] * 2
    assert "ZeroDivisionError" in caplog.text
