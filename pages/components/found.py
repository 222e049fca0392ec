"""What was found in the open file, and one click to correct it."""

from __future__ import annotations

from itertools import permutations

import streamlit as st

from labelfree_core.analysis.published import PUBLISHED_R
from labelfree_core.errors import LabelFreeError
from labelfree_core.images.names import ChannelRole
from pages.components import cached, opening, sizing, words
from pages.components.session import Opened, Session

STRUCTURES = tuple(dict.fromkeys(["DNA", *(row.structure for row in PUBLISHED_R), "mitochondria"]))
INPUT, NOTHING = "transmitted light", "not used"
SHOWN_CHANNELS = 12
COLUMNS = 4


def show(work: Session) -> None:
    """Show channels, axes, voxel size and the file doctor's findings."""
    image = work.image
    assert image is not None
    for note in image.file.notes:
        st.info(words.plain(note))
    if image.recalled:
        st.caption(":material/history: Axes and channels are as you said for the last file of this kind.")
    _channels(work, image)
    left, right = st.columns([2, 3], gap="large")
    with left:
        st.subheader("Axes and voxel size", anchor=False)
        _axes(work, image)
        sizing.voxel_size(work, image)
    with right:
        st.subheader("File doctor", anchor=False)
        if image.transmitted is None:
            st.info("Say which channel is transmitted light; then it can be examined.")
            return
        try:
            words.show_findings(cached.findings(image), cached.finding_pictures(image))
        except LabelFreeError as problem:
            st.error(words.plain(str(problem)))


def _channels(work: Session, image: Opened) -> None:
    if "S" in image.axes and image.sizes.get("C", 1) == 1:
        _colour(work, image)
        return
    count = image.sizes.get("C", 1)
    if count <= COLUMNS:
        places = st.columns(COLUMNS)[:count]
    else:  # as many in a row as have room
        with st.container(key="grid-channels"):
            places = [st.container() for _ in range(min(count, SHOWN_CHANNELS))]
    for number, place in enumerate(places):
        with place:
            _channel(work, image, number)
    if count > SHOWN_CHANNELS:
        st.caption(f"{count - SHOWN_CHANNELS} more channels are in the file.")
        labels = [image.channel_label(number) for number in range(count)]
        chosen = st.selectbox("Transmitted light is in", range(count), image.transmitted, labels.__getitem__)
        if chosen != image.transmitted:
            work.correct(transmitted=chosen)
            st.rerun()


def _channel(work: Session, image: Opened, number: int) -> None:
    try:
        draw = cached.light_picture if number == image.transmitted else cached.channel_picture
        picture = draw(image.digest, image.axes, number, image)
        st.image(picture, width="stretch", alt=f"Channel {number}")
    except LabelFreeError as problem:
        st.error(words.plain(str(problem)))
    stain = image.stains[number] if number < len(image.stains) else ""
    now = INPUT if number == image.transmitted else stain or NOTHING
    options = list(
        dict.fromkeys([INPUT, *STRUCTURES, opening.OTHER_STAIN, opening.SEGMENTATION, NOTHING, now])
    )
    roles = {role.index: role for role in image.proposal.roles}
    chosen = st.selectbox(
        f"{number}: {words.plain(image.channel_label(number))} shows",
        options,
        options.index(now),
        key=f"role-{image.digest[:12]}-{number}-{now}",
    )
    st.caption(_because(image, roles.get(number), now))
    if chosen != now:
        _give_role(work, image, number, str(chosen))
        st.rerun()


def _because(image: Opened, role: ChannelRole | None, now: str) -> str:
    """Say why a channel is taken for what it is taken for, and how sure that is."""
    if role is None:
        return ""
    proposed = _proposed(image, role)
    if now != proposed and image.sample and proposed == opening.OTHER_STAIN:
        return "Said by the sample's description."
    if now != proposed:
        return ":material/history: As you said."
    if not role.confidence:
        return words.plain(f"Not known: {role.reason}.")
    return words.plain(f"{words.sure(role.confidence)}: {role.reason}.")


def _proposed(image: Opened, role: ChannelRole) -> str:
    if role.index == image.proposal.transmitted_channel.value:
        return INPUT
    return opening.stain_of(role.role, role.structure) or NOTHING


def _give_role(work: Session, image: Opened, number: int, role: str) -> None:
    stains = list(image.stains)
    stains[number] = "" if role in (INPUT, NOTHING) else role
    transmitted = image.transmitted
    if role == INPUT:
        transmitted = number
    elif number == transmitted:
        transmitted = None
    work.correct(transmitted=transmitted, stains=tuple(stains))


def _colour(work: Session, image: Opened) -> None:
    choices = [-1, *range(min(3, image.sizes["S"]))]
    labels = {-1: "luminance (all colours)", 0: "red", 1: "green", 2: "blue"}
    at = choices.index(image.transmitted) if image.transmitted in choices else 0
    try:
        st.image(cached.channel_picture(image.digest, image.axes, choices[at], image), width=360)
    except LabelFreeError as problem:
        st.error(words.plain(str(problem)))
    chosen = st.segmented_control(
        "This is a colour image. Predict from", choices, default=choices[at], format_func=labels.__getitem__
    )
    if chosen is not None and chosen != image.transmitted:
        work.correct(transmitted=chosen)
        st.rerun()


def _axes(work: Session, image: Opened) -> None:
    letters = [axis for axis, length in zip(image.axes, image.file.shape, strict=True) if length > 1]
    free = [axis for axis in letters if axis not in "YXS"]
    axes = image.proposal.axes
    st.caption(f"Axes: {words.plain(axes.reason)}. {words.plain(words.sure(axes.confidence))}.")
    if free:
        _axis_meaning(work, image, free)
    times = image.sizes.get("T", 1)
    if times > 1:
        time = int(st.number_input("Time point", 0, times - 1, image.time, key=f"time-{image.digest[:12]}"))
        if time != image.time:
            work.correct(time=time)
            st.rerun()


def _axis_meaning(work: Session, image: Opened, free: list[str]) -> None:
    meanings = ["".join(p) for p in permutations("TCZ", len(free))]
    lengths = [image.sizes[axis] for axis in free]
    names = {"T": "times", "C": "channels", "Z": "planes (z)"}

    def label(meaning: str) -> str:
        return ", ".join(f"{length} {names[axis]}" for length, axis in zip(lengths, meaning, strict=True))

    now = "".join(free)
    options = meanings if now in meanings else [now, *meanings]
    chosen = st.selectbox(
        "The file holds", options, options.index(now), lambda m: label(m) if m in meanings else m
    )
    if chosen == now:
        return
    # Axes of length 1 take the letters that are left, so that none is used twice.
    swap = dict(zip(free, chosen, strict=True))
    spare = [axis for axis in "TCZQIRVHMAB" if axis not in chosen]
    new = ""
    for axis in image.axes:
        new += axis if axis in "YXS" else swap.get(axis) or spare.pop(0)
    count = dict(zip(new, image.file.shape, strict=True)).get("C", 1)
    same = count == len(image.stains)
    work.correct(
        axes=new,
        stains=image.stains if same else ("",) * count,
        transmitted=image.transmitted if same else (0 if count == 1 else None),
        voxel_size_um=image.file.voxel_size_um.for_axes("ZYX" if "Z" in chosen else "YX"),
    )
    st.rerun()
