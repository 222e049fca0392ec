"""Two volumes of 64 x 224 x 336 in the viewer, and nothing else: what the benchmark looks at."""

import numpy as np
import streamlit as st

from pages.components.viewer import Layer, viewer

SHAPE = tuple(int(n) for n in st.query_params.get("shape", "64,224,336").split(","))
VOXEL_SIZE_UM = (0.29, 0.29, 0.29)


@st.cache_resource
def volumes(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Blobs with camera noise and a smooth copy of them, in float as a prediction has them."""
    rng = np.random.default_rng(3)
    z, y, x = (np.linspace(0, n / 32 * np.pi, n, dtype=np.float32) for n in shape)
    smooth = np.cos(z)[:, None, None] * np.cos(y)[:, None] * np.cos(x)
    predicted = 400 * np.maximum(smooth, 0) + 100
    observed = np.empty(shape, np.float32)
    noise = rng.normal(0, 15, shape[1:]).astype(np.float32)
    for plane in range(shape[0]):
        observed[plane] = predicted[plane] + np.roll(noise, 31 * plane)
    return observed, predicted.astype(np.float32)


st.set_page_config(layout="wide")
observed, predicted = volumes(SHAPE)
if st.button("Show") or st.session_state.get("shown"):
    st.session_state["shown"] = True
    window = (90.0, 500.0)
    viewer(
        [
            Layer("observed", observed, VOXEL_SIZE_UM, "counts", window, role="observed", digest=f"o{SHAPE}"),
            Layer(
                "predicted", predicted, VOXEL_SIZE_UM, "counts", window, role="predicted", digest=f"p{SHAPE}"
            ),
        ],
        key="benchmark",
    )
runs = st.session_state["runs"] = st.session_state.get("runs", 0) + 1
st.caption(f"runs {runs}")
