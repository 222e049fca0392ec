"""Untagged structure: one model over many images that nobody stained for it."""

import streamlit as st

from labelfree_core.errors import LabelFreeError
from labelfree_core.images import samples
from pages.components import batching, cached, cards, downloads, layout, words

work = layout.page(
    "untagged",
    "A structure that nobody tagged",
    "One model over many images: see where a structure would be in cells that were never stained for it.",
)
entries = [entry for entry in cached.models(work) if not entry.problem]
if not entries:
    layout.empty("No model is installed", "Add one on the Models page.", "models", "Go to Models")

batching.choose_images(work)
if not work.batch:
    with st.container(border=True):
        st.subheader("No images are on the list yet", anchor=False)
        st.write(
            "A cell line carries one or two tags at a time, yet its bright-field images hold traces of every "
            "structure. Add two or more images above, choose a structure, and see it in all of them side by "
            "side. Eight images fill a sheet of two rows of four."
        )
        stacks = [sample.id for sample in samples.samples() if "plane" not in sample.id]
        if stacks and st.button(f"Try it with {len(stacks)} simulated z-stacks", type="primary"):
            batching.add_samples(work, stacks)
            st.rerun()
    layout.end()

with st.container(horizontal=True, vertical_alignment="bottom"):
    entry = st.selectbox(
        "Structure",
        batching.best_first(work, entries),
        format_func=lambda each: f"{each.card.structure} ({each.card.id})",
        key="batch-structure",
        persist_state="session",
        width=420,
    )
    ready = [item for item in work.batch if item.opened is not None]
    label = f"Predict {len(ready)} image{'s' * (len(ready) != 1)}"
    if st.button(label, type="primary", disabled=work.batch_running or not ready):
        batching.start(work, entry)
        st.rerun()
    if st.button("Empty the list", disabled=work.batch_running):
        work.batch.clear()
        st.rerun()

if entry.card.caution:
    cards.caution(entry.card)
else:  # a line in its place, so that another choice moves nothing
    st.caption(words.plain(cards.headline(entry.card)))
batching.images(work)
try:
    batching.show_sheet(work)
except LabelFreeError as problem:
    st.error(words.plain(str(problem)))
if any(item.prediction is not None for item in work.batch):
    with st.container(horizontal=True):
        downloads.button(
            "Download all (ZIP)", lambda: batching.archive(work), "predictions.zip", "application/zip"
        )
        downloads.button(
            "Contact sheet (PNG)", lambda: batching.sheet_png(work), "contact-sheet.png", "image/png"
        )
