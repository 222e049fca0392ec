"""Ways to get an image: samples with their pictures, and an upload."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import streamlit as st

from labelfree_core.errors import LabelFreeError
from labelfree_core.images import samples
from pages.components import cached, opening, words
from pages.components.session import Session

KINDS = ["tif", "tiff", "png", "jpg", "jpeg", "npy"]
# Streamlit writes what arrives to the disk before any page can see it, and can't say why it failed.
NEARLY_FULL_BYTES = 100_000_000


def show_samples(work: Session) -> None:
    """Show the shipped samples with their pictures; one click opens one."""
    shipped = samples.samples()
    if not shipped:
        return
    st.caption(
        "Left of the line: what goes in, transmitted light. Right: the same field as its stains show it. "
        "These samples are simulated, so the truth is known."
    )
    with st.container(key="grid-gallery"):
        for sample in shipped:
            with st.container(border=True, height="stretch", vertical_alignment="distribute"):
                _describe(sample)
                opened = work.image is not None and work.image.sample == sample.id
                label = "It is open" if opened else "Open"
                if st.button(label, key=f"sample-{sample.id}", width="stretch", disabled=opened):
                    _try(work, partial(opening.open_sample, work, sample.id))


def _describe(sample: samples.Sample) -> None:
    with st.container():
        picture = cached.sample_picture(sample.path, sample.path.stat().st_mtime, sample.structures)
        st.image(picture, width="stretch", alt=_alt(sample.title, sample.structures))
        mark = ":orange-badge[:material/science: simulated] " if sample.simulated else ""
        if sample.hard:
            mark += ":red-badge[hard for models]"
        st.markdown(f"**{words.plain(sample.title)}**  \n{mark}")
        st.caption(f"{words.plain(sample.sentence)} Stains to compare with: {', '.join(sample.structures)}.")


def _alt(title: str, structures: tuple[str, ...]) -> str:
    return f"{title}: transmitted light on the left, {', '.join(structures)} stained on the right"


def show_upload(work: Session) -> None:
    """Take an upload over into the session's folder, and let the copy in memory go."""
    if _nearly_full(work.path):
        st.warning(
            "The disk of this server is nearly full, so a file may not arrive. Free some disk space, or ask "
            "the owner of the server to."
        )
    upload = st.file_uploader(
        "A z-stack or a single plane: TIFF (OME, ImageJ and others), PNG, JPEG, NumPy. It stays here.",
        type=KINDS,
        key=f"upload-{work.uploads}",
    )
    if upload is None:
        return
    # A new key empties the uploader, and with it the copy that Streamlit holds in memory.
    work.uploads += 1

    def take() -> None:
        work.show(opening.open_upload(work, upload, upload.name))

    _try(work, take)


def _nearly_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < NEARLY_FULL_BYTES
    except OSError:  # somebody tidied the temporary folder; storing a file says so
        return False


@st.cache_resource(show_spinner=False)
def _downloads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(2, thread_name_prefix="download")


def show_public(work: Session) -> None:
    """List real images at their public sources; one is fetched only when somebody asks, beside the page."""
    public = samples.public_samples()
    if not public:
        return
    with st.expander("Real images, fetched from their public sources", expanded=bool(work.fetches)):
        st.caption(
            "Nothing is fetched by itself. What arrives is checked to be whole and unchanged (sha256)."
        )
        for sample in public:
            words_, button = st.columns([5, 1], vertical_alignment="center")
            words_.markdown(
                f"**{words.plain(sample.title)}** · {words.memory(sample.size)} · "
                f"licence: {words.plain(sample.licence)} · {words.plain(sample.source)}"
            )
            under_way = sample.id in work.fetches
            if button.button("Fetch", key=f"fetch-{sample.id}", disabled=under_way, width="stretch"):
                work.fetches[sample.id] = _downloads().submit(samples.fetch, sample, work.path)
                st.rerun()
        if work.fetches:
            _fetching(work)


@st.fragment(run_every=1.0)
def _fetching(work: Session) -> None:
    """Wait for downloads without holding up the page, then open what came."""
    for name, future in list(work.fetches.items()):
        if not future.done():
            st.caption(f"{words.plain(name)} is on its way …")
            continue
        del work.fetches[name]

        def take(future: Future[Path] = future) -> None:
            path = future.result()
            work.show(opening.open_path(work, path, path.name))

        _try(work, take)


def _try(work: Session, opening_it: Callable[[], None]) -> None:
    before = work.image
    try:
        with st.spinner("Opening …"):
            opening_it()
    except LabelFreeError as problem:
        work.image = before
        work.open_problem = str(problem)
    else:
        work.open_problem = ""
    st.rerun()
