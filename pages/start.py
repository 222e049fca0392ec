"""Start: what this is, an image to work on, and what was found in it."""

import streamlit as st

from pages.components import found, gallery, layout, links, words

work = layout.page(
    "start",
    "What would the stain have shown?",
    "A bright-field image already holds much of what a fluorescent stain would show. Open one, choose a "
    "structure, and a neural network predicts its fluorescence. Then compare it with the observed stain, "
    "where your file has one, and see how far to trust it.",
)
links.state()

if work.open_problem:
    st.error(words.plain(work.open_problem))

if work.image is not None:
    with st.container(border=True):
        name, way_on = st.columns([4, 1], vertical_alignment="center")
        with name:
            st.subheader("What was found in the file", anchor=False)
            layout.open_image_line(work)
        with way_on:
            missing = found.missing(work.image)
            if st.button("Go on to Predict", type="primary", width="stretch", disabled=bool(missing)):
                st.switch_page("pages/predict.py")
            if missing:
                st.caption(f"{words.ICONS['warning']} First say {missing}, below.")
        found.show(work)

# First, so that it needs no scrolling where the samples fill a laptop's screen.
st.subheader("Open your image" if work.image is None else "Open another image", anchor=False)
gallery.show_upload(work)
st.subheader("Or try a sample", anchor=False)
gallery.show_samples(work)
gallery.show_public(work)
