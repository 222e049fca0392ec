"""Models: what each is made from, how good it is, where it fails; and adding one."""

import streamlit as st

from labelfree_core.settings import Settings
from pages.components import adding, cached, cards, layout, links, removing

work = layout.page(
    "models",
    "Models",
    "What each one predicts, how good it was on images it never saw, and where it fails.",
)
layout.open_image_line(work)
links.state()
entries = cached.models(work)
if not entries:
    st.info("No model is installed yet. Add a model file below.")
else:
    st.caption(cards.LEGEND)
with st.container(key="grid-models"):
    for entry in entries:
        with st.container(border=True, height="stretch"):
            cards.summary(entry)
            if removing.own(work, entry):
                removing.row(work, entry)

st.subheader("Add a model", anchor=False)
if Settings.read().model_uploads:
    adding.form(work)
else:
    st.info(
        "This installation takes no models from visitors; ask its operator. On your own computer you can."
    )

st.subheader("Please cite", anchor=False)
st.markdown(
    "Ounkomol, Seshamani, Maleckar, Collman and Johnson (2018), *Label-free prediction of three-dimensional "
    "fluorescence images from transmitted-light microscopy*, Nature Methods 15, 917, "
    "[doi:10.1038/s41592-018-0111-2](https://doi.org/10.1038/s41592-018-0111-2), for the method; and for a "
    "model what its card says."
)
