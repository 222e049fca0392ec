"""``labelfree models``: which models there are, how good each was on images it never saw; or remove one."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from labelfree_core.commands.common import Verbs, add_json, say, say_json
from labelfree_core.errors import ModelError
from labelfree_core.models.card import reached

if TYPE_CHECKING:
    from labelfree_core.models.store import ModelEntry


def register(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("models", help="list the models", description=__doc__)
    parser.add_argument("model", metavar="ID|PATH", nargs="?", help="show this model's whole card")
    parser.add_argument("--remove", action="store_true", help="delete this model, one that you added")
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """List all models, show one card, or remove one model."""
    from labelfree_core.models.store import find_model, list_models

    one = bool(arguments.model)
    if arguments.remove:
        _remove(arguments.model, as_json=arguments.json)
        return
    entries = (find_model(arguments.model),) if one else list_models()
    if arguments.json:
        documents = [describe(entry) for entry in entries]
        say_json(documents[0] if one else documents)
    elif one:
        _show(entries[0])
    elif not entries:
        say("No models yet: `labelfree train` makes one, and --model also takes the path of a model.p.")
    else:
        for entry in entries:
            say(_line(entry))


def _remove(model: str | None, *, as_json: bool) -> None:
    """Delete a model by its id; a broken one too, and never a file or folder that a path names."""
    from labelfree_core.models.store import list_models, remove_model

    found = [entry for entry in list_models() if entry.card.id == model]
    if not found:
        raise ModelError(
            f"There is no model '{model or ''}' to remove. Give the id of one that you added; "
            "`labelfree models` lists them."
        )
    remove_model(found[-1])  # the shipped ones are listed first
    if as_json:
        say_json({"removed": model})
    else:
        say(f"Removed {model}.")


def describe(entry: ModelEntry) -> dict[str, object]:
    """Put a card into JSON-ready values."""
    card = asdict(entry.card)
    return {
        **card,
        "folder": str(entry.folder),
        "shipped": entry.shipped,
        "problem": entry.problem,
        "caution": entry.card.caution,
    }


def _line(entry: ModelEntry) -> str:
    card = entry.card
    if entry.problem:
        return f"{card.id}: CAN'T BE USED: {entry.problem}"
    size = "unknown voxel size"
    if card.voxel_size_um:
        size = " x ".join(f"{value:g}" for value in card.voxel_size_um) + " um"
    best = reached(card.scores, card.scores[0].metric) if card.scores else None
    score = "no held-out score"
    if best is not None:
        images = f"{'simulated, ' * best.simulated}n = {best.n}"
        score = f"{best.metric} {best.median:.2f} (held out, {images})"
    caution = f"\n  CAUTION: {card.caution}" * bool(card.caution)
    return f"{card.id}: {card.structure} from {card.modality}, {card.ndim}-D, {size}, {score}{caution}"


def _show(entry: ModelEntry) -> None:
    card = entry.card
    say(_line(entry))
    say(f"  {card.title}")
    facts = {
        "training": card.training,
        "licence": card.licence,
        "citation": card.citation,
        "units": card.units,
    }
    for name, text in {**facts, "sha256": card.sha256, "folder": str(entry.folder)}.items():
        if text:
            say(f"  {name}: {text}")
    for score in card.scores:
        say(
            f"  held out: {score.metric} {score.median:.3f} ({score.lowest:.3f} to {score.highest:.3f}), "
            f"n = {score.n}, {score.data} {score.note}".rstrip()
        )
    for limit in card.limits:
        say(f"  limit: {limit}")
