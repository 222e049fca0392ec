"""From disagreement to expected error: a monotone table measured on fields that a model never saw."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labelfree_core.errors import ModelError
from labelfree_core.images.writing import write_bytes
from labelfree_core.models.card import ModelCard

FILE_NAME = "calibration.json"
BINS = 20

Values = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Calibration:
    """
    What error a disagreement has meant on held-out fields.

    Parameters
    ----------
    spread : tuple of float
        Knots, rising: standard deviation over the views, in units of the prediction.
    error : tuple of float
        Root mean square error at each knot, never falling, in the same units.
    weights_sha256 : str
        Of the weights it was measured with; it says nothing about others.
    fields : int
        Held-out fields behind it.
    calibration_error : float
        Expected calibration error: mean over voxels, binned by expected error, of the distance between
        expected and real error, each field judged by a table made from the others. NaN for one field.
    reliability : tuple of (float, float, float)
        The bins behind that figure: expected error, real error, share of the voxels.
    note : str
        What to know about the fields.
    """

    spread: tuple[float, ...]
    error: tuple[float, ...]
    weights_sha256: str
    fields: int
    calibration_error: float
    reliability: tuple[tuple[float, float, float], ...] = ()
    note: str = ""

    def expected_error(self, spread: Values) -> npt.NDArray[np.float32]:
        """Look up the expected error of each voxel; constant beyond the ends of the table."""
        return np.interp(spread, self.spread, self.error).astype(np.float32)


def fit(spread: Values, error: Values, *, bins: int = BINS) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """
    Make the monotone table.

    Parameters
    ----------
    spread, error : arrays, one shape
        Disagreement and (signed or absolute) error of the same voxels.
    bins : int
        Of equal numbers of voxels.

    Returns
    -------
    knots, errors : tuples of float
        Mean spread and root mean square error of each bin; pooled where the error would fall.

    Examples
    --------
    >>> fit(np.array([0.0, 0.0, 1.0, 1.0]), np.array([1.0, -1.0, 3.0, 3.0]), bins=2)
    ((0.0, 1.0), (1.0, 3.0))
    """
    order = np.argsort(spread.ravel(), kind="stable")
    parts = [part for part in np.array_split(order, bins) if part.size]
    levels = np.array([spread.ravel()[part].mean() for part in parts], dtype=np.float64)
    squares = np.array([np.square(error.ravel()[part], dtype=np.float64).mean() for part in parts])
    weights = np.array([part.size for part in parts], dtype=np.float64)
    rising = np.sqrt(_rising(squares, weights))
    return tuple(levels.tolist()), tuple(rising.tolist())


def calibrate(fields: Sequence[tuple[Values, Values]], *, weights_sha256: str, note: str = "") -> Calibration:
    """
    Make a calibration from held-out fields, and measure it with each field left out in turn.

    Parameters
    ----------
    fields : sequence of (spread, error)
        Arrays of the known voxels of each field.
    weights_sha256, note : str
        As in :class:`Calibration`.
    """
    spread, error = (np.concatenate([field[i].ravel() for field in fields]) for i in (0, 1))
    knots, errors = fit(spread, error)
    expected = [np.zeros(0)]
    for at, (left_out, _) in enumerate(fields):
        rest = [field for other, field in enumerate(fields) if other != at]
        if not rest:
            break
        table = fit(*(np.concatenate([field[i].ravel() for field in rest]) for i in (0, 1)))
        expected.append(np.interp(left_out.ravel(), *table))
    judged = np.concatenate(expected)
    reliability = reliability_of(judged, error) if judged.size else ()
    ece = float(sum(share * abs(a - b) for a, b, share in reliability)) if reliability else float("nan")
    return Calibration(knots, errors, weights_sha256, len(fields), ece, reliability, note)


def reliability_of(
    expected: Values, error: Values, *, bins: int = 10
) -> tuple[tuple[float, float, float], ...]:
    """Return expected error, real root mean square error and share of voxels, by expected error."""
    order = np.argsort(expected.ravel(), kind="stable")
    found = []
    for part in np.array_split(order, bins):
        if part.size:
            hoped = float(np.sqrt(np.square(expected.ravel()[part], dtype=np.float64).mean()))
            real = float(np.sqrt(np.square(error.ravel()[part], dtype=np.float64).mean()))
            found.append((hoped, real, part.size / order.size))
    return tuple(found)


def save(calibration: Calibration, folder: Path) -> Path:
    """
    Write the calibration into a model's folder, whole or not at all.

    Raises
    ------
    ImageError
        If the folder can't be written to.
    """
    path = Path(folder) / FILE_NAME
    values = {name: getattr(calibration, name) for name in Calibration.__slots__}
    ece = values["calibration_error"]
    values["calibration_error"] = ece if np.isfinite(ece) else None
    write_bytes(path, (json.dumps(values, indent=1) + "\n").encode())
    return path


def load_calibration(folder: Path, card: ModelCard) -> Calibration | None:
    """
    Return a model's calibration; None where it has none, or one of other weights.

    Raises
    ------
    ModelError
        If the file is there and can't be read.
    """
    path = Path(folder) / FILE_NAME
    if not path.is_file():
        return None
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        held["reliability"] = tuple((float(a), float(b), float(c)) for a, b, c in held["reliability"])
        held |= {name: tuple(float(value) for value in held[name]) for name in ("spread", "error")}
        ece = held["calibration_error"]
        found = Calibration(**{**held, "calibration_error": float("nan") if ece is None else float(ece)})
        valid = len(found.spread) == len(found.error) > 0
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise ModelError(_broken(path, card)) from problem
    if not valid:
        raise ModelError(_broken(path, card))
    return found if found.weights_sha256 == card.sha256 else None


def _broken(path: Path, card: ModelCard) -> str:
    return (
        f"{path.name} of the model '{card.id}' can't be read; its expected errors come from there. Install "
        "the model again, or run `labelfree calibrate`."
    )


def _rising(values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Pool neighbours that fall (isotonic regression)."""
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        blocks.append((value, weight, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, wa, na), (b, wb, nb) = blocks[-2], blocks[-1]
            blocks[-2:] = [((a * wa + b * wb) / (wa + wb), wa + wb, na + nb)]
    return np.concatenate([np.full(count, value) for value, _, count in blocks])
