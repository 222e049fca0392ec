"""Files to take away, offered where the thing is seen and built when the button is pressed."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable

import numpy as np
import streamlit as st

from labelfree_core.analysis.scores import Scores
from labelfree_core.images.stack import ImageStack
from labelfree_core.images.writing import encode_mask, encode_stack
from labelfree_core.inference.prediction import Prediction
from labelfree_core.reports.recipe import recipe, to_json
from labelfree_core.reports.sheet import result_sheet
from pages.components import cached
from pages.components.session import Opened, Session


def button(label: str, data: Callable[[], bytes | str], file_name: str, mime: str) -> None:
    """Offer a file that is made when it is asked for; nothing on the page moves."""
    st.download_button(
        label, data, file_name, mime, key=f"save-{file_name}", on_click="ignore", icon=":material/download:"
    )


def stem(prediction: Prediction) -> str:
    """Begin a file name: image and model, without what a file system may refuse."""
    name = re.sub(r"(\.ome)?\.[A-Za-z0-9]{2,5}$", "", prediction.origin.name)
    return re.sub(r"[^A-Za-z0-9._-]+", "-", f"{name}_{prediction.model_id}")[:120].strip("-.")


def reading(opened: Opened) -> dict[str, object]:
    """Say what was read otherwise than the file has it, for the recipe."""
    changed: dict[str, object] = {} if opened.axes == opened.file.axes else {"axes": opened.axes}
    return changed | ({"time": opened.time} if opened.time else {})


def prediction_row(work: Session, prediction: Prediction, observed: ImageStack | None) -> None:
    """Offer the prediction as an image, as a page and as a recipe."""
    image = work.image
    assert image is not None
    assert image.transmitted is not None
    signal, name = cached.stack(image, image.transmitted), stem(prediction)
    document = recipe(prediction, reading=reading(image))
    with st.container(horizontal=True):
        button(
            "Image (OME-TIFF)",
            lambda: encode_stack(prediction.stack, provenance=document),
            f"{name}.ome.tif",
            "image/tiff",
        )
        button(
            "One-page summary (PNG)",
            lambda: result_sheet(signal, prediction, observed=observed),
            f"{name}.png",
            "image/png",
        )
        button("Recipe (JSON)", lambda: to_json(document), f"{name}.json", "application/json")


def scores_csv(prediction: Prediction, observed: str, found: Scores) -> str:
    """Write scores as a table of two columns, with what they belong to."""
    rows: dict[str, object] = {
        "image": prediction.origin.name,
        "model": prediction.model_id,
        "observed_channel": observed,
        **{name: value for name, value in found.as_dict().items() if name != "units"},
    }
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(("name", "value"))
    writer.writerows(rows.items())
    return target.getvalue()


def mask_bytes(mask: np.ndarray, prediction: Prediction, threshold: float) -> bytes:
    """Write a mask of 0 and 255 that no viewer shows as black."""
    history = {**recipe(prediction), "threshold": threshold}
    return encode_mask(mask, prediction.voxel_size_um, provenance=history)
