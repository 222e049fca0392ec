"""Compare: the observed stain against the prediction, by eye and in numbers."""

import streamlit as st

from labelfree_core.analysis.scores import explain
from labelfree_core.errors import LabelFreeError
from pages.components import (
    cached,
    comparing,
    downloads,
    fitting,
    layout,
    links,
    pointwise,
    showing,
    words,
)
from pages.components.viewer import viewer

VIEW = "compare-view"

work = layout.page(
    "compare",
    "Compare with the observed stain",
    "The same field, stained and predicted. Blink and swipe show what numbers hide.",
)
image = layout.need_image(work)
layout.need_prediction(work, "Predict a structure first; then it is compared with the stain here.")

which, where, how = st.columns([3, 4, 3], vertical_alignment="top")
with which:
    prediction = showing.choose_result(work, "compare-result")
with where:
    channel = showing.choose_observed(work, prediction, "compare-observed")
    if channel is not None:
        showing.choose_region(work, channel, "compare-region")
if channel is None:
    links.state(prediction.model_id)
    comparing.without_observed(work, prediction)
    layout.end()
with how:
    shared = comparing.choose_limits(prediction, VIEW)

try:
    pair = cached.pair(work, channel, prediction)
    found = cached.scored(work, channel, prediction)
except LabelFreeError as problem:
    st.error(words.plain(str(problem)))
    layout.end()

key, name = cached.pair_key(work, channel, prediction), downloads.stem(prediction)
comparing.numbers(found, prediction.structure, image.modality, simulated=image.file.simulated)
with st.container(horizontal=True, vertical_alignment="center"):
    st.markdown(words.plain(explain(found, points=words.points(pair.observed.ndim))), width="stretch")
    downloads.button(
        "Scores (CSV)",
        lambda: downloads.scores_csv(prediction, image.channel_label(channel), found),
        f"{name}_scores.csv",
        "text/csv",
    )
comparing.seen_in_training(work, cached.entry(work, prediction))

shown = showing.pair_layers(work, prediction, name=prediction.structure, shared=shared)
height = showing.height_px(pair.observed.shape, 2)
view = viewer(shown, key=VIEW, height_px=height, state=links.wanted_view(work))
links.state(prediction.model_id, view)
comparing.how(pair, prediction, shared=shared, moved=view.limits)

left, right = st.columns(2, gap="large")
with left:
    st.subheader("Blink", anchor=False)
    gif = comparing.gif(key, shared, pair, prediction)
    comparing.blink(gif, pair)
    downloads.button("Blink (GIF)", lambda: gif, f"{name}_blink.gif", "image/gif")
with right:
    pointwise.section(key, pair, name)
st.subheader("Where they differ", anchor=False)
comparing.difference_maps(pair, prediction, key, shared=shared)
fitting.section(work, channel, prediction, pair)
