"""The voxel size of the open image: as the file states it, as a person types it, or as nuclei suggest it."""

from __future__ import annotations

import streamlit as st

from labelfree_core.errors import LabelFreeError
from labelfree_core.images.sizeguess import SizeEstimate, estimate_from
from labelfree_core.images.voxelsize import plausible
from pages.components import cached, opening, words
from pages.components.keeping import kept
from pages.components.session import Opened, Session

Sizes = tuple[float | None, ...]


def voxel_size(work: Session, image: Opened) -> None:
    """Show the voxel size with its source, let the person type it, offer an estimate where it is in doubt."""
    names = "ZYX" if image.is_stack else "YX"
    what = "voxel size" if image.is_stack else "pixel size"
    known = _known(work, image, names)
    guessed = work.guessed_sizes.get(image.digest)
    if guessed is None and image.size_recalled:
        st.caption(
            f":material/history: {what.capitalize()}: as you typed for the last file of this kind. Another "
            "objective has another size."
        )
    elif guessed is None:
        stated = image.proposal.voxel_size_um
        typed = image.voxel_size_um not in (None, stated.value)
        st.caption(f"{what.capitalize()}: {'as you typed it' if typed else words.plain(stated.reason)}")
    else:
        st.caption(f":orange[:material/straighten:] Pixel size: an estimate. {words.plain(guessed.reason)}.")
    values = [
        column.number_input(
            f"{axis} (µm)",
            0.0,
            1000.0,
            value,
            0.01,
            "%.4f",
            key=f"size-{image.digest[:12]}-{names}-{axis}-{'' if guessed is None else 'guessed'}",
        )
        for column, axis, value in zip(st.columns(len(names)), names, known, strict=True)
    ]
    size = tuple(float(value) for value in values if value)
    if len(size) == len(names) and (image.voxel_size_um is None or not _same(size, image.voxel_size_um)):
        if guessed is not None and not _same(size[-2:], (guessed.pixel_um,) * 2):
            del work.guessed_sizes[image.digest]  # what a person types is no estimate any more
        if image.digest in work.guessed_sizes:
            work.correct(voxel_size_um=size)
        else:
            work.type_size(size)
        st.rerun()
    doubt = plausible(size) if len(size) == len(names) else "missing"
    if len(size) == len(names) and doubt:
        st.warning(f"Is that right? {words.sentence(doubt)}. Type the size from the microscope's settings.")
    if guessed is None and doubt:
        _offer(work, image)
    if len(size) < len(names):
        lacking = "the distance between planes" if guessed is not None else f"the {what}"
        where = "It is in the microscope's settings, or in the methods section."
        st.warning(words.plain(f"Predicting needs {lacking}. {where}"))


def _known(work: Session, image: Opened, names: str) -> Sizes:
    stated = tuple(getattr(image.file.voxel_size_um, axis.lower()) for axis in names)
    guessed = work.guessed_sizes.get(image.digest)
    if image.voxel_size_um is not None and len(image.voxel_size_um) == len(names):
        return image.voxel_size_um
    return stated if guessed is None else (*stated[:-2], guessed.pixel_um, guessed.pixel_um)


def _offer(work: Session, image: Opened) -> None:
    """Offer what the nuclei of a DNA channel suggest; nothing is taken without a click."""
    channels = [n for n, stain in image.observed.items() if stain.startswith("DNA")]
    if not channels:
        st.caption(
            "A channel with stained nuclei would allow an estimate of the pixel size; this file has none."
        )
        return
    try:
        found = _estimate(f"{image.digest}|{image.axes}|{image.time}", channels[0], image)
    except LabelFreeError as problem:
        st.caption(words.plain(str(problem)))
        return
    if found is None:
        st.caption("No separate nuclei were found to estimate the pixel size from.")
        return
    with st.container(border=True):
        st.markdown(
            f"**Estimated from nucleus size: {found.pixel_um:g} µm a pixel**, likely {found.low_um:g} to "
            f"{found.high_um:g} µm. Use it?"
        )
        st.caption(f"{words.plain(found.reason)}.")
        if st.button(f"Use {found.pixel_um:g} µm", icon=":material/straighten:"):
            work.guessed_sizes[image.digest] = found
            stated = image.file.voxel_size_um.z
            if not image.is_stack or stated:
                pixel = (found.pixel_um, found.pixel_um)
                work.correct(voxel_size_um=(float(stated or 0), *pixel) if image.is_stack else pixel)
            else:
                work.correct(voxel_size_um=None)
            st.rerun()


@kept("Looking at the nuclei …")
def _estimate(key: str, channel: int, _image: Opened) -> SizeEstimate | None:
    painted = opening.SEGMENTATION in _image.stains[channel]
    return estimate_from(cached.stack(_image, channel), painted=painted)


def _same(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    return len(first) == len(second) and all(abs(a - b) < 6e-5 for a, b in zip(first, second, strict=True))
