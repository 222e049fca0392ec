"""Compare: the observed stain against the prediction, by eye and in numbers."""

import streamlit as st

from labelfree_core.analysis.scores import explain
from labelfree_core.errors import LabelFreeError
from pages.components import cached, comparing, downloads, layout, links, showing, words
from pages.components.viewer import viewer

work = layout.page(
    "compare",
    "Compare with the observed stain",
    "The same field, stained and predicted, between the same limits. Blink and swipe show what numbers hide.",
)
image = layout.need_image(work)
layout.need_prediction(work, "Predict a structure first; then it is compared with the stain here.")

which, where = st.columns([3, 2], vertical_alignment="bottom")
with which:
    prediction = showing.choose_result(work, "compare-result")
with where:
    channel = showing.choose_observed(work, prediction, "compare-observed")
links.state(prediction.model_id)
if channel is None:
    comparing.without_observed(work, prediction)
    st.stop()

try:
    pair = cached.pair(work, channel, prediction)
    found = cached.scored(work, channel, prediction)
except LabelFreeError as problem:
    st.error(str(problem))
    st.stop()

name = downloads.stem(prediction)
comparing.numbers(found, prediction.structure, image.modality)
st.markdown(words.plain(explain(found, prediction.structure, image.modality)))
for note in pair.notes:
    st.caption(words.plain(note))
downloads.button(
    "Scores (CSV)",
    lambda: downloads.scores_csv(prediction, image.channel_label(channel), found),
    f"{name}_scores.csv",
    "text/csv",
)

st.subheader("Side by side, blink, swipe, difference in each plane", anchor=False)
shown = showing.pair_layers(work, prediction, name=prediction.structure)
viewer(shown, key="compare-view", mode="side", height_px=showing.height_px(pair.observed.shape, 2))

left, right = st.columns([2, 3], gap="large")
with left:
    st.subheader("Blink", anchor=False)
    gif = comparing.gif(cached.result_id(work, prediction), f"{image.reading_key}|{channel}", pair)
    comparing.blink(gif, pair)
    downloads.button("Blink (GIF, 2 s a frame)", lambda: gif, f"{name}_blink.gif", "image/gif")
with right:
    st.subheader("What the eye may miss", anchor=False)
    comparing.scatter(pair, cached.result_id(work, prediction))
st.subheader("Where they differ", anchor=False)
comparing.difference_maps(pair, name)
