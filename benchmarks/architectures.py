"""
Train the published U-Net and the compact one alike, and score both on the same unseen field.

    python benchmarks/architectures.py DATA training/brightfield-3d.csv --minutes 10 [--structure DNA]
        [--work FOLDER] [--only RUN] [--round MINUTES] [--write]

All runs are from scratch with one loss, optimiser, learning-rate schedule, augmentation and seed:

- ``published``: the published network, for the given processor time,
- ``compact``: ours, for the same processor time: what a person gets who waits as long,
- ``compact-same-voxels``: ours, until it has seen as many voxels as the published one: what each learns
  from as much data.

Processor time on one thread is measured on a few updates first, and the number of updates follows from it:
a busy machine changes nothing. With --round a run stops after that many minutes; the same command goes on.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from labelfree_core.models.card import ModelCard
from labelfree_core.models.store import save_model
from labelfree_core.training.augment import Augmentation
from labelfree_core.training.evaluate import evaluate
from labelfree_core.training.fit import FitProgress, FitSettings, fit
from labelfree_core.training.pairs import Pair, Row, load_for_training, read_table, scored_rows

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "models.md"
BEGIN, END = "<!-- architectures begin -->", "<!-- architectures end -->"
VOXEL_UM = (0.29, 0.29, 0.29)
RATE, TRIAL_UPDATES = 2e-3, 3
COMPACT: dict[str, object] = {"widths": [64, 128, 192], "fold": 4, "block": 4, "context": 6}
HEAD = "| run | parameters | s an update | updates | processor min | Mvoxel seen | field | r | Dice |"


@dataclass(frozen=True, slots=True)
class Contender:
    """A network, and the patches that suit it: how many an update, their side, and planes of target."""

    run: str
    architecture: str
    network: dict[str, object]
    batch: int
    side_px: int
    planes: int

    @property
    def voxels(self) -> int:
        """Voxels of target in an update."""
        return self.batch * self.planes * self.side_px**2


PUBLISHED = Contender("published", "fnet", {}, 2, 64, 16)
OURS = Contender("compact", "compact", COMPACT, 8, 128, 4)
RUNS = (PUBLISHED, OURS, replace(OURS, run="compact-same-voxels"))


def main(argv: Sequence[str] | None = None) -> None:
    """Run the comparison, or go on with it, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("table", type=Path)
    parser.add_argument("--structure", default="DNA")
    parser.add_argument("--minutes", type=float, default=10.0, help="processor minutes of each network")
    parser.add_argument("--round", type=float, metavar="MINUTES", help="do at most so much now; run it again")
    parser.add_argument(
        "--work", type=Path, default=Path("architectures"), help="for checkpoints and results"
    )
    parser.add_argument("--only", choices=[each.run for each in RUNS])
    parser.add_argument("--write", action="store_true", help="put the table into docs/models.md")
    given = parser.parse_args(argv)
    torch.set_num_threads(1)
    card = ModelCard("trial", "", given.structure, "bright-field", 3, "fnet", {}, VOXEL_UM)
    rows = list(scored_rows(read_table(given.table, root=given.data)))
    rows = [row for row in rows if row.structure in ("", given.structure)]
    seen = [pair for pair in load_for_training(rows, [card]) if not pair.held_out]
    plans = _plans(card, seen, given)
    for contender in RUNS:
        wanted = given.only in (None, contender.run)
        if wanted and not _train(contender, card, (seen, rows), plans[contender.run], given):
            break  # this round is over
    table = _table(given.work, plans, given.minutes)
    print(table)
    if given.write:
        head, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
        PAGE.write_text(f"{head}{BEGIN}\n{table}\n{END}{rest.split(END)[1]}", encoding="utf-8")


def _plans(card: ModelCard, seen: Sequence[Pair], given: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Measure how long an update takes, once, and say how many each run gets."""
    kept = given.work / f"plan-{given.minutes:g}.json"
    if not kept.is_file():
        seconds = {each.run: _seconds(each, card, seen, given.work) for each in (PUBLISHED, OURS)}
        steps = {run: math.ceil(60 * given.minutes / each) for run, each in seconds.items()}
        same = math.ceil(steps["published"] * PUBLISHED.voxels / OURS.voxels)
        plans = {run: {"seconds": seconds[run], "steps": steps[run]} for run in seconds}
        plans["compact-same-voxels"] = {"seconds": seconds["compact"], "steps": same}
        given.work.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(plans, indent=1))
    found: dict[str, dict[str, float]] = json.loads(kept.read_text())
    return found


def _seconds(contender: Contender, card: ModelCard, seen: Sequence[Pair], work: Path) -> float:
    marks: list[float] = []

    def mark(_: FitProgress) -> None:
        marks.append(time.process_time())

    settings = replace(_settings(contender, TRIAL_UPDATES + 1), report_every=1)
    folder = work / f"trial-{contender.run}"
    (folder / "checkpoint.pt").unlink(missing_ok=True)
    fit(seen, [_card(contender, card)], folder, settings=settings, progress=mark)
    # The first update allocates; and a checkpoint is written after each, which a training rarely does.
    return (marks[-1] - marks[0]) / TRIAL_UPDATES


def _card(contender: Contender, card: ModelCard) -> ModelCard:
    return replace(card, id=contender.run, architecture=contender.architecture, network=contender.network)


def _settings(contender: Contender, steps: int) -> FitSettings:
    return FitSettings(
        steps=steps,
        batch=contender.batch,
        learning_rate=RATE,
        loss="segmentation",
        report_every=10,
        augmentation=Augmentation(patch_px=contender.side_px),
    )


def _train(
    contender: Contender,
    card: ModelCard,
    data: tuple[Sequence[Pair], Sequence[Row]],
    plan: dict[str, float],
    given: argparse.Namespace,
) -> bool:
    """Train one network, or go on with it for a round; score it and return True when it is done."""
    folder = given.work / f"{contender.run}-{given.minutes:g}"
    if (folder / "scores.json").is_file():
        return True
    own, began = _card(contender, card), time.process_time()

    def look(progress: FitProgress) -> None:
        print(
            f"{contender.run}: {progress.step} of {plan['steps']:.0f}, loss {progress.loss:.3f}", flush=True
        )
        over = given.round is not None and time.process_time() - began > 60 * given.round
        if over and progress.fraction < 1:
            raise KeyboardInterrupt

    try:
        state = fit(data[0], [own], folder, settings=_settings(contender, int(plan["steps"])), progress=look)
    except KeyboardInterrupt:
        print(f"{contender.run}: to be continued by the same command")
        return False
    entry = save_model(folder / own.id, state, own)
    rows = [row for row in data[1] if row.split == "held-out"]
    found = [(score.name, score.pearson_r, score.dice) for score in evaluate(entry, rows)]
    parameters = sum(tensor.numel() for name, tensor in state.items() if "running" not in name)
    (folder / "scores.json").write_text(json.dumps({"parameters": parameters, "fields": found}))
    return True


def _table(work: Path, plans: dict[str, dict[str, float]], minutes: float) -> str:
    lines = [HEAD, "|" + "---|" * HEAD.count(" | ") + "---|"]
    for contender in RUNS:
        plan = plans[contender.run]
        for done in work.glob(f"{contender.run}-{minutes:g}/scores.json"):
            kept = json.loads(done.read_text())
            spent, seen = plan["steps"] * plan["seconds"] / 60, plan["steps"] * contender.voxels / 1e6
            start = f"| {contender.run} | {kept['parameters'] / 1e6:.1f} M | {plan['seconds']:.2f} "
            start += f"| {plan['steps']:.0f} | {spent:.1f} | {seen:.1f} "
            lines += [f"{start}| {name} | {r:.3f} | {dice:.3f} |" for name, r, dice in kept["fields"]]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
