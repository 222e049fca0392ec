"""Ways to get an image: samples with their pictures, and an upload."""

from __future__ import annotations

import streamlit as st

from labelfree_core.errors import LabelFreeError
from labelfree_core.images import samples
from pages.components import cached, opening, words
from pages.components.session import Session

KINDS = ["tif", "tiff", "png", "jpg", "jpeg", "npy"]
COLUMNS = 4


def show_samples(work: Session) -> None:
    """Show the shipped samples with their pictures; one click opens one."""
    shipped = samples.samples()
    for start in range(0, len(shipped), COLUMNS):
        for column, sample in zip(st.columns(COLUMNS), shipped[start : start + COLUMNS], strict=False):
            with column, st.container(border=True, height="stretch"):
                picture = cached.sample_picture(sample.path, sample.path.stat().st_mtime)
                st.image(picture, width="stretch", alt=f"Transmitted light, {sample.title}")
                mark = " :gray-badge[simulated]" if sample.simulated else ""
                st.markdown(f"**{words.plain(sample.title)}**{mark}")
                st.caption(words.plain(sample.sentence))
                opened = work.image is not None and work.image.sample == sample.id
                label = "Open now" if opened else "Open"
                if st.button(label, key=f"sample-{sample.id}", width="stretch", disabled=opened):
                    _try(work, lambda sample=sample: opening.open_sample(work, sample.id))


def show_upload(work: Session) -> None:
    """Take an upload over into the session's folder, and let the copy in memory go."""
    upload = st.file_uploader(
        "Your own image: OME-TIFF, ImageJ or other TIFF, PNG, JPEG, NumPy. It stays on this computer.",
        type=KINDS,
        key=f"upload-{work.uploads}",
    )
    if upload is None:
        return
    # A new key empties the uploader, and with it the copy that Streamlit holds in memory.
    work.uploads += 1

    def take() -> None:
        work.image = opening.open_upload(work, upload, upload.name)

    _try(work, take)


def show_public() -> None:
    """List real images that are free to download elsewhere, with where they come from."""
    public = samples.public_samples()
    if not public:
        return
    with st.expander("Real images to download yourself"):
        st.caption(
            "These are public. Nothing is fetched by itself; open the file here after you downloaded it."
        )
        for sample in public:
            st.markdown(
                f"**{words.plain(sample.title)}** · {words.memory(sample.size)} · "
                f"{words.plain(sample.licence)} · {words.plain(sample.source)}"
            )


def _try(work: Session, opening_it: object) -> None:
    before = work.image
    try:
        with st.spinner("Opening …"):
            opening_it()  # type: ignore[operator]
    except LabelFreeError as problem:
        work.image = before
        work.open_problem = str(problem)
    else:
        work.open_problem = ""
    st.rerun()
