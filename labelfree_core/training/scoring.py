"""The held-out score and the words that a training writes onto a card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from labelfree_core.models.build import build
from labelfree_core.models.card import ModelCard
from labelfree_core.training.evaluate import held_out_scores, summarise
from labelfree_core.training.pairs import Pair

SIMULATED = "simulated scenes whose seeds the network never saw"


def scored_card(
    card: ModelCard, state: Mapping[str, Tensor], pairs: Sequence[Pair], *, how: str
) -> ModelCard:
    """
    Score a trained network on its held-out fields, and write score and training onto its card.

    Real images and simulated ones have lines of their own, since a good score on the latter promises little
    for the former.

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
    real, simulated = ([pair for pair in pairs if pair.simulated is kind] for kind in (False, True))
    spatial = any(pair.held_out and "(right part)" in pair.name for pair in real)
    caution = "held-out parts of training fields; expect less on other fields" if spatial else ""
    scores = (
        *summarise(held_out_scores(network, real, [card]), "held-out fields", note=caution),
        *summarise(held_out_scores(network, simulated, [card]), "simulated scenes", note=SIMULATED),
    )
    fields = sum(not pair.held_out for pair in pairs)
    training = f"{card.training} {how} {fields} training fields.".strip()
    return replace(card, scores=scores, training=training)
