"""The viewer on made-up volumes, on two pages: what its browser tests open."""

import numpy as np
import streamlit as st

from pages.components import layout
from pages.components.viewer import Layer, ViewState, viewer

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
    observed, predicted = volumes()
    kept = st.session_state.setdefault("threshold", 0.5)
    view = st.session_state.get("mask view", ViewState(mode="threshold"))
    kept = st.session_state["threshold"] = st.number_input("Predicted threshold", 0.0, 1.0, kept)
    state = viewer(
        [
            Layer("observed", observed, SIZE_UM, "counts", (0.0, 100.0), role="observed"),
            Layer("score", predicted / 100, SIZE_UM, "score", (0.0, 100.0), role="predicted"),
        ],
        key="masks",
        state=view.at_thresholds(observed=50.0, predicted=kept),
    )
    st.session_state["mask view"] = state
    if state.threshold is not None and state.threshold != kept:
        st.session_state["threshold"] = state.threshold
        st.rerun()
    st.text(f"page has {kept:.3f}")


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
more = [st.Page(page, title=page.__name__) for page in (large, times, masks, many, controls)]
st.navigation([st.Page(show, title="Viewer", default=True), st.Page(other, title="Other"), *more]).run()
