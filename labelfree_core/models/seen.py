"""Whether a model was trained on the very image that it is now judged by."""

from __future__ import annotations

from labelfree_core.images.fingerprint import fingerprint
from labelfree_core.images.stack import ImageStack
from labelfree_core.models.card import ModelCard
from labelfree_core.models.cardfields import USES
from labelfree_core.models.entries import ModelEntry

_SENTENCES = {
    "trained": "This image was used to train this model: the score flatters it.",
    "part": "A part of this image was used to train this model: the score flatters it.",
    "held-out": "This image was held out when the model was trained: the score is a fair one.",
}


def training_use(model: ModelEntry | ModelCard, *digests: str) -> str:
    """
    Say what the training of a model did with an image.

    Parameters
    ----------
    model : ModelEntry or ModelCard
    *digests : str
        Names of the image: the sha256 of its file, or the fingerprint of its voxels
        (:func:`labelfree_core.images.fingerprint.fingerprint`). Empty ones are passed over.

    Returns
    -------
    use : str
        ``"trained"``, ``"part"`` (a part of it was trained on), ``"held-out"``, ``"not listed"`` (the card
        lists its images, and this is none of them: a crop or an altered copy isn't recognised), or
        ``"unknown"`` (the card lists none).

    Examples
    --------
    >>> card = ModelCard("a", "A", "DNA", "bright-field", 2, "fnet", images={"00ff": "trained"})
    >>> training_use(card, "00ff"), training_use(card, "beef")
    ('trained', 'not listed')
    """
    card = model.card if isinstance(model, ModelEntry) else model
    if not card.images:
        return "unknown"
    found = [card.images[digest] for digest in digests if digest and digest in card.images]
    return max(found, key=USES.index, default="not listed")


def training_use_of(model: ModelEntry | ModelCard, stack: ImageStack) -> str:
    """Say what the training of a model did with an open image, by its file and by its voxels."""
    card = model.card if isinstance(model, ModelEntry) else model
    if not card.images:
        return "unknown"
    return training_use(card, stack.origin.sha256, fingerprint(stack.voxels))


def training_sentence(use: str) -> str:
    """
    Say what a use means for a score; empty where there is nothing to say.

    Examples
    --------
    >>> training_sentence("trained")
    'This image was used to train this model: the score flatters it.'
    """
    return _SENTENCES.get(use, "")
