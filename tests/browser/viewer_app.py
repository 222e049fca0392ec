"""The viewer on made-up volumes, on two pages: what its browser tests open."""

import json
from dataclasses import replace

import numpy as np
import streamlit as st

from labelfree_core.analysis.masks import agreement, mask, otsu_threshold
from pages.components import layout
from pages.components.viewer import Layer, Measured, ViewState, viewer

SHAPE = (9, 40, 60)
SIZE_UM = (0.5, 0.25, 0.25)
MARKUP = "<b>DNA</b><img src=x onerror=\"document.title='run'\">"


def volumes() -> tuple[np.ndarray, np.ndarray]:
    """Observed: a box of 100 on 0. Predicted: the same box, one voxel further along x."""
    observed = np.zeros(SHAPE, np.float32)
    observed[2:7, 10:30, 20:40] = 100
    return observed, np.roll(observed, 1, axis=2)


def show() -> None:
    """Show the viewer, keep its state in the session as every page does."""
    observed, predicted = volumes()
    limits = (0.0, 100.0)
    state = viewer(
        [
            Layer(MARKUP, observed, SIZE_UM, "counts", limits, role="observed"),
            Layer("predicted", predicted, SIZE_UM, "counts", limits, role="predicted"),
        ],
        key="pair",
        state=st.session_state.get("view"),
    )
    st.session_state["view"] = state
    st.session_state["runs"] = st.session_state.get("runs", 0) + 1
    st.text(f"z={state.z} mode={state.mode} zoom={state.zoom} runs={st.session_state['runs']}")
    st.button("Run again")


def large() -> None:
    """Show stacks too large for a browser: columns are alternately dark and bright, so averages are grey."""
    stack = np.zeros((25, 1000, 1000), np.uint8)
    stack[:, :, 1::2] = 200
    layers = [Layer(name, stack, SIZE_UM, digest="stripes") for name in ("one", "two")]
    state = viewer(layers, key="large", state=st.session_state.get("large view"))
    st.session_state["large view"] = state
    st.session_state["large runs"] = st.session_state.get("large runs", 0) + 1
    st.text(f"z={state.z} runs={st.session_state['large runs']}")


def times() -> None:
    """Show three time points."""
    movie = np.stack([np.full((4, 30, 30), 40 * t, np.float32) for t in range(3)])
    state = viewer([Layer("movie", movie, SIZE_UM, limits=(0.0, 100.0))], key="movie")
    st.text(f"t={state.t}")


def masks() -> None:
    """Keep the page's slider and the viewer's threshold in step; the predicted is a score from 0 to 1."""
    kept = st.session_state.setdefault("threshold", 0.5)
    view = st.session_state.get("mask view", ViewState(mode="threshold"))
    kept = st.session_state["threshold"] = st.number_input("Predicted threshold", 0.0, 1.0, kept)
    state = viewer(
        one_percent("score"),
        key="masks",
        state=view.at_thresholds(observed=50.0, predicted=kept),
        steady=True,
    )
    st.session_state["mask view"] = state
    if state.threshold is not None and state.threshold != kept:
        st.session_state["threshold"] = state.threshold
        st.rerun()
    st.text(f"page has {kept:.3f}")


def one_percent(units: str) -> list[Layer]:
    """Two images between the limits of the first; the second is a hundredth of it."""
    observed, predicted = volumes()
    limits = (0.0, 100.0)
    return [
        Layer("observed", observed, SIZE_UM, "counts", limits, role="observed"),
        Layer("score", predicted / 100, SIZE_UM, units, limits, role="predicted"),
    ]


def counts() -> None:
    """Show two images in one unit that begin on scales of their own."""
    dim = one_percent("counts")
    dim[1] = replace(dim[1], limits=(0.0, 1.0))
    st.session_state["counts view"] = viewer(dim, key="counts", state=st.session_state.get("counts view"))


def restored() -> None:
    """Open on a view that was saved on one scale, of images that are in different units."""
    saved = ViewState(limits=(("score", 0.0, 100.0),), details=json.dumps({"linked": True}))
    viewer(one_percent("score"), key="restored", state=saved)


def camera() -> None:
    """Say what the page finds of whole grey values, of which only a region counts, beside the viewer."""
    rng = np.random.default_rng(3)
    cell = np.zeros(SHAPE)
    cell[2:7, 10:30, 20:40] = 3
    observed, predicted = ((cell + rng.poisson(4, SHAPE)).astype(np.float32) for _ in range(2))
    observed[0, 0, 0] = predicted[0, 0, 0] = 4000  # one hot pixel: grey values lie close together
    region = np.zeros(SHAPE, bool)
    region[:, :32, 6:] = True
    low, high = 4.6, 5.4
    whole = agreement(mask(observed, low), mask(predicted, high), region=region)
    otsu = agreement(
        *(mask(image, otsu_threshold(image[region])) for image in (observed, predicted)), region=region
    )
    st.text(f"page: Dice {whole.dice:.2f} · IoU {whole.iou:.2f}")
    st.text(f"page at Otsu: Dice {otsu.dice:.2f} · IoU {otsu.iou:.2f}")
    layers = [
        Layer("observed", observed, SIZE_UM, "counts", role="observed", region=region),
        Layer("predicted", predicted, SIZE_UM, "counts", role="predicted"),
    ]
    asked = ViewState(mode="threshold", threshold=high, threshold_observed=low)
    viewer(layers, key="camera", state=st.session_state.setdefault("camera view", asked))


def coarse() -> None:
    """Show stacks too large to be counted exactly, and give the viewer what the page found."""
    rng = np.random.default_rng(4)
    observed, predicted = (rng.normal(size=(40, 230, 230)).astype(np.float32) for _ in range(2))
    layers = [
        Layer("observed", observed, SIZE_UM, "counts", role="observed", digest="coarse one"),
        Layer("predicted", predicted, SIZE_UM, "counts", role="predicted", digest="coarse two"),
    ]
    start = ViewState(mode="threshold", threshold=0.5, threshold_observed=0.5)
    found = Measured(0.12, 0.06, 0.5, 0.5)
    viewer(layers, key="coarse", state=st.session_state.setdefault("coarse view", start), measured=found)


def drawn() -> None:
    """Show two drawings over transmitted light that is bright everywhere."""
    light = np.random.default_rng(6).normal(1000, 100, SHAPE).astype(np.float32)
    marks = np.zeros((2, *SHAPE), bool)
    marks[0, :, 5:15, 5:15] = marks[1, :, 5:15, 25:35] = True
    layers = [Layer("light", light, SIZE_UM, "counts", role="transmitted")]
    for name, mark in zip(("orange", "blue"), marks, strict=True):
        layers.append(Layer(f"{name} ones", mark, SIZE_UM, kind="mask", colormap=name))
    viewer(layers, key="drawn", mode="merge")


def many() -> None:
    """Show an image and eight predictions of it, with long names and numbers."""
    observed, _ = volumes()
    names = [f"Structure {number}, predicted" for number in range(8)]
    layers = [Layer("Observed", observed, SIZE_UM, "counts", (200.0, 12200.0), role="observed")]
    layers += [
        Layer(name, observed - 1, SIZE_UM, "z-score", (-0.936, 2.736), role="predicted") for name in names
    ]
    viewer(layers, key="many")
    st.text("below the viewer")


def controls() -> None:
    """Show what the pages around the viewer are made of."""
    layout.style()
    st.page_link(st.Page(other), label="A link")
    st.checkbox("A box")
    st.button("The main button", type="primary")
    st.image(np.zeros((40, 60)), width=300)


def other() -> None:
    """A page without a viewer."""
    st.text("nothing here")


st.set_page_config(layout="wide")
pages = (large, times, masks, counts, restored, camera, coarse, drawn, many, controls)
more = [st.Page(page, title=page.__name__) for page in pages]
st.navigation([st.Page(show, title="Viewer", default=True), st.Page(other, title="Other"), *more]).run()
