"""Trust: how far to believe the prediction of the open image, and why."""

import streamlit as st

from labelfree_core.errors import LabelFreeError
from pages.components import cached, cards, layout, links, running, second, showing, trusting, unsure, words

work = layout.page(
    "trust",
    "Can I believe this?",
    "How near this image is to what the model was trained on, where the model contradicts itself, and how it "
    "did against a stain, if there is one.",
)
image = layout.need_image(work)
if image.transmitted is None or image.voxel_size_um is None:
    layout.empty(
        "One thing is missing",
        "The app has to know which channel is transmitted light, and the voxel size in micrometres.",
        "start",
        "Say it on the Start page",
    )
entries = sorted(cached.models(work), key=lambda entry: not cards.fits(entry, image))
if not entries:
    layout.empty("No model is installed", "Add one on the Models page.", "models", "Go to Models")

left, right = st.columns([3, 4], vertical_alignment="top")
with left:
    entry = trusting.choose_model(work, entries)
with right:
    trusting.choose_stain(work, entry)
    made = work.result(entry.card.id)
    if made is not None and made.preview:
        st.markdown(showing.badge(made))
running.start_linked(work)
if work.jobs and not second.asking(work, entry):
    running.panel(work)
links.state(entry.card.id)
try:
    look = unsure.look_of(work, entry)
    with st.container(key="working"):
        found = trusting.report(work, entry, look, second.opinion_of(work, entry))
except LabelFreeError as problem:
    st.error(words.plain(str(problem)))
    layout.end()

trusting.verdict(found, entry, predicted=made is not None)
trusting.numbers(found, entry)
if found.blocked:
    layout.end()
trusting.ceiling(found)

st.subheader("Where it is unsure", anchor=False)
st.caption(
    "The image is flipped and rotated and predicted again. A microscope has no preferred direction, so where "
    "the predictions disagree, the model is guessing."
)
unsure.controls(work, entry)
unsure.show_map(found)
st.subheader("Worst places", anchor=False)
trusting.regions(work, entry, found)
second.section(work, entry, found.opinion)
if found.pearson_r is None:
    st.caption(
        "Where the file holds the stain, predict its structure on the Predict page. Then this page also "
        "shows how well the two match, how well they could match, and where they differ."
    )
    st.page_link("pages/predict.py", label="Go to Predict", icon=":material/auto_awesome:")
