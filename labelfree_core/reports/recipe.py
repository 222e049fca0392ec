"""The recipe of a prediction: a JSON document that says how it was made, and makes it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, cast

from labelfree_core.errors import ImageError, LabelFreeError, ModelError
from labelfree_core.images.reading import ImageFile, open_image
from labelfree_core.images.writing import read_provenance
from labelfree_core.inference.options import PredictOptions, ProgressCallback
from labelfree_core.inference.prediction import Prediction
from labelfree_core.models.store import ModelEntry, find_model

if TYPE_CHECKING:
    from labelfree_core.images.stack import ImageStack

Recipe = dict[str, object]
FORMAT = 1
MAX_RECIPE_BYTES = 1_000_000


def recipe(prediction: Prediction, *, reading: Mapping[str, object] | None = None) -> Recipe:
    """
    Say how a prediction was made.

    Parameters
    ----------
    prediction : Prediction
    reading : mapping, optional
        What was asked of the file where its own word was not taken: ``axes``, ``time``.

    Returns
    -------
    recipe : dict
        JSON-ready: software, model and image with their hashes, every choice, units and notes.
    """
    return {
        **prediction.recipe,
        "structure": prediction.structure,
        "units": prediction.units,
        "grid": prediction.grid,
        "notes": list(prediction.notes),
        "seconds": dict(prediction.seconds),
        "reading": dict(reading or {}),
    }


def to_json(document: Recipe) -> str:
    """
    Write a recipe as text.

    >>> to_json({"format": 1}).split()
    ['{', '"format":', '1', '}']
    """
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def read_recipe(path: str | Path) -> Recipe:
    """
    Read a recipe from its JSON file, or out of a predicted OME-TIFF.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    recipe : dict

    Raises
    ------
    LabelFreeError
        If the file holds no recipe.
    """
    file = Path(path)
    refused = LabelFreeError(
        f"{file.name} holds no recipe; a recipe is the JSON file of a prediction, or the predicted OME-TIFF "
        "itself. Give one of these."
    )
    if file.name.lower().endswith((".tif", ".tiff")):
        document: object = read_provenance(file)
    elif file.stat().st_size > MAX_RECIPE_BYTES:
        raise refused
    else:
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
        except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as problem:
            raise refused from problem
    if not isinstance(document, dict) or not {"model", "input", "options"} <= set(document):
        raise refused
    return document


def rerun(
    document: Recipe,
    path: str | Path,
    *,
    same_image: bool = True,
    model: str | Path | None = None,
    progress: ProgressCallback | None = None,
) -> Prediction:
    """
    Make a prediction again.

    Parameters
    ----------
    document : dict
        A recipe.
    path : str or path
        The image.
    same_image : bool
        Refuse any other image than the one of the recipe; False applies the recipe to this one.
    model : str or path, optional
        Where the model is, if not among the listed ones; its hash has to be the recipe's.
    progress : callable, optional
        As in :func:`labelfree_core.inference.predict.predict`.

    Returns
    -------
    prediction : Prediction

    Raises
    ------
    LabelFreeError
        If the recipe is of another format, or the model or the image is not the one it names.
    """
    from labelfree_core.inference.predict import predict

    if document.get("format") != FORMAT:
        raise LabelFreeError(
            f"This recipe has the format {document.get('format')!r} and this version reads format {FORMAT}. "
            "Use the version of labelfree that the recipe names."
        )
    try:
        entry, options = _model(document, model), _options(document)
        stack = _image(document, open_image(path), same_image=same_image)
    except (KeyError, TypeError, AttributeError) as problem:
        raise LabelFreeError(
            f"The recipe is damaged near {problem}; take the file that the prediction came with."
        ) from problem
    return predict(stack, entry, options=options, progress=progress)


def _model(document: Recipe, place: str | Path | None) -> ModelEntry:
    wanted = _part(document, "model")
    entry = find_model(place or str(wanted["id"]))
    if entry.card.sha256 != wanted["sha256"]:
        raise ModelError(
            f"The recipe was made with weights {str(wanted['sha256'])[:12]}... of '{entry.card.id}', and "
            f"here are {entry.card.sha256[:12]}...: another version of that model. Install the recipe's one."
        )
    return entry


def _options(document: Recipe) -> PredictOptions:
    given = _part(document, "options")
    known = {field.name for field in fields(PredictOptions)}
    values = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items() if name in known}
    return PredictOptions(**values)  # type: ignore[arg-type]


def _image(document: Recipe, file: ImageFile, *, same_image: bool) -> ImageStack:
    wanted, reading = _part(document, "input"), _part(document, "reading")
    if same_image and file.sha256 != wanted["sha256"]:
        raise ImageError(
            f"The recipe is of {wanted['name']} (sha256 {str(wanted['sha256'])[:12]}...), and {file.name} "
            f"has {file.sha256[:12]}.... Give that file, or say that the recipe is for another image."
        )
    index = wanted["channel_index"] if len(file.channels) > 1 else None
    if index is None and wanted["channel_name"] == "luminance":
        index = file.channel_index("luminance")
    size = cast("list[float]", _part(document, "voxel_size_um")["input"])
    return file.read(
        channel=cast("int | None", index),
        time=int(cast("int", reading.get("time", 0))),
        axes=cast("str | None", reading.get("axes")),
        voxel_size_um=tuple(size) or None,
    )


def _part(document: Recipe, name: str) -> Recipe:
    return cast("Recipe", document.get(name, {}) if name == "reading" else document[name])
