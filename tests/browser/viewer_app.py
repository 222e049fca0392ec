"""The viewer on made-up volumes, on two pages: what its browser tests open."""

import numpy as np
import streamlit as st

from pages.components.viewer import Layer, viewer

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


def other() -> None:
    """A page without a viewer."""
    st.text("nothing here")


st.set_page_config(layout="wide")
st.navigation([st.Page(show, title="Viewer", default=True), st.Page(other, title="Other")]).run()
