"""Train your own: a few image pairs, a model to start from, minutes, and a model that knows your cells."""

import streamlit as st

from pages.components import layout, training, training_first, training_pairs, training_run, words

work = layout.page(
    "train",
    "Train your own",
    "Teach a model your microscope and your stain. Bring a few fields, each in transmitted light and "
    "stained; the app keeps a part for the score, trains as long as you like, and shows what it has learnt.",
)
service = training.service()
state = service.state(work.owner)

if state is not None:
    training_run.panel(work)
with st.expander("Pairs and model", expanded=state is None) if state is not None else st.container():
    st.subheader("1. Pairs", anchor=False)
    training_pairs.add(work)
    draft = training.draft(work)
    if draft.problem:
        st.error(words.plain(draft.problem))
    training_pairs.show(work)
    if draft.pairs:
        training_pairs.split_note(draft)
        st.subheader("2. Model", anchor=False)
        plan = training.plan(work)
        training.start_button(work, plan, busy=state is not None and state.active)
    elif state is None:
        training_first.show(work)
