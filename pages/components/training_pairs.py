"""The pairs of a training: how they come in, what was found in each, and what a person may correct."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from labelfree_core.errors import LabelFreeError
from labelfree_core.training.task import MOST_PAIRS
from pages.components import cached, gallery, opening, training, words
from pages.components.session import Opened, Session
from pages.components.training import Draft, DraftPair

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator
    from streamlit.runtime.uploaded_file_manager import UploadedFile

# One pair in so many is kept for the score, at least one where there are two.
ONE_IN = 5
OTHER_FILE = 1000


def add(work: Session) -> None:
    """Take uploads, and the image that is open."""
    mine = training.draft(work)
    left, right = (st.container(), None) if work.image is None else st.columns([3, 1], gap="medium")
    uploads = left.file_uploader(
        "Files that hold both channels, or one file each for transmitted light and stain. They stay on this "
        "computer.",
        type=gallery.KINDS,
        accept_multiple_files=True,
        key=f"train-upload-{mine.uploads}",
    )
    if right is not None:
        _open_image(work, mine, right)
    if uploads:
        mine.uploads += 1  # a new key empties the uploader, and the memory that it holds
        take(mine, _opened(work, mine, uploads))
        st.rerun()


def _open_image(work: Session, mine: Draft, column: DeltaGenerator) -> None:
    """Offer the open image as a pair, or say why it is none."""
    image = work.image
    assert image is not None
    name = words.plain(image.file.name)
    column.caption("The image that is open")
    if any(pair.opened.digest == image.digest for pair in mine.pairs):
        column.markdown(f"{words.ICONS['ok']} {name} is among the pairs.")
    elif image.transmitted is None or not image.observed:
        missing = "transmitted light" if image.transmitted is None else "stain"
        column.markdown(f"{name} holds no {missing}, so it is no pair.")
    elif column.button(f"Add {name}", width="stretch", key="train-add-open"):
        take(mine, [image])
        st.rerun()


def _opened(work: Session, mine: Draft, uploads: Sequence[UploadedFile]) -> list[Opened]:
    """Open uploads; what is no image is said once the others are there."""
    found: list[Opened] = []
    mine.problem = ""
    with st.spinner("Opening …"):
        for upload in uploads:
            try:
                found.append(opening.open_upload(work, upload, upload.name))
            except LabelFreeError as problem:
                mine.problem = str(problem)
    return found


def _first(file: Opened) -> int | None:
    return next(iter(file.observed), None)


def take(mine: Draft, files: list[Opened], *, target: Callable[[Opened], int | None] = _first) -> None:
    """Make pairs of files: those with both channels, and those where one file has the stain of another."""
    stained = [file for file in files if _only_stained(file)]
    for file in (file for file in files if file not in stained):
        pair = DraftPair(file, target(file))
        if pair.target is None and stained:
            names = {each.file.name: each for each in stained}
            best = difflib.get_close_matches(file.file.name, names, n=1, cutoff=0.0)
            pair.partner, pair.target = names[best[0]], 0
            stained.remove(pair.partner)
        mine.pairs.append(pair)
    if stained and not mine.problem:
        mine.problem = (
            f"{stained[0].file.name} shows a stain and no transmitted light, and no other file was left for "
            "it. Upload both files of a pair together."
        )
    if len(mine.pairs) > MOST_PAIRS:
        mine.problem = f"A training here takes up to {MOST_PAIRS} pairs; the last ones were left out."
        del mine.pairs[MOST_PAIRS:]
    if not any(pair.held_out for pair in mine.pairs):
        for pair in mine.pairs[ONE_IN - 1 :: ONE_IN] or mine.pairs[1:][-1:]:
            pair.held_out = True


def _only_stained(file: Opened) -> bool:
    roles = [role.role for role in file.proposal.roles]
    return len(roles) == 1 and roles[0] in ("stain", "segmentation")


def show(work: Session) -> None:
    """Show every pair with what was found in it."""
    mine = training.draft(work)
    for number, pair in enumerate(mine.pairs):
        with st.container(border=True):
            _show_pair(mine, number, pair)


def _show_pair(mine: Draft, number: int, pair: DraftPair) -> None:
    key = f"{pair.opened.digest[:10]}-{number}"
    light, stain, choices = st.columns([1, 1, 3], gap="medium")
    _picture(light, pair.opened, pair.opened.transmitted, "Transmitted light")
    _picture(stain, pair.source, pair.target, "Target")
    with choices:
        name, remove = st.columns([5, 1], vertical_alignment="center")
        other = "" if pair.partner is None else f" with {pair.partner.file.name}"
        size = words.micrometres(pair.opened.voxel_size_um)
        drawn = " :orange-badge[:material/science: simulated]" if pair.opened.file.simulated else ""
        name.markdown(f"**{words.plain(pair.opened.file.name)}**{words.plain(other)} · {size}{drawn}")
        if remove.button("Remove", key=f"train-remove-{key}", type="tertiary"):
            mine.pairs.remove(pair)
            st.rerun()
        _channels(pair, key)
        if pair.opened.voxel_size_um is None:
            _voxel_size(pair, key)
        if len(mine.pairs) > 1:
            pair.held_out = st.checkbox(
                "Keep for the score: the training never sees it", pair.held_out, key=f"train-keep-{key}"
            )
        _found(pair, key)


def _picture(column: object, opened: Opened, channel: int | None, title: str) -> None:
    with column:  # type: ignore[attr-defined]
        st.caption(title)
        if channel is None:
            st.caption("not chosen")
            return
        try:
            light = channel == opened.transmitted
            draw = cached.light_picture if light else cached.channel_picture
            picture = draw(opened.digest, opened.axes, channel, opened)
        except LabelFreeError as problem:
            st.error(words.plain(str(problem)))
        else:
            st.image(picture, width="stretch", alt=f"{title} of {opened.file.name}")


def _channels(pair: DraftPair, key: str) -> None:
    numbers = list(range(pair.opened.sizes.get("C", 1)))
    left, right = st.columns(2)
    now = pair.opened.transmitted
    light = left.selectbox(
        "Transmitted light",
        numbers,
        numbers.index(now) if now in numbers else None,
        pair.opened.channel_label,
        key=f"train-light-{key}",
        disabled=len(numbers) == 1,
    )
    if light is not None and light != now and now != -1:
        pair.opened = replace(pair.opened, transmitted=light)
        st.rerun()
    source = pair.source
    options = [n for n in range(source.sizes.get("C", 1)) if pair.partner or n != pair.opened.transmitted]

    def label(channel: int) -> str:
        stain = source.stains[channel]
        return f"{source.channel_label(channel)}{f' ({stain})' if stain else ''}"

    target = right.selectbox(
        "Target: what to learn",
        options,
        options.index(pair.target) if pair.target in options else None,
        label,
        key=f"train-target-{key}",
        placeholder="Which channel is stained?",
    )
    if target != pair.target:
        pair.target = target
        st.rerun()


def _voxel_size(pair: DraftPair, key: str) -> None:
    axes = "ZYX" if pair.opened.is_stack else "YX"
    columns = st.columns(len(axes))
    sizes = [
        column.number_input(f"{axis} (µm)", 0.0, 1000.0, None, 0.01, "%.4f", key=f"train-size-{key}-{axis}")
        for column, axis in zip(columns, axes, strict=True)
    ]
    st.caption("The file does not say how large a voxel is; the microscope's settings do.")
    if all(sizes):
        pair.opened = replace(pair.opened, voxel_size_um=tuple(float(size or 0) for size in sizes))
        st.rerun()


def _found(pair: DraftPair, key: str) -> None:
    """Say what the file doctor found, and whether the target lies on the image."""
    if not pair.ready:
        return
    from labelfree_core.training.registration import judge

    try:
        moved = training.shift(pair)
        found = cached.findings(pair.opened)
    except LabelFreeError as problem:
        st.error(words.plain(str(problem)))
        return
    size = pair.opened.voxel_size_um
    lying = judge(moved, None if size is None else size[-1])
    serious = [finding for finding in (*found, lying) if finding.level in ("warning", "severe")]
    with st.popover(
        f"{len(serious)} thing{'s' * (len(serious) != 1)} to know"
        if serious
        else "File doctor: nothing serious",
        icon=":material/warning:" if serious else ":material/check_circle:",
        type="tertiary",
    ):
        words.show_findings((*found, lying))
    if lying.level == "warning":
        st.caption(f"{words.ICONS['warning']} {words.plain(lying.what)}")
        pair.move_back = st.checkbox("Move it back for the training", pair.move_back, key=f"train-move-{key}")


def split_note(mine: Draft) -> None:
    """Say what the score will be worth."""
    held = sum(pair.held_out for pair in mine.pairs)
    with st.container(key="split", vertical_alignment="center"):
        if len(mine.pairs) == 1:
            st.warning(
                "With one pair the right quarter of the field is kept for the score. Cells of one field look "
                "alike, so that score flatters the model: bring at least one more field, best from another "
                "day."
            )
        elif held == 0:
            st.warning("Keep at least one pair for the score: else nobody knows how good the model is.")
        else:
            st.caption(f"{len(mine.pairs) - held} to learn from, {held} for the score.")
