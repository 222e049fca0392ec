"""
Train a model on image pairs, from nothing or from a model that is here.

PAIRS.csv has a line for each pair (docs/models.md lists the columns); CARD.toml describes the model. Give
several cards to train one network with an output for each structure; it is saved as one model each. Give
several tables, such as real and simulated pairs, to mix them by --share.
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
    from labelfree_core.models.card import ModelCard, Score
    from labelfree_core.models.entries import ModelEntry
    from labelfree_core.training.fit import FitProgress, FitSettings
    from labelfree_core.training.pairs import Row

Tables = list[tuple["Row", ...]]


def register(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("train", help="train a model on image pairs", description=__doc__)
    parser.add_argument("pairs", metavar="PAIRS.csv", nargs="+", help="table of image pairs; may be several")
    parser.add_argument("--card", required=True, action="append", metavar="CARD.toml", help="may be repeated")
    parser.add_argument("--output", default=".", metavar="FOLDER", help="each model gets a folder in it")
    parser.add_argument(
        "--data",
        metavar="FOLDER",
        action="append",
        help="folder that the files of the first table are relative to, else the table's own; again for the "
        "second table, and so on",
    )
    parser.add_argument(
        "--start",
        action="append",
        default=[],
        metavar="ID|PATH",
        help="model to start from (fine-tuning); with several cards one for each, in their order",
    )
    parser.add_argument(
        "--all-fields",
        action="store_true",
        help="last round, with --start: train on held-out fields too, and keep the score of the start",
    )
    _add_numbers(parser)
    parser.set_defaults(run=run)


def _add_numbers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--steps", type=int, default=1500, help="updates of the network")
    parser.add_argument(
        "--minutes", type=float, metavar="M", help="end after this time instead; not repeatable bit by bit"
    )
    parser.add_argument("--batch", type=int, default=8, help="patches an update")
    parser.add_argument("--patch", type=int, default=144, help="side of a patch in pixels, a multiple of 16")
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--inverted", type=float, default=0.1, help="share of patches with inverted contrast")
    parser.add_argument(
        "--nothing",
        type=float,
        default=0.06,
        help="share of patches of scrambled or pure noise, to stay dark",
    )
    parser.add_argument(
        "--transfer",
        type=float,
        default=0.0,
        help="share of patches seen through another transfer function, as at another focus",
    )
    parser.add_argument(
        "--share", type=float, nargs="+", default=(), metavar="S", help="share of the patches from each table"
    )
    parser.add_argument(
        "--importance", type=float, nargs="+", default=(), metavar="W", help="weight of each card in the loss"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--report-every", type=int, default=100, metavar="STEPS")


def run(arguments: argparse.Namespace) -> None:
    """Train, score on held-out fields, and save a model for each card."""
    from labelfree_core.models.cardfile import read_card
    from labelfree_core.models.store import load_network, save_model
    from labelfree_core.training.fit import fit, join_outputs, split_outputs
    from labelfree_core.training.pairs import load_for_training
    from labelfree_core.training.registration import shifted_fields
    from labelfree_core.training.scoring import scored_card
    from labelfree_core.training.seen import images_seen

    cards = [read_card(path) for path in arguments.card]
    before = _starts(arguments.start, cards)
    tables = [_for_cards(rows, cards) for rows in _tables(arguments, before)]
    rows = [row for table in tables for row in table]
    pairs = [pair for at, table in enumerate(tables) for pair in load_for_training(table, cards, table=at)]
    for sentence in shifted_fields(pairs):
        note(sentence)
    settings = _settings(arguments, _loss(rows), len(cards))
    start = join_outputs([load_network(entry).state_dict() for entry in before]) if before else None
    output = Path(arguments.output)
    working = output / f"{cards[0].id}.training"
    state = fit(pairs, cards, working, settings=settings, start=start, progress=_say_progress)
    known = {name: use for entry in before for name, use in entry.card.images.items()}
    seen = images_seen(rows, before=known)
    how = f"Trained for {settings.steps} steps of {settings.batch} patches, seed {settings.seed}."
    for at, (card, part) in enumerate(zip(cards, split_outputs(state, cards), strict=True)):
        own = [replace(pair, targets=pair.targets[[at]], known=pair.known[[at]]) for pair in pairs]
        scored = scored_card(card, part, own, how=how)
        if arguments.all_fields:
            scored = replace(scored, scores=_twin(before[at].card.scores))
        entry = save_model(output / card.id, part, replace(scored, images=seen))
        for score in entry.card.scores:
            say(f"{card.id}: held-out {score.metric} {score.median:.3f} (n = {score.n})")


def _starts(names: Sequence[str], cards: Sequence[ModelCard]) -> list[ModelEntry]:
    from labelfree_core.models.store import find_model

    if len(names) not in (0, len(cards)):
        raise ModelError(
            f"--start names {len(names)} models, and there are {len(cards)} cards; give one for each, in "
            "their order."
        )
    return [find_model(name) for name in names]


def _tables(arguments: argparse.Namespace, before: Sequence[ModelEntry]) -> Tables:
    from labelfree_core.training.pairs import read_table

    roots = [*(arguments.data or []), *[None] * len(arguments.pairs)]
    tables = [read_table(path, root=root) for path, root in zip(arguments.pairs, roots, strict=False)]
    if arguments.all_fields:
        return [_every_row(rows, before) for rows in tables]
    if any(row.split != "train" for rows in tables for row in rows):
        return tables
    note(
        "No line of the table is held out, so the right quarter of every field is: a score from the same "
        "fields flatters the model. Give one more field and set its split to 'held-out'."
    )
    return [tuple(replace(row, split="spatial") for row in rows) for rows in tables]


def _for_cards(rows: tuple[Row, ...], cards: Sequence[ModelCard]) -> tuple[Row, ...]:
    """Leave out lines for structures that no card is for, unless that leaves nothing."""
    wanted = {card.structure for card in cards}
    kept = tuple(row for row in rows if not row.structure or row.structure in wanted)
    unused = sorted({row.structure for row in rows} - wanted - {""})
    if kept and unused:
        note(f"There is no card for {', '.join(unused)}: those lines are left out.")
    return kept or rows


def _every_row(rows: tuple[Row, ...], start: Sequence[ModelEntry]) -> tuple[Row, ...]:
    if not start:
        raise ModelError(
            "Training on every field leaves none to score. Train with held-out fields first, and give that "
            "model with --start."
        )
    return tuple(replace(row, split="train") for row in rows)


def _twin(scores: Sequence[Score]) -> tuple[Score, ...]:
    note = "score of the same model before its last round, which these fields then joined"
    return tuple(replace(score, note=f"{score.note}; {note}".lstrip("; ")) for score in scores)


def _loss(rows: Sequence[Row]) -> str:
    stains = {row.kind == "intensity" for row in rows}
    if len(stains) > 1:
        raise ModelError(
            "The tables hold stains (kind 'intensity', in standard deviations) and segmentations or levels "
            "(0 to 1); one network can't answer in both units. Train them apart, or call simulated stains "
            "'level'."
        )
    return "stain" if stains == {True} else "segmentation"


def _settings(arguments: argparse.Namespace, loss: str, cards: int) -> FitSettings:
    from labelfree_core.training.augment import Augmentation
    from labelfree_core.training.fit import FitSettings

    if len(arguments.importance) not in (0, cards):
        raise ModelError(
            f"--importance has {len(arguments.importance)} numbers, and there are {cards} cards; give one "
            "for each card, in their order."
        )
    return FitSettings(
        steps=arguments.steps,
        batch=arguments.batch,
        learning_rate=arguments.learning_rate,
        seed=arguments.seed,
        report_every=arguments.report_every,
        loss=loss,
        augmentation=Augmentation(
            patch_px=arguments.patch,
            inverted=arguments.inverted,
            nothing=arguments.nothing,
            transfer=arguments.transfer,
        ),
        shares=tuple(arguments.share),
        importance=tuple(arguments.importance),
        minutes=arguments.minutes,
    )


def _say_progress(progress: FitProgress) -> None:
    held_out = sorted(progress.held_out_r.values())
    middle = f", held-out r {held_out[len(held_out) // 2]:.3f}" if held_out else ""
    say(f"step {progress.step} ({progress.fraction:.0%}): loss {progress.loss:.4f}{middle}")
