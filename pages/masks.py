"""Masks: from brightness to objects, for the stain and for the prediction."""

from functools import partial

import streamlit as st

from labelfree_core.analysis.masks import agreement, mask
from labelfree_core.analysis.segmentation import is_mask
from labelfree_core.errors import LabelFreeError
from pages.components import cached, counting, downloads, layout, links, masking, showing, words

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
    threshold = masking.threshold("Predicted", prediction.voxels, result, name, prediction.units)
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
    st.stop()

key = cached.pair_key(work, channel, prediction)
try:
    pair = cached.pair(work, channel, prediction)
except LabelFreeError as problem:
    st.error(words.plain(str(problem)))
    st.stop()
masking.follow_viewer("|".join(key), "|".join((*key, "mate")))
left, right = st.columns(2, gap="large")
with left:
    low = masking.threshold("Observed", counting.counted(pair, pair.observed), "|".join(key), name)
with right:
    mate = counting.counted(pair, pair.predicted)
    high = masking.threshold("Predicted", mate, "|".join((*key, "mate")), name)
observed, predicted = mask(pair.observed, low), mask(pair.predicted, high)
found = agreement(observed, predicted, region=pair.region)
dice, iou, sentence = st.columns([1, 1, 4], vertical_alignment="center")
dice.metric(
    "Dice", words.number(found.dice), help="Twice the overlap over the sum of both masks; 1 is perfect."
)
iou.metric("IoU", words.number(found.iou), help="Overlap over union; 1 is perfect.")
marked = "marked in the segmentation" if is_mask(pair.observed) else "stained"
sentence.markdown(masking.sentence(found, marked=marked))
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
