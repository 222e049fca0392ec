"""The card of a model that a person trains: what it comes from, what it learns from, what to know."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from labelfree_core.images.fingerprint import fingerprint
from labelfree_core.models.card import ModelCard
from labelfree_core.models.seen import training_use
from labelfree_core.training.task import GivenPair

# Small enough to learn something in minutes on a laptop.
_SMALL: dict[int, dict[str, object]] = {
    2: {"widths": [32, 64, 96], "fold": 2},
    3: {"widths": [48, 96, 128], "fold": 4, "block": 4, "context": 6},
}
# Finer voxels than these show no more of a nucleus, and cost more.
_FINEST_UM = {2: (0.5, 0.5), 3: (0.29, 0.29, 0.29)}
UNITS = {
    "intensity": "z-score of the training stain",
    "segmentation": "score of the segmentation: about 0 outside and 1 inside",
}
_DIGITS = 16
KNOWN_BEFORE = (
    "The model it started from had already learnt from a field that was kept for the score, which flatters "
    "it: try a new field."
)


def new_card(
    name: str, structure: str, modality: str, pairs: Sequence[GivenPair], *, start: ModelCard | None
) -> ModelCard:
    """
    Describe a model that is to be trained.

    Parameters
    ----------
    name : str
        In the person's words; the id is made from it.
    structure, modality : str
    pairs : sequence of GivenPair
        With their voxel sizes.
    start : ModelCard, optional
        The model to start from, whose network and preparation it keeps.

    Returns
    -------
    card : ModelCard
        Without scores and hash.
    """
    listed = "; ".join(f"{pair.name} (sha256 {pair.sha256[:_DIGITS]}, {pair.split})" for pair in pairs)
    ndim = pairs[0].image.voxels.ndim if start is None else start.ndim
    card = start or ModelCard(
        "new",
        "",
        "",
        modality,
        ndim,
        "compact",
        dict(_SMALL[ndim]),
        _voxel_size(pairs, ndim),
        ("flatten", "standardise", "resize") if ndim == 2 else ("standardise", "resize"),
    )
    parent = "" if start is None else f"Started from '{start.id}', weights sha256 {start.sha256}. "
    return replace(
        card,
        id=slug(name),
        title=name.strip(),
        structure=structure,
        modality=modality,
        sha256="",
        training=f"{parent}Trained by a user on {len(pairs)} image pair{'s' * (len(pairs) != 1)}: {listed}.",
        licence=f"That of the model it started from: {start.licence}" if start and start.licence else "",
        scores=(),
        limits=_limits(pairs, start),
        units=UNITS[pairs[0].kind],
        simulated=all(_simulated(pair) for pair in pairs) or (start is not None and start.simulated),
        hallucination={},
        images={},
    )


def slug(name: str) -> str:
    """
    Make an id from a name.

    >>> slug("My nuclei, 20x (June)")
    'my-nuclei-20x-june'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60].strip("-") or "my-model"


def _voxel_size(pairs: Sequence[GivenPair], ndim: int) -> tuple[float, ...]:
    sizes = [pair.image.voxel_size_um or _FINEST_UM[ndim] for pair in pairs]
    coarsest = [max(size[-ndim + axis] for size in sizes) for axis in range(ndim)]
    found = [max(size, fine) for size, fine in zip(coarsest, _FINEST_UM[ndim], strict=True)]
    # Square pixels, so that turned patches are possible ones.
    found[-2:] = [max(found[-2:])] * 2
    return tuple(round(size, 4) for size in found)


def _limits(pairs: Sequence[GivenPair], start: ModelCard | None) -> tuple[str, ...]:
    count = len(pairs)
    own = [f"Trained on {count} pair{'s' * (count != 1)} of one person: unknown ground everywhere else."]
    if any(pair.split == "spatial" for pair in pairs):
        own.append(
            "Its score is from another part of a field it was trained on, which flatters it: try a new field."
        )
    if start is not None and any(known_to(start, pair) for pair in pairs if pair.split != "train"):
        own.append(KNOWN_BEFORE)
    if any(_simulated(pair) for pair in pairs):
        own.append("It learnt from simulated images too: what it learnt there need not hold for real cells.")
    return (*own, *(start.limits if start else ()))


def _simulated(pair: GivenPair) -> bool:
    return pair.image.origin.simulated


def known_to(start: ModelCard, pair: GivenPair) -> bool:
    """Whether the model that a training starts from learnt from a pair, so that a score on it flatters."""
    return training_use(start, pair.sha256, fingerprint(pair.image.voxels)) in ("trained", "part")
