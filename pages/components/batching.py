"""One model over many images: who is in, how far each is, and what comes out."""

from __future__ import annotations

import csv
import io
import zipfile

import numpy as np
import streamlit as st

from labelfree_core.analysis.display import picture
from labelfree_core.errors import LabelFreeError
from labelfree_core.images import samples
from labelfree_core.images.writing import encode_stack
from labelfree_core.models.store import ModelEntry
from labelfree_core.reports.recipe import recipe, to_json
from labelfree_core.reports.sheet import Tile, contact_sheet
from pages.components import cached, cards, downloads, gallery, opening, room, running, showing, words
from pages.components.session import BatchItem, Opened, Session

# Fewer than the queue allows one person, so that a single prediction still gets through beside a batch.
IN_FLIGHT = 2
CELL_COLUMNS = 4


def choose_images(work: Session) -> None:
    """Let a person put samples and uploads on the list."""
    left, right = st.columns(2, gap="large")
    with left:
        titles = {
            sample.id: f"{sample.title} (simulated)" if sample.simulated else sample.title
            for sample in samples.samples()
        }
        picked = st.multiselect(
            "Samples",
            list(titles),
            format_func=titles.__getitem__,
            key=f"samples-{work.uploads}",
            placeholder="Choose samples, then add them",
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            pressed = st.button("Add these samples", disabled=not picked)
            if not picked:
                st.caption("Choose one or more samples in the box above first.", width="stretch")
        if pressed:
            add_samples(work, picked)
            work.uploads += 1
            st.rerun()
    with right:
        uploads = st.file_uploader(
            "Your own images", gallery.KINDS, accept_multiple_files=True, key=f"batch-upload-{work.uploads}"
        )
        if uploads:
            work.uploads += 1
            with st.spinner(f"Opening {len(uploads)} images …"):
                add_uploads(work, uploads)
            st.rerun()


def add_samples(work: Session, ids: list[str]) -> None:
    """Put shipped samples on the list."""
    for sample in samples.samples():
        if sample.id in ids:
            _add(
                work,
                BatchItem(sample.title),
                lambda s=sample: opening.open_path(work, s.path, s.path.name, sample=s.id),
            )


def add_uploads(work: Session, uploads: list) -> None:
    """Put uploads on the list; one that can't be opened stays there with its reason."""
    for upload in uploads:
        _add(work, BatchItem(upload.name), lambda u=upload: opening.open_upload(work, u, u.name))


def _add(work: Session, item: BatchItem, open_it: object) -> None:
    try:
        item.opened = open_it()  # type: ignore[operator]
        if item.opened.transmitted is None:
            item.problem = (
                f"{item.name}: no channel has the name or the look of transmitted light. Open it on the "
                "Start page, say which channel it is, and add it again; the choice is remembered."
            )
        else:  # a file that ends too early is found out here and not while others are predicted
            picture_of(item.opened)
    except LabelFreeError as problem:
        item.opened, item.problem = None, str(problem)
    work.batch.append(item)


def picture_of(opened: Opened) -> np.ndarray:
    """
    Return a small picture of what goes into the network.

    Raises
    ------
    ImageError
        If the file is damaged there.
    """
    return cached.light_picture(opened.digest, opened.axes, opened.transmitted or 0, opened)


def start(work: Session, entry: ModelEntry) -> None:
    """Begin anew with this model; files that could not be opened keep their reason."""
    work.batch_model, work.batch_running = str(entry.folder), True
    work.dropped.clear()
    for item in work.batch:
        item.job, item.prediction = "", None
        if item.opened is not None and item.opened.transmitted is not None:
            item.problem = ""


def advance(work: Session) -> None:
    """Fetch what is ready, and hand the next images to the worker."""
    flying = 0
    for item in work.batch:
        try:
            if item.job:
                _fetch(work, item)
            elif work.batch_running and flying < IN_FLIGHT and not item.problem and item.prediction is None:
                _submit(work, item)
        except LabelFreeError as problem:
            item.job, item.problem = "", str(problem)
        flying += bool(item.job)
    if not flying:
        work.batch_running = False


def _fetch(work: Session, item: BatchItem) -> None:
    state = cached.service().job(item.job, work.owner)
    item.fraction = state.fraction
    if state.state in ("queued", "running"):
        return
    cached.service().release(item.job, work.owner)
    item.job = ""
    item.prediction = state.prediction
    if state.prediction is None:
        item.problem = state.problem or "Cancelled."
    else:
        room.make(work, state.prediction)


def _submit(work: Session, item: BatchItem) -> None:
    opened = item.opened
    if opened is None or opened.transmitted is None:
        return
    item.fraction = 0.0
    # Read here and not kept: a batch of large files must not fill the memory.
    item.job = cached.queue(work).submit(
        work.owner, opened.read(opened.transmitted), work.batch_model, running.options(work, grid="input")
    )


def images(work: Session) -> None:
    """Show each image with its own progress, and let the person stop while they are predicted."""
    # At work or not, a fragment: the same part of the page, so that no image changes its place in between.
    st.fragment(_images, run_every=running.POLL_SECONDS if work.batch_running else None)(work)


def _images(work: Session) -> None:
    if not work.batch_running:
        _show_list(work)
        return
    advance(work)
    _show_list(work)
    if not work.batch_running:
        st.rerun()
    if st.button("Stop", key="stop-batch"):
        work.batch_running = False
        for item in work.batch:
            if item.job:
                cached.service().cancel(item.job, work.owner)
        advance(work)
        st.rerun()


def _show_list(work: Session) -> None:
    """Show each image with its progress, that it is ready, or what is wrong with it."""
    for item in work.batch:
        if item.problem:
            named = item.problem if item.name in item.problem else f"{item.name}: {item.problem}"
            st.error(words.plain(named))
    with st.container(key="grid-batch"):
        for number, item in enumerate(work.batch):
            if not item.problem and (item.prediction is None or work.batch_running):
                _show_item(work, item, number)


def _show_item(work: Session, item: BatchItem, number: int) -> None:
    opened = item.opened
    assert opened is not None
    with st.container(key=f"batch-item-{number}"):
        st.image(picture_of(opened), width="stretch", alt=f"{item.name}, transmitted light")
        name = words.plain(item.name)
        with st.container(key=f"batch-state-{number}"):  # as high with a bar as without
            if item.job:
                st.progress(item.fraction, text=f"{name}: {item.fraction:.0%}")
            elif item.prediction is not None:
                st.progress(1.0, text=f"{name}: ready")
            else:
                st.caption(f"{name}{': waiting' if work.batch_running else ''}")


def tiles(work: Session) -> list[Tile]:
    """Make one picture for each prediction: maximum projection between the tutorial's percentiles."""
    found = []
    for item in work.batch:
        if item.prediction is not None and item.opened is not None:
            mark = " (simulated)" if item.opened.file.simulated else ""
            shown = picture(item.prediction.voxels, showing.own_window(item.prediction))
            framed = showing.framed(shown, item.prediction.voxel_size_um[-1], columns=CELL_COLUMNS)
            found.append(Tile(framed, f"{item.name}{mark}"))
    return found


def show_sheet(work: Session) -> None:
    """Show the contact sheet, four in a row, and say what it shows."""
    shown = tiles(work)
    if not shown:
        return
    made = next(item.prediction for item in work.batch if item.prediction is not None)
    st.subheader(f"{words.plain(made.structure)}, as predicted", anchor=False)
    with st.container(key="sheet"):
        for number, tile in enumerate(shown):
            with st.container(key=f"framed-sheet-{number}"):
                caption = words.plain(tile.caption)
                st.image(tile.picture, caption, width="stretch", alt=f"Predicted, {tile.caption}")
    scale = "each between its own darkest and brightest: compare shapes, not brightness"
    if showing.is_score(made):
        scale = "black where its score is 0, white where it is 1"
    deep = made.voxels.ndim == 3
    st.caption(
        f"Predicted by `{made.model_id}`{'; brightest of all planes' * deep}; {scale}. No stain is looked "
        "at on this page, so nothing here is checked."
    )


def sheet_png(work: Session) -> bytes:
    """Write the contact sheet as one picture."""
    return contact_sheet(tiles(work), columns=CELL_COLUMNS)


def best_first(work: Session, entries: list[ModelEntry]) -> list[ModelEntry]:
    """Put the models first that were made for most of the images on the list."""
    images = [item.opened for item in work.batch if item.opened is not None]
    return sorted(entries, key=lambda entry: -sum(cards.fits(entry, image) for image in images))


def archive(work: Session) -> bytes:
    """Write all predictions with their recipes, the contact sheet, and a list of what failed, as one zip."""
    target, rows = io.BytesIO(), [("image", "model", "seconds", "problem")]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as folder:
        for number, item in enumerate(work.batch, 1):
            found = item.prediction
            if found is None or item.opened is None:
                rows.append((item.name, "", "", item.problem))
                continue
            document = recipe(found, reading=downloads.reading(item.opened))
            name = f"{number:03d}_{downloads.stem(found)}"
            folder.writestr(f"{name}.ome.tif", encode_stack(found.stack, provenance=document))
            folder.writestr(f"{name}.json", to_json(document))
            rows.append((item.name, found.model_id, f"{found.seconds.get('total', 0):.2f}", ""))
        folder.writestr("contact-sheet.png", sheet_png(work))
        table = io.StringIO()
        csv.writer(table, lineterminator="\n").writerows(rows)
        folder.writestr("images.csv", table.getvalue())
    return target.getvalue()
