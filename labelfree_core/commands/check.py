"""``labelfree check``: the file doctor: axes, channels, voxel size and health, each with its reason."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from labelfree_core.commands.common import (
    Verbs,
    add_image_options,
    add_json,
    add_yes,
    output_path,
    say,
    say_json,
    wanted_from,
)
from labelfree_core.commands.info import as_json, describe

if TYPE_CHECKING:
    from labelfree_core.images.health import Finding
    from labelfree_core.images.proposal import Proposal
    from labelfree_core.images.reading import ImageFile
    from labelfree_core.images.sizeguess import SizeEstimate
    from labelfree_core.images.stack import ImageStack

LEVELS = ("ok", "note", "warning", "severe")


def register(verbs: Verbs) -> None:
    """Add the verb."""
    parser = verbs.add_parser("check", help="examine an image before predicting from it", description=__doc__)
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--model", metavar="ID|PATH", help="also judge the voxel size for this model")
    parser.add_argument("--pictures", metavar="OUT.png", help="also draw what was found, on one sheet")
    add_image_options(parser)
    add_yes(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Examine one file; the doctor looks at the proposed channel, sure or not, and says which."""
    from labelfree_core import loading
    from labelfree_core.images.health import examine
    from labelfree_core.images.proposal import propose

    drawn = output_path(arguments.pictures, arguments.file) if arguments.pictures else None
    wanted = replace(wanted_from(arguments, propose="transmitted"), accept=True)
    loaded = loading.load(arguments.file, wanted, need_size=False)
    proposal, stack = propose(loaded.file), loaded.stack
    guess = _estimate(loaded.file, proposal, stack)
    findings = [*examine(stack), *_size_findings(stack, arguments.model, guess)]
    findings.sort(key=lambda finding: -LEVELS.index(finding.level))
    level = max((finding.level for finding in findings), key=LEVELS.index, default="ok")
    if drawn is not None:
        _draw(str(drawn), stack, findings)
    if arguments.json:
        examined = {"index": stack.origin.channel_index, "name": stack.origin.channel_name}
        document = {
            "level": level,
            "examined_channel": examined,
            "taken": list(loaded.said),
            "findings": [asdict(finding) for finding in findings],
            "pixel_size_estimate": None if guess is None else asdict(guess),
        }
        say_json({**describe(loaded.file, proposal), **document})
        return
    say(f"{loaded.file.name}: {level}")
    _say_proposal(proposal)
    for finding in findings:
        say(f"  {finding.level}: {finding.name}: {finding.what} {finding.effect} {finding.advice}".rstrip())


def _say_proposal(proposal: Proposal) -> None:
    for role in proposal.roles:
        shows = " ".join(word for word in (role.role, role.structure) if word)
        say(f"  channel {role.index} {role.name}: {shows} ({role.reason}; confidence {role.confidence:.0%})")
    for label, choice in (
        ("axes", proposal.axes),
        ("transmitted light", proposal.transmitted_channel),
        ("voxel size in um", proposal.voxel_size_um),
    ):
        shown = as_json(choice)
        say(f"  {label}: {shown['value']} ({choice.reason}; confidence {choice.confidence:.0%})")


def _size_findings(stack: ImageStack, model: str | None, guess: SizeEstimate | None) -> list[Finding]:
    from labelfree_core.images.voxelsize import judge, question

    alone = question(stack.voxel_size_um, proposed=guess)
    if not model:
        return [alone]
    from labelfree_core.models.store import find_model

    found = judge(stack.voxel_size_um, find_model(model).card.voxel_size_um)
    offer = "" if guess is None or alone.level == "ok" else f" {guess.sentence}"
    return [replace(found, advice=f"{found.advice}{offer}".strip())]


def _estimate(file: ImageFile, proposal: Proposal, stack: ImageStack) -> SizeEstimate | None:
    """Guess the pixel size from a channel of nuclei, where the file gives none that could be."""
    from labelfree_core.errors import LabelFreeError
    from labelfree_core.images.sizeguess import estimate_from
    from labelfree_core.images.voxelsize import question

    if question(stack.voxel_size_um).level == "ok":
        return None
    nuclei = [role for role in proposal.roles if role.structure == "DNA"]
    wanted = [role for role in nuclei if role.role in ("stain", "segmentation")]
    for role in sorted(wanted, key=lambda role: role.role == "segmentation"):
        try:
            channel = file.read(channel=role.index, time=0, axes=str(proposal.axes.value))
            return estimate_from(channel, painted=role.role == "segmentation")
        except LabelFreeError:  # a proposal is a kindness; without it the size is asked for all the same
            continue
    return None


def _draw(path: str, stack: ImageStack, findings: list[Finding]) -> None:
    from labelfree_core.errors import ImageError
    from labelfree_core.images.writing import write_bytes
    from labelfree_core.reports.doctor import pictures
    from labelfree_core.reports.sheet import Tile, contact_sheet

    drawn = pictures(stack, findings)
    if not drawn:
        raise ImageError("Nothing was found that a picture would show, so none is written.")
    tiles = [Tile(tile.picture, f"{name}: {tile.caption}") for name, tile in drawn.items()]
    write_bytes(path, contact_sheet(tiles, columns=2, cell_px=(512, 320)))
