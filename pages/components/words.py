"""Numbers and findings in words that need no training."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import streamlit as st

from labelfree_core.images.health import Finding

ICONS = {"severe": ":red[:material/error:]", "warning": ":orange[:material/warning:]"}
ICONS |= {"note": ":blue[:material/info:]", "ok": ":green[:material/check_circle:]"}


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
    """Say a number, or that there is none."""
    return f"{value:.{digits}f}" if math.isfinite(value) else "–"


def micrometres(sizes: Sequence[float] | None) -> str:
    """Say voxel sizes in the order of the axes."""
    return "not stated" if sizes is None else " × ".join(f"{size:.3g}" for size in sizes) + " µm"


def plain(text: str) -> str:
    """Escape what Markdown would read as markup (names come from files), and write um as µm."""
    text = re.sub(r"(?<=\d) um\b", " µm", text)
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]()#+!|<>~:$^" else letter for letter in text)


def show_findings(found: Sequence[Finding]) -> None:
    """Show what the file doctor found, the worst first, and what is in order in one line."""
    order = list(ICONS)
    good = [finding for finding in found if finding.level == "ok"]
    for finding in sorted((f for f in found if f.level != "ok"), key=lambda f: order.index(f.level)):
        rest = f"{plain(finding.effect)} {plain(finding.advice)}"
        st.markdown(f"{ICONS[finding.level]} **{plain(finding.what)}** {rest}")
    if good:
        st.caption(f"{ICONS['ok']} In order: " + ", ".join(plain(finding.name) for finding in good) + ".")
