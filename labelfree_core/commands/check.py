"""``labelfree check``: the file doctor: axes, channels, voxel size and health, each with its reason."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from labelfree_core.commands.common import (
    Verbs,
    add_image_options,
    add_json,
    add_yes,
    say,
    say_json,
    wanted_from,
)
from labelfree_core.commands.info import as_json, describe

if TYPE_CHECKING:
    from labelfree_core.images.health import Finding
    from labelfree_core.images.stack import ImageStack

LEVELS = ("ok", "note", "warning", "severe")


def register(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("check", help="examine an image before predicting from it", description=__doc__)
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--model", metavar="ID|PATH", help="also judge the voxel size for this model")
    add_image_options(parser)
    add_yes(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Examine one file; the doctor looks at the proposed channel, sure or not, and says which."""
    from dataclasses import replace

    from labelfree_core import loading
    from labelfree_core.images.health import examine
    from labelfree_core.images.proposal import propose

    wanted = replace(wanted_from(arguments, propose="transmitted"), accept=True)
    loaded = loading.load(arguments.file, wanted, need_size=False)
    proposal = propose(loaded.file)
    findings = [*examine(loaded.stack), *_size_findings(loaded.stack, arguments.model)]
    level = max((finding.level for finding in findings), key=LEVELS.index, default="ok")
    if arguments.json:
        origin = loaded.stack.origin
        examined = {"index": origin.channel_index, "name": origin.channel_name}
        say_json(
            {
                **describe(loaded.file, proposal),
                "level": level,
                "examined_channel": examined,
                "taken": list(loaded.said),
                "findings": [asdict(finding) for finding in findings],
            }
        )
        return
    say(f"{loaded.file.name}: {level}")
    for label, choice in (
        ("axes", proposal.axes),
        ("transmitted light", proposal.transmitted_channel),
        ("voxel size in um", proposal.voxel_size_um),
    ):
        shown = as_json(choice)
        say(f"  {label}: {shown['value']} ({choice.reason}; confidence {choice.confidence:.0%})")
    for finding in findings:
        say(f"  {finding.level}: {finding.name}: {finding.what} {finding.effect} {finding.advice}".rstrip())


def _size_findings(stack: ImageStack, model: str | None) -> list[Finding]:
    if not model:
        return []
    from labelfree_core.images.voxelsize import judge
    from labelfree_core.models.store import find_model

    return [judge(stack.voxel_size_um, find_model(model).card.voxel_size_um)]
