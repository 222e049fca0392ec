"""What channel names mean: transmitted light, a stain of some structure, or a segmentation."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChannelRole:
    """
    What a channel shows.

    ``role`` is ``"transmitted"``, ``"stain"``, ``"segmentation"`` or ``"unknown"``; ``structure`` e.g.
    ``"DNA"``, ``"lamin B1"`` or the modality of transmitted light (``"bright-field"``); ``confidence``
    runs from 0 to 1.
    """

    index: int
    name: str
    role: str
    structure: str
    reason: str
    confidence: float


_SEGMENTATION = re.compile(r"^seg|segment|mask|label(?!.?free)|contour|indexed", re.I)
# Words are separated by anything but letters and digits; "_" counts as a separator too.
_EDGE, _END = r"(?<![a-z0-9])", r"(?![a-z0-9])"
_TRANSMITTED = tuple(
    (re.compile(pattern, re.I), modality)
    for pattern, modality in (
        (rf"{_EDGE}(dic|nomarski){_END}", "DIC"),
        (rf"phase|{_EDGE}(ph[1-3]?|phaco|zernike){_END}", "phase contrast"),
        (rf"bright|{_EDGE}(bf|brf){_END}", "bright-field"),
        (
            rf"transm|{_EDGE}(trans|tl|td|tpmt|t-pmt|esid|dia|oblique|hoffman|rc){_END}|{_EDGE}tl[_ -]?\d",
            "transmitted light",
        ),
    )
)
_STRUCTURES = tuple(
    (re.compile(pattern, re.I), structure)
    for pattern, structure in (
        (r"lamin|lmnb", "lamin B1"),
        (
            rf"hoechst|{_EDGE}h?33342|h3342|dapi|draq|sytox|{_EDGE}dna{_END}|histone|{_EDGE}h2b|nucle(us|i|ar)",
            "DNA",
        ),
        (r"fibrillarin|\bfbl\b", "fibrillarin"),
        (r"nucleol", "nucleoli"),
        (r"cmdrp|cellmask|membrane|memb|caax|wga", "membrane"),
        (r"tomm?20|mito", "mitochondria"),
        (r"tubulin|tuba1|microtub", "alpha tubulin"),
        (r"myosin|myh", "myosin IIB"),
        (r"actin|phalloidin|actb", "beta actin"),
        (rf"sec61|{_EDGE}er{_END}|endoplasmic", "SEC61B"),
        (r"zo-?1|tjp1", "ZO1"),
        (r"st6gal|golgi", "ST6GAL1"),
        (r"desmoplakin|\bdsp\b", "desmoplakin"),
    )
)
_FLUOROPHORE = re.compile(
    rf"gfp|mcherry|tdtomato|{_EDGE}([rycb]fp|mrfp|halo|snap){_END}|ruby|scarlet|neongreen|fitc|tritc|texas|alexa|"
    rf"{_EDGE}(af|cy|atto)[ _-]?\d|rhodamine|fluo|"
    rf"{_EDGE}(405|470|488|514|532|546|555|561|568|594|633|638|640|647)"
    rf"(nm)?{_END}",
    re.I,
)


def role_by_name(index: int, name: str) -> ChannelRole:
    """
    Tell what a channel shows by its name alone.

    Examples
    --------
    >>> role_by_name(3, "Bright_100").role, role_by_name(0, "H3342").structure
    ('transmitted', 'DNA')
    >>> role_by_name(1, "SEG_DNA").role, role_by_name(1, "Channel:0:1").role
    ('segmentation', 'unknown')
    """
    structure = next((word for pattern, word in _STRUCTURES if pattern.search(name)), "")
    if _SEGMENTATION.search(name):
        return ChannelRole(index, name, "segmentation", structure, f"its name is '{name}'", 0.95)
    for pattern, modality in _TRANSMITTED:
        if pattern.search(name):
            return ChannelRole(index, name, "transmitted", modality, f"its name is '{name}'", 0.95)
    if structure:
        return ChannelRole(index, name, "stain", structure, f"its name is '{name}'", 0.95)
    if _FLUOROPHORE.search(name):
        reason = f"its name '{name}' is a fluorophore; which structure it marks is not said"
        return ChannelRole(index, name, "stain", "", reason, 0.9)
    return ChannelRole(index, name, "unknown", "", "its name says nothing" if name else "it has no name", 0.0)
