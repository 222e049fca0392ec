"""Masks: from brightness to objects, for the stain and for the prediction."""

from functools import partial

import streamlit as st

from labelfree_core.analysis.masks import agreement, mask
from labelfree_core.analysis.segmentation import is_mask
from labelfree_core.errors import LabelFreeError
from pages.components import cached, counting, downloads, layout, links, masking, pointwise, showing, words

work = layout.page(
    "masks",
    "Masks",
    "A threshold turns brightness into object or background. Otsu's method proposes one; move it if you see "
    "that it is wrong.",
)
image = layout.need_image(work)
layout.need_prediction(work, "Predict a structure first; then masks of it are made here.")

which, where = st.columns([3, 4], vertical_alignment="top")
with which:
    prediction = showing.choose_result(work, "masks-result")
with where:
    channel = showing.choose_observed(work, prediction, "masks-observed")
    if channel is not None:
        showing.choose_region(work, channel, "masks-region")
links.state(prediction.model_id)
result, name = cached.result_id(work, prediction), downloads.stem(prediction)
if channel is None:
    st.info("Without an observed stain there is nothing to compare with; here is the mask of the prediction.")
    masking.follow_viewer("", result)
    shown = masking.Shown("Predicted", prediction.units, prediction.voxels.ndim)
    threshold = masking.threshold(shown, prediction.voxels, result, name)
    predicted = mask(prediction.voxels, threshold)
    masking.alone(prediction, predicted)
    masking.planes(work, prediction, result, thresholds=(None, threshold))
    downloads.button(
        "Predicted mask (TIFF, 0 and 255)",
        lambda: downloads.mask_bytes(predicted, prediction, threshold),
        f"{name}_mask.ome.tif",
        "image/tiff",
    )
    counting.section(work, counting.Compared(prediction, threshold))
    layout.end()

key = cached.pair_key(work, channel, prediction)
try:
    pair = cached.pair(work, channel, prediction)
except LabelFreeError as problem:
    st.error(words.plain(str(problem)))
    layout.end()
masking.follow_viewer("|".join(key), "|".join((*key, "mate")))
left, right = st.columns(2, gap="large")
with left:
    shown = masking.Shown("Observed", n_axes=pair.observed.ndim)
    low = masking.threshold(shown, pointwise.counted(pair, pair.observed), "|".join(key), name)
with right:
    mate = pointwise.counted(pair, pair.predicted)
    shown = masking.Shown("Predicted", n_axes=pair.observed.ndim)
    high = masking.threshold(shown, mate, "|".join((*key, "mate")), name)
observed, predicted = mask(pair.observed, low), mask(pair.predicted, high)
found = agreement(observed, predicted, region=pair.region)
masking.scores(found, marked="marked in the segmentation" if is_mask(pair.observed) else "stained")
masking.side_by_side(pair, (observed, predicted), name)
with st.container(horizontal=True):
    for label, chosen, threshold in (("Observed", observed, low), ("Predicted", predicted, high)):
        downloads.button(
            f"{label} mask (TIFF, 0 and 255)",
            partial(downloads.mask_bytes, chosen, prediction, threshold),
            f"{name}_{label.lower()}-mask.ome.tif",
            "image/tiff",
        )
masking.planes(work, prediction, "|".join(key), thresholds=(low, high), found=found)
st.subheader("The observed image, clipped by the predicted mask", anchor=False)
masking.clipped(pair, predicted)
counting.section(work, counting.Compared(prediction, high, pair, channel, low))
