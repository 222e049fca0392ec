"""Logs are lines of JSON and hold nothing that belongs to a person."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from labelfree_core import logs
from labelfree_core.errors import LabelFreeError

ROOT = Path(__file__).parents[2]


def line(*, problem: Exception | None = None, **extra: object) -> dict:
    record = logging.makeLogRecord({"msg": "job ended", "levelname": "INFO", **extra})
    if problem is not None:
        try:
            raise problem
        except type(problem):
            record.exc_info = sys.exc_info()
    return json.loads(logs.JsonLines().format(record))


def test_a_record_is_one_line_of_json_with_its_values() -> None:
    assert line(job="a", seconds=1.5).items() >= {"event": "job ended", "job": "a", "seconds": 1.5}.items()


def test_an_exception_is_named_by_type_and_place_and_never_by_its_words() -> None:
    found = line(problem=FileNotFoundError("patient-0815.tif"))
    assert found["error"] == "FileNotFoundError"
    assert "test_logs.py" in found["where"][0]
    assert "patient" not in json.dumps(found)


def test_values_that_json_can_not_hold_are_named_by_type_only() -> None:
    assert line(array=Path("patient-0815.tif"))["array"].endswith("Path")


def test_an_unknown_level_is_a_sentence() -> None:
    with pytest.raises(LabelFreeError, match="LABELFREE_LOG is 'LOUD'; it has to be one of"):
        logs.configure("loud")


def test_a_prediction_writes_no_name_of_a_file(tmp_path: Path) -> None:
    """Asked for every event, and for a model that isn't there."""
    code = """
        import sys, time
        import numpy as np
        from labelfree_core import logs
        from labelfree_core.images.stack import ImageStack, Origin
        from labelfree_core.inference.service import PredictionService
        logs.configure()
        service = PredictionService()
        stack = ImageStack(np.zeros((4, 16, 16), np.uint16), (0.3,) * 3, Origin(name="patient-0815.tif"))
        job = service.submit("ann", stack, "no-such-model")
        while service.job(job, "ann").state in ("queued", "running"):
            time.sleep(0.05)
        print(service.job(job, "ann").state)
        service.shutdown()
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LABELFREE_LOG": "DEBUG", "TMPDIR": str(tmp_path)}
    script = "\n".join(each[8:] for each in code.splitlines())
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "failed"
    events = [json.loads(each)["event"] for each in done.stderr.splitlines()]
    assert "job queued" in events
    assert "job ended" in events
    assert "patient" not in done.stderr
