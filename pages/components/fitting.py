"""The prediction in camera counts, fitted to the observed stain: to look at, never to measure in."""

from __future__ import annotations

from functools import partial

import numpy as np
import streamlit as st

from labelfree_core.analysis.alignment import Match, Pair, align_grids, match_affine
from labelfree_core.analysis.display import limits
from labelfree_core.analysis.segmentation import is_segmentation
from labelfree_core.errors import LabelFreeError
from labelfree_core.images.stack import ImageStack
from labelfree_core.inference.prediction import Prediction
from pages.components import cached, showing, words
from pages.components.keeping import kept
from pages.components.session import Session
from pages.components.viewer import Layer, viewer


def section(work: Session, channel: int, prediction: Prediction, pair: Pair) -> None:
    """Offer stain and prediction in camera counts, side by side between one pair of limits."""
    image = work.image
    assert image is not None
    observed = cached.stack(image, channel)
    if is_segmentation(observed.voxels):
        return  # what was painted has no camera counts
    if not st.toggle(
        "Also show both in camera counts",
        key="compare-counts",
        persist_state="session",
        help="Gain and offset are fitted to the stain of this very image. For looking only.",
    ):
        return
    key = cached.pair_key(work, channel, prediction)
    try:
        stain, found = _fitted(key, observed, prediction, pair)
    except LabelFreeError as problem:
        st.error(words.plain(str(problem)))
        return
    st.caption(
        f"Shown is {found.gain:,.1f} × prediction {'+' if found.offset >= 0 else '−'} "
        f"{abs(found.offset):,.1f} camera counts, the straight line that fits the stain best. It borrows its "
        "brightness from the stain it is shown beside: display only, no measurement."
    )
    window, size = limits(stain), prediction.voxel_size_um
    name, digest = prediction.structure, "|".join((*key, "counts"))
    counts = partial(Layer, voxel_size_um=size, units="camera counts", limits=window)
    layers = [
        counts(f"{name}, observed", stain, role="observed", digest=f"{digest}|observed"),
        counts(f"{name}, predicted (fitted)", found.voxels, role="predicted", digest=f"{digest}|fitted"),
    ]
    viewer(layers, key="counts-view", height_px=showing.height_px(stain.shape, 2))


@kept("Fitting …")
def _fitted(
    key: tuple[str, str], _observed: ImageStack, _prediction: Prediction, _pair: Pair
) -> tuple[np.ndarray, Match]:
    stain = align_grids(_observed, _prediction.stack)[0].voxels
    return stain, match_affine(stain, _prediction.voxels, region=_pair.region)
