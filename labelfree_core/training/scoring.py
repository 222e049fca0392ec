"""The held-out score and the words that a training writes onto a card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from labelfree_core.models.build import build
from labelfree_core.models.card import ModelCard
from labelfree_core.training.evaluate import held_out_scores, summarise
from labelfree_core.training.pairs import Pair


def scored_card(
    card: ModelCard, state: Mapping[str, Tensor], pairs: Sequence[Pair], *, how: str
) -> ModelCard:
    """
    Score a trained network on its held-out fields, and write score and training onto its card.

    Parameters
    ----------
    card : ModelCard
    state : state dict
        One output.
    pairs : sequence of Pair
        With one target each.
    how : str
        One sentence on how it was trained.
    """
    network = build(card)
    network.load_state_dict(dict(state))
    found = held_out_scores(network, pairs, [card])
    spatial = any(pair.held_out and "(right part)" in pair.name for pair in pairs)
    caution = "held-out parts of training fields; expect less on other fields" if spatial else ""
    scores = summarise(found, "held-out fields", note=caution)
    fields = sum(not pair.held_out for pair in pairs)
    training = f"{card.training} {how} {fields} training fields.".strip()
    return replace(card, scores=scores, training=training)
