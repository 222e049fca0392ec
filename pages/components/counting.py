"""Objects, one line each: size, place, brightness, and whether the stain has them; drawn over the image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st
from pandas.io.formats.style import Styler

from labelfree_core.analysis.against import least_voxels
from labelfree_core.analysis.alignment import Pair
from labelfree_core.analysis.matching import paired_table
from labelfree_core.analysis.objects import ObjectRow, find_objects, table, to_csv
from labelfree_core.analysis.outlines import outlines
from labelfree_core.analysis.segmentation import is_labelled
from labelfree_core.inference.prediction import Prediction
from pages.components import cached, downloads, showing, words
from pages.components.keeping import kept
from pages.components.session import Session
from pages.components.viewer import Layer, ViewState, viewer

METHODS = {"watershed": "Cut touching objects apart", "connected": "What touches is one object"}
# As in the overlay of the masks above; not green beside orange, which many people can't tell apart.
COLOURS = {"matched": "white", "missed": "orange", "extra": "blue", "": "white"}
NAMES = {"matched": "matched", "missed": "missed", "extra": "extra", "": "objects"}
VIEW, PLACE, VIEW_PX, ZOOM = "objects-view", "objects-view-state", 600, 2.5
TABLE_PX = 494  # a whole number of rows below the heading
# Styling every cell of a longer table would hold up the page.
MOST_STYLED = 2000


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """The rows of a table, and the outlines of its objects."""

    rows: tuple[ObjectRow, ...]
    drawn: dict[str, np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """A prediction with its threshold and, where there is a stain, both on one grid with the stain's."""

    prediction: Prediction
    threshold: float
    pair: Pair | None = None
    channel: int | None = None
    observed_threshold: float | None = None


def section(work: Session, compared: Compared) -> None:
    """Show all objects as a table and over the image; a chosen row is shown where it is."""
    prediction = compared.prediction
    st.subheader("Objects", anchor=False)
    method = st.segmented_control(
        "Objects that touch",
        list(METHODS),
        default="watershed",
        format_func=METHODS.__getitem__,
        required=True,
        key="objects-method",
        persist_state="session",
    )
    found = _counted(work, compared, str(method))
    if not found.rows:
        st.info("Nothing lies above the threshold. Lower it.")
        return
    st.markdown(_sentence(found.rows))
    with st.container(key="stacked-objects"):
        left, right = st.columns([1, 1], gap="large")
    with left:
        picked = _table(found.rows, _units(compared))
        axes = "ZYX"[-prediction.voxels.ndim :]
        downloads.button(
            "Objects (CSV)",
            lambda: to_csv(found.rows, axes=axes).encode(),
            f"{downloads.stem(prediction)}_objects.csv",
            "text/csv",
        )
    with right:
        _drawn(work, prediction, found, None if picked is None else found.rows[picked])


def _counted(work: Session, compared: Compared, method: str) -> Counted:
    image, channel = work.image, compared.channel
    assert image is not None
    if compared.pair is None or channel is None:
        key: tuple[str, ...] = (cached.result_id(work, compared.prediction),)
        observed = None
    else:
        key = cached.pair_key(work, channel, compared.prediction)
        observed = cached.stack(image, channel).voxels
    light = cached.transmitted(work, compared.prediction)
    thresholds = f"{compared.threshold}", f"{compared.observed_threshold}"
    return _count(key, method, thresholds, compared, observed, light)


@kept("Counting …", most=8)
def _count(
    key: tuple[str, ...],
    method: str,
    thresholds: tuple[str, str],
    _compared: Compared,
    _observed: np.ndarray | None,
    _light: np.ndarray,
) -> Counted:
    made, pair = _compared.prediction, _compared.pair
    size = made.voxel_size_um
    predicted = partial(_objects, (*key, method), "predicted", thresholds[0])
    if pair is None or _observed is None:
        labels = predicted(made.voxels, _compared.threshold, _finder(made, method))
        rows = table(labels, voxel_size_um=size, channels={"predicted": made.voxels, "transmitted": _light})
        return Counted(rows, outlines(labels, rows))
    find = _finder(made, method, pair.region)
    labels = predicted(pair.predicted, _compared.threshold, find)
    stain, at = pair.observed, _compared.observed_threshold
    if is_labelled(_observed) and _observed.shape == stain.shape:
        stain, at = _observed, None
    truth = _objects((*key, method), "observed", thresholds[1], stain, at, find)
    images = {"predicted": pair.predicted, "observed": pair.observed, "transmitted": _light}
    rows, _ = paired_table(truth, labels, voxel_size_um=size, channels=images)
    return Counted(rows, outlines(labels, rows, truth))


# Beside the table itself, because one image's objects stay when the threshold of the other moves.
@kept(most=2)
def _objects(
    key: tuple[str, ...],
    which: str,
    threshold: str,
    _voxels: np.ndarray,
    _threshold: float | None,
    _find: Callable[..., np.ndarray],
) -> np.ndarray:
    return _find(_voxels, threshold=_threshold)


def _finder(made: Prediction, method: str, region: np.ndarray | None = None) -> Callable[..., np.ndarray]:
    size = made.voxel_size_um
    return partial(
        find_objects, method=method, min_voxels=least_voxels(size), voxel_size_um=size, region=region
    )


def _sentence(rows: tuple[ObjectRow, ...]) -> str:
    counts = {status: sum(row.status == status for row in rows) for status in ("matched", "missed", "extra")}
    if not any(counts.values()):
        return f"**{len(rows)} objects** in the prediction."
    return (
        f"**{counts['matched']} matched** (white): a stained and a predicted object overlap by half of "
        f"their union or more. **{counts['missed']} missed** (orange): stained objects that no predicted one "
        f"matches so well. **{counts['extra']} extra** (blue): predicted objects that match no stained one."
    )


def _units(compared: Compared) -> dict[str, str]:
    """Return the unit of each mean of the table: beside a stain, the prediction is in that of the stain."""
    own = "z-score" if compared.pair is not None else showing.short_units(compared.prediction)
    return {"predicted": own, "observed": "z-score", "transmitted": "camera counts"}


def _table(rows: tuple[ObjectRow, ...], units: dict[str, str]) -> int | None:
    """Show the rows; return the one that was clicked."""
    deep = len(rows[0].centroid_px) == 3
    sized = rows[0].centroid_um is not None
    size = f"{'volume' if deep else 'area'} (µm{'³' if deep else '²'})" if sized else "voxels"
    lines = []
    for row in rows:
        place = row.centroid_um or row.centroid_px
        line: dict[str, object] = {"object": row.label, "status": row.status, size: round(row.size, 1)}
        line |= {
            f"{axis} ({'µm' if sized else 'px'})": round(at, 1)
            for axis, at in zip("zyx"[-len(place) :], place, strict=True)
        }
        line |= {"IoU": round(row.iou, 2)} if row.status else {}
        line |= {f"mean {name} ({units[name]})": round(value, 2) for name, value in row.mean.items()}
        lines.append({name: value for name, value in line.items() if name != "status" or row.status})
    event = st.dataframe(
        _styled(lines),
        hide_index=True,
        height=TABLE_PX,
        on_select="rerun",
        selection_mode="single-row",
        key="objects-table",
    )
    st.caption(
        f"{len(rows)} objects; the table scrolls. Click at the left of a row to see the object. Specks below "
        "3 µm across are left out."
    )
    chosen = event.selection.rows if event else []
    return chosen[0] if chosen and chosen[0] < len(rows) else None


def _styled(lines: list[dict[str, object]]) -> Styler | pd.DataFrame:
    """Write all numbers of a column with the same decimals and a true minus; they still sort as numbers."""
    frame = pd.DataFrame(lines)
    if len(frame) > MOST_STYLED:
        return frame
    digits = {
        name: 2 if name == "IoU" or name.startswith("mean ") else 1 for name in frame.select_dtypes(float)
    }
    return frame.style.format({name: partial(words.number, digits=n) for name, n in digits.items()})


def _drawn(work: Session, prediction: Prediction, found: Counted, row: ObjectRow | None) -> None:
    """Draw the outlines over the transmitted light, at the chosen object."""
    image = work.image
    assert image is not None
    light, size = cached.transmitted(work, prediction), prediction.voxel_size_um
    name = image.channel_label(image.transmitted)
    layers = [
        Layer(name, light, size, "camera counts", role="transmitted", digest=f"{image.key}|{light.shape}")
    ]
    layers += [
        Layer(NAMES[status], drawn, size, kind="mask", colormap=COLOURS[status])
        for status, drawn in found.drawn.items()
    ]
    state = st.session_state.get(PLACE)
    if row is not None and st.session_state.get("objects-shown") != row.label:
        middle = row.centroid_px[-2], row.centroid_px[-1]
        z = int(row.centroid_px[0]) if len(row.centroid_px) == 3 else None
        before = state or ViewState(mode="merge")
        state = replace(before, z=z, center=middle, cursor=middle, zoom=ZOOM, projection="plane")
    st.session_state["objects-shown"] = None if row is None else row.label
    st.session_state[PLACE] = viewer(
        layers, key=VIEW, mode="merge", modes=("merge", "side"), height_px=VIEW_PX, state=state
    )
