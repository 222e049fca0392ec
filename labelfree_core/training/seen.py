"""Write down which images a model was trained on, so that nobody mistakes their scores for quality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from labelfree_core.images.fingerprint import fingerprint
from labelfree_core.models.cardfields import USES
from labelfree_core.models.cardfile import write_card
from labelfree_core.models.entries import ModelEntry
from labelfree_core.training.pairs import Row, read_channel

USE_OF_SPLIT = {"train": "trained", "held-out": "held-out", "spatial": "part"}


def images_seen(
    rows: Sequence[Row], *, all_fields: bool = False, before: Mapping[str, str] | None = None
) -> dict[str, str]:
    """
    List the images of a pairs table, each by its file and by its voxels, with what training did with it.

    Parameters
    ----------
    rows : sequence of Row
    all_fields : bool
        Whether a last round took the held-out fields too.
    before : mapping, optional
        What the model that training started from had seen; what was seen once stays seen.

    Returns
    -------
    images : dict of str to str
        For a card: digest to ``"trained"``, ``"part"`` or ``"held-out"``.
    """
    images = dict(before or {})
    for row in rows:
        use = "trained" if all_fields else USE_OF_SPLIT[row.split]
        stack = read_channel(row.image, row.image_channel, row.voxel_size_um)
        for digest in (_of_file(row.image), fingerprint(stack.voxels)):
            images[digest] = max(use, images.get(digest, use), key=USES.index)
    return images


def write_images(entry: ModelEntry, rows: Sequence[Row], *, all_fields: bool = False) -> dict[str, str]:
    """Write the images of a table onto a model's card."""
    found = images_seen(rows, all_fields=all_fields)
    write_card(entry.folder, replace(entry.card, images=found))
    return found


def _of_file(path: Path) -> str:
    with path.open("rb") as handle:
        digest = sha256()
        while piece := handle.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
