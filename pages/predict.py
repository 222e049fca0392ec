"""Predict: choose structures, know what it takes, run, and look at the result."""

import streamlit as st

from labelfree_core.errors import LabelFreeError
from pages.components import cached, cards, controls, downloads, found, layout, links, running, showing, words
from pages.components.viewer import viewer

work = layout.page(
    "predict",
    "Predict fluorescence",
    "Choose what to see. Each model predicts one structure; several at once are fine.",
)
image = layout.need_image(work)
if found.missing(image):
    layout.empty(
        "Not known yet",
        f"A prediction needs to know {found.missing(image)}.",
        "start",
        "Say it on the Start page",
    )

entries = sorted(cached.models(work), key=lambda entry: not cards.fits(entry, image))
if not entries:
    layout.empty("No model is installed", "Add one on the Models page.", "models", "Go to Models")
chosen = controls.models(work, entries)
running.start_linked(work)
with st.container(horizontal=True, vertical_alignment="center"):
    pressed = st.button(
        "Predict", type="primary", icon=":material/auto_awesome:", disabled=not chosen or bool(work.jobs)
    )
    controls.settings(work)
    controls.estimate(work, chosen)
if pressed:
    try:
        running.start(work, chosen)
    except LabelFreeError as problem:
        st.error(words.plain(str(problem)))
if work.jobs:
    running.panel(work)
for key, sentence in work.problems.items():
    if key.image == image.key:
        st.error(words.plain(f"{key.model}: {sentence}"))

results = work.results()
places = {entry.card.id: place for place, entry in enumerate(entries)}  # as the cards above
ordered = sorted(results.values(), key=lambda made: places.get(made.model_id, len(places)))
if not results:
    links.state()
    running.elsewhere(work)
    st.caption(
        f"The result appears here, beside the {image.modality} image and the observed stain if the file has "
        "one."
    )
    layout.end()

try:
    shown = showing.layers(work, ordered)
    height = showing.height_px(shown[0].voxels.shape, len(shown))
    view = viewer(shown, key="predict-view", height_px=height, state=links.wanted_view(work))
    links.state(next(reversed(results)), view)
except LabelFreeError as problem:
    st.error(words.plain(str(problem)))

for prediction in ordered:
    with st.container(border=True):
        st.markdown(f"**{words.plain(prediction.structure)}**{showing.badge(prediction)}")
        showing.notes(prediction, image)
        if cached.entry(work, prediction) is None:
            st.caption("Its model was deleted since. This prediction stays until you close the tab.")
        downloads.prediction_row(work, prediction, showing.observed_stack(work, prediction))
with st.container(horizontal=True):
    st.page_link("pages/compare.py", label="Compare with the observed stain", icon=":material/compare:")
    st.page_link("pages/trust.py", label="See how far to trust it", icon=":material/verified_user:")
    st.page_link("pages/masks.py", label="Make masks", icon=":material/gradient:")
