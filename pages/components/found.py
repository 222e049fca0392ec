"""What was found in the open file, and one click to correct it."""

from __future__ import annotations

from itertools import permutations

import streamlit as st

from labelfree_core.analysis.published import PUBLISHED_R
from labelfree_core.errors import LabelFreeError
from labelfree_core.images.names import ChannelRole
from pages.components import cached, opening, sizing, words
from pages.components.session import LIGHTS, Opened, Session

STRUCTURES = tuple(dict.fromkeys(["DNA", *(row.structure for row in PUBLISHED_R), "mitochondria"]))
NOTHING = "not used"
SHOWN_CHANNELS = 12
ASSUMED = "Bright-field is assumed; the file does not say. If it is phase contrast or DIC, say so here."
COLUMNS = 4


def missing(image: Opened) -> str:
    """Say what has to be known of an image before a prediction; empty where nothing is missing."""
    size = f"the {'voxel' if image.is_stack else 'pixel'} size in micrometres"
    lacking = {
        "which channel is transmitted light": image.transmitted is None,
        size: image.voxel_size_um is None,
    }
    return " and ".join(what for what, lacks in lacking.items() if lacks)


def show(work: Session) -> None:
    """Show channels, axes, voxel size and the file doctor's findings."""
    image = work.image
    assert image is not None
    for note in image.file.notes:
        st.info(words.plain(note))
    if image.recalled:
        st.caption(":material/history: Axes and channels are as you said for the last file of this kind.")
    if image.sizes.get("C", 1) == 1:  # one picture: what is to be said stands beside it
        picture, rest = st.columns([2, 3], gap="large")
        with picture:
            _channels(work, image)
        with rest:
            _size(work, image)
            _doctor(image)
        return
    _channels(work, image)
    left, right = st.columns([2, 3], gap="large")
    with left:
        _size(work, image)
    with right:
        _doctor(image)


def _size(work: Session, image: Opened) -> None:
    st.subheader(f"Axes and {'voxel' if image.is_stack else 'pixel'} size", anchor=False)
    _axes(work, image)
    sizing.voxel_size(work, image)


def _doctor(image: Opened) -> None:
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
    if count == 1:
        places = [st.container()]
    elif count <= COLUMNS:
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
    now = image.modality if number == image.transmitted else stain or NOTHING
    options = list(
        dict.fromkeys([*LIGHTS, *STRUCTURES, opening.OTHER_STAIN, opening.SEGMENTATION, NOTHING, now])
    )
    roles = {role.index: role for role in image.proposal.roles}
    chosen = st.selectbox(
        _asked(image, number),
        options,
        options.index(now),
        key=f"role-{image.digest[:12]}-{number}-{now}",
    )
    st.caption(_because(image, roles.get(number), now))
    if number == image.transmitted and image.light_assumed:
        st.caption(f"{words.ICONS['warning']} {ASSUMED}")
    if chosen != now:
        _give_role(work, image, number, str(chosen))
        st.rerun()


def _asked(image: Opened, number: int) -> str:
    """Ask what a channel shows, by its name where it has one."""
    name = image.channel_label(number)
    if image.sizes.get("C", 1) == 1:
        return "The image shows"
    if name == f"channel {number}":
        return f"Channel {number} shows"
    return f"{number}: {words.plain(name)} shows"


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
        return role.structure if role.structure in LIGHTS else LIGHTS[0]
    return opening.stain_of(role.role, role.structure) or NOTHING


def _give_role(work: Session, image: Opened, number: int, role: str) -> None:
    stains = list(image.stains)
    stains[number] = "" if role in (*LIGHTS, NOTHING) else role
    transmitted, light = image.transmitted, image.light
    if role in LIGHTS:
        transmitted, light = number, role
    elif number == transmitted:
        transmitted, light = None, ""
    work.correct(transmitted=transmitted, light=light, stains=tuple(stains))


def _colour(work: Session, image: Opened) -> None:
    choices = [-1, *range(min(3, image.sizes["S"]))]
    labels = {-1: "luminance (all colours)", 0: "red", 1: "green", 2: "blue"}
    at = choices.index(image.transmitted) if image.transmitted in choices else 0
    try:
        st.image(cached.channel_picture(image.digest, image.axes, choices[at], image), width="stretch")
    except LabelFreeError as problem:
        st.error(words.plain(str(problem)))
    chosen = st.segmented_control(
        "This is a colour image. Predict from", choices, default=choices[at], format_func=labels.__getitem__
    )
    if chosen is not None and chosen != image.transmitted:
        work.correct(transmitted=chosen)
        st.rerun()
    now = image.modality
    light = st.selectbox("Kind of light", LIGHTS, LIGHTS.index(now), key=f"light-{image.digest[:12]}-{now}")
    if light != now:
        work.correct(light=light)
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
