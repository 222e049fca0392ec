"""
Train a model on image pairs, from nothing or from a model that is here.

PAIRS.csv has a line for each pair (docs/models.md lists the columns); CARD.toml describes the model. Give
several cards to train one network with an output for each structure; it is saved as one model each.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from labelfree_core.commands.common import Verbs, note, say
from labelfree_core.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

    from labelfree_core.models.card import ModelCard, Score
    from labelfree_core.models.entries import ModelEntry
    from labelfree_core.training.fit import FitProgress, FitSettings
    from labelfree_core.training.pairs import Pair, Row


def register(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("train", help="train a model on image pairs", description=__doc__)
    parser.add_argument("pairs", metavar="PAIRS.csv", help="table of image pairs")
    parser.add_argument("--card", required=True, action="append", metavar="CARD.toml", help="may be repeated")
    parser.add_argument("--output", default=".", metavar="FOLDER", help="each model gets a folder in it")
    parser.add_argument("--data", metavar="FOLDER", help="folder that the table's files are relative to")
    parser.add_argument("--start", metavar="ID|PATH", help="model to start from (fine-tuning)")
    parser.add_argument(
        "--all-fields",
        action="store_true",
        help="last round, with --start: train on held-out fields too, and keep the score of the start",
    )
    parser.add_argument("--steps", type=int, default=1500, help="updates of the network")
    parser.add_argument("--batch", type=int, default=8, help="patches an update")
    parser.add_argument("--patch", type=int, default=144, help="side of a patch in pixels, a multiple of 16")
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--inverted", type=float, default=0.1, help="share of patches with inverted contrast")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--report-every", type=int, default=100, metavar="STEPS")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Train, score on held-out fields, and save a model for each card."""
    from labelfree_core.models.cardfile import read_card
    from labelfree_core.models.store import find_model, load_network, save_model
    from labelfree_core.training.fit import fit, split_outputs
    from labelfree_core.training.pairs import load_pairs, read_table
    from labelfree_core.training.registration import shifted_fields
    from labelfree_core.training.seen import images_seen

    cards = [read_card(path) for path in arguments.card]
    rows = read_table(arguments.pairs, root=arguments.data)
    before = find_model(arguments.start) if arguments.start else None
    rows = _every_row(rows, before) if arguments.all_fields else _with_a_held_out_part(rows)
    pairs = load_pairs(rows, cards)
    for sentence in shifted_fields(pairs):
        note(sentence)
    settings = _settings(arguments, "stain" if rows[0].kind == "intensity" else "segmentation")
    start = load_network(before).state_dict() if before else None
    seen = images_seen(rows, before=before.card.images if before else None)
    output = Path(arguments.output)
    working = output / f"{cards[0].id}.training"
    state = fit(pairs, cards, working, settings=settings, start=start, progress=_say_progress)
    for at, (card, part) in enumerate(zip(cards, split_outputs(state, cards), strict=True)):
        own = [replace(pair, targets=pair.targets[[at]], known=pair.known[[at]]) for pair in pairs]
        scored = _scored(card, part, own, settings)
        if arguments.all_fields and before:
            scored = replace(scored, scores=_twin(before.card.scores))
        entry = save_model(output / card.id, part, replace(scored, images=seen))
        for score in entry.card.scores:
            say(f"{card.id}: held-out {score.metric} {score.median:.3f} (n = {score.n})")


def _with_a_held_out_part(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    if any(row.split != "train" for row in rows):
        return rows
    note(
        "No line of the table is held out, so the right quarter of every field is: a score from the same "
        "fields flatters the model. Give one more field and set its split to 'held-out'."
    )
    return tuple(replace(row, split="spatial") for row in rows)


def _every_row(rows: tuple[Row, ...], start: ModelEntry | None) -> tuple[Row, ...]:
    if start is None:
        raise ModelError(
            "Training on every field leaves none to score. Train with held-out fields first, and give that "
            "model with --start."
        )
    return tuple(replace(row, split="train") for row in rows)


def _twin(scores: Sequence[Score]) -> tuple[Score, ...]:
    note = "score of the same model before its last round, which these fields then joined"
    return tuple(replace(score, note=f"{score.note}; {note}".lstrip("; ")) for score in scores)


def _settings(arguments: argparse.Namespace, loss: str) -> FitSettings:
    from labelfree_core.training.augment import Augmentation
    from labelfree_core.training.fit import FitSettings

    return FitSettings(
        steps=arguments.steps,
        batch=arguments.batch,
        learning_rate=arguments.learning_rate,
        seed=arguments.seed,
        report_every=arguments.report_every,
        loss=loss,
        augmentation=Augmentation(patch_px=arguments.patch, inverted=arguments.inverted),
    )


def _say_progress(progress: FitProgress) -> None:
    held_out = sorted(progress.held_out_r.values())
    middle = f", held-out r {held_out[len(held_out) // 2]:.3f}" if held_out else ""
    say(f"step {progress.step} of {progress.steps}: loss {progress.loss:.4f}{middle}")


def _scored(
    card: ModelCard, state: dict[str, Tensor], pairs: Sequence[Pair], settings: FitSettings
) -> ModelCard:
    from labelfree_core.models.build import build
    from labelfree_core.training.evaluate import held_out_scores, summarise

    network = build(card)
    network.load_state_dict(state)
    found = held_out_scores(network, pairs, [card])
    spatial = any(pair.held_out and "(right part)" in pair.name for pair in pairs)
    caution = "held-out parts of training fields; expect less on other fields" if spatial else ""
    scores = summarise(found, "held-out fields", note=caution)
    fields = sum(not pair.held_out for pair in pairs)
    how = f"{settings.steps} steps of {settings.batch} patches from {fields} fields, seed {settings.seed}."
    return replace(card, scores=scores, training=f"{card.training} Trained for {how}".strip())
