"""Numbers and findings in words that need no training."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from labelfree_core.images.health import Finding

if TYPE_CHECKING:
    from labelfree_core.reports.sheet import Tile

ICONS = {"severe": ":red[:material/error:]", "warning": ":orange[:material/warning:]"}
ICONS |= {"note": ":blue[:material/info:]", "ok": ":green[:material/check_circle:]"}

PICTURE_PX = 420
GRIDS = {
    "input": "My image's own voxels",
    "model": "The model's voxels",
    "crop": "The model's voxels, cropped as in the tutorial",
}
DEVICES = {"cpu": "processor", "cuda": "NVIDIA GPU", "mps": "Apple GPU"}


def duration(seconds: float) -> str:
    """
    Say a time as a person would.

    >>> duration(0.4), duration(42.2), duration(200)
    ('1 s', '42 s', '3 min')
    """
    return f"{max(1, round(seconds))} s" if seconds < 90 else f"{round(seconds / 60)} min"


def memory(n_bytes: float) -> str:
    """
    Say an amount of memory.

    >>> memory(3.2e8), memory(2.5e9)
    ('320 MB', '2.5 GB')
    """
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{max(1, round(n_bytes / 1e6))} MB"


def number(value: float, digits: int = 2) -> str:
    """
    Say a number with a true minus sign, or that there is none; what rounds to zero has no sign.

    >>> number(-0.126), number(-0.001), number(float("nan"))
    ('−0.13', '0.00', '–')
    """
    return f"{value:z.{digits}f}".replace("-", "−") if math.isfinite(value) else "–"


def points(n_axes: int) -> str:
    """
    Name what an image of so many axes consists of.

    >>> points(2), points(3)
    ('pixels', 'voxels')
    """
    return "voxels" if n_axes > 2 else "pixels"


def device(kind: str) -> str:
    """
    Name what computes.

    >>> device("cpu")
    'processor'
    """
    return DEVICES.get(kind, kind)


def intensity(value: float) -> str:
    """
    Say a brightness as the viewer writes it at the ends of a colour bar.

    >>> intensity(-0.5514), intensity(131.25), intensity(4095.0)
    ('−0.551', '131.2', '4095')
    """
    size = abs(value)
    if not math.isfinite(value) or size >= 100_000 or 0 < size < 0.001:
        return f"{value:.2e}".replace("-", "−") if math.isfinite(value) else "–"
    return number(value, 0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 10 else 3)


def micrometres(sizes: Sequence[float] | None) -> str:
    """Say voxel sizes in the order of the axes."""
    return "not stated" if sizes is None else " × ".join(f"{size:.3g}" for size in sizes) + " µm"


def sure(confidence: float) -> str:
    """
    Say how sure a proposal is.

    >>> sure(0.95), sure(0.7), sure(0.5)
    ('Sure (95%)', 'Likely (70%)', 'A guess (50%)')
    """
    word = "Sure" if confidence >= 0.9 else "Likely" if confidence > 0.55 else "A guess"
    return f"{word} ({confidence:.0%})"


def sentence(text: str) -> str:
    """
    Begin with a capital, escaped for Markdown; what ends it is left to the page.

    >>> sentence("planes are missing")
    'Planes are missing'
    """
    return plain(text[:1].upper() + text[1:])


def plain(text: str) -> str:
    """
    Escape what Markdown would read as markup (names come from files); write um, a minus and "2 x 3" as such.

    >>> plain("r -0.2 at 3 x 3 um by dna-2d")
    'r −0.2 at 3 × 3 µm by dna-2d'
    """
    text = re.sub(r"(?<![\w.,)-])-(?=\d)", "−", text)
    text = re.sub(r"(?<=\d) um\b", " µm", text)
    text = re.sub(r"(?<=\d) x (?=\d)", " × ", text)
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]()#+!|<>~:$^" else letter for letter in text)


def show_findings(found: Sequence[Finding], pictures: Mapping[str, Tile] | None = None) -> None:
    """Show what the file doctor found, the worst first, with its picture; what is in order in one line."""
    order, drawn = list(ICONS), pictures or {}
    good = [finding for finding in found if finding.level == "ok"]
    for finding in sorted((f for f in found if f.level != "ok"), key=lambda f: order.index(f.level)):
        rest = f"{plain(finding.effect)} {plain(finding.advice)}"
        st.markdown(f"{ICONS[finding.level]} **{plain(finding.what)}** {rest}")
        _picture(drawn.get(finding.name), finding.name)
    if good:
        st.caption(f"{ICONS['ok']} In order: " + ", ".join(plain(finding.name) for finding in good) + ".")
    for finding in good:
        if finding.name in drawn:
            with st.expander(plain(finding.what), icon=":material/image_search:"):
                _picture(drawn[finding.name], finding.name)


def _picture(tile: Tile | None, name: str) -> None:
    if tile is not None:
        st.image(tile.picture, caption=plain(tile.caption), width=PICTURE_PX, alt=f"{name}: {tile.caption}")
