"""
The process that trains for the web page: ``python -m labelfree_core.training.trainer FOLDER BYTES``.

It reads a task from its folder and writes there how it goes. It ends when its standard input closes, so
that no training outlives the program that asked for it, and when it takes more memory than so many bytes.
"""

from __future__ import annotations

import csv
import logging
import math
import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from labelfree_core.errors import LabelFreeError
from labelfree_core.images.fingerprint import fingerprint
from labelfree_core.models.bioimageio_export import export_package
from labelfree_core.models.card import ModelCard
from labelfree_core.models.cardfields import USES
from labelfree_core.models.entries import ModelEntry, read_entry
from labelfree_core.models.store import load_network, save_model
from labelfree_core.settings import Settings
from labelfree_core.training.augment import Augmentation
from labelfree_core.training.calibrate import write_own_familiarity
from labelfree_core.training.ending import DISK_FULL, stay_within
from labelfree_core.training.evaluate import held_out_r, run_network
from labelfree_core.training.fit import FitProgress, FitSettings, TrainingStopped, fit
from labelfree_core.training.pairs import Pair, Row, load_for_training, read_channel, read_table
from labelfree_core.training.scoring import scored_card
from labelfree_core.training.seen import USE_OF_SPLIT
from labelfree_core.training.task import (
    STOP,
    TABLE,
    Pictures,
    Point,
    TrainingTask,
    read_state,
    read_task,
    write_pictures,
    write_state,
)

_LOG = logging.getLogger("labelfree.trainer")
# Parts of held-out fields that are scored again and again, and looked at.
_WATCHED = {2: (384, 384), 3: (24, 224, 224)}
_SHOWN_PX = 224
_REPORTS, _SOONEST_S, _LATEST_S = 50, 0.5, 10.0
_RATES = {"start": 1e-3, "nothing": 3e-3}
_BATCH, _PATCH_PX = 4, 128
_PUBLISHED_BATCH, _PUBLISHED_PATCH_PX = 2, 64


def main(folder: Path, allowed_bytes: int) -> int:
    """Train in *folder*; return 0 where a model came of it."""
    stay_within(allowed_bytes)
    threading.Thread(target=_end_with_the_page, daemon=True).start()
    logging.basicConfig(level=os.environ.get("LABELFREE_LOG", "WARNING"), stream=sys.stderr)
    if hasattr(os, "nice"):
        os.nice(10)  # pages and predictions go first
    settings = Settings.read()
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    try:
        _train(folder, read_task(folder))
    except LabelFreeError as problem:
        return _fail(folder, str(problem))
    except (MemoryError, OSError) as problem:
        _LOG.exception("training failed")
        what = getattr(problem, "strerror", None) or "out of memory"
        advice = "Free some disk space" if isinstance(problem, OSError) else "Bring fewer or smaller pairs"
        return _fail(folder, f"The computer could not go on ({what}). {advice}, and start again.")
    except Exception:
        _LOG.exception("training failed")
        return _fail(folder, "The training failed because of an error in this software; its log says more.")
    return 0


def _end_with_the_page() -> None:
    sys.stdin.read()
    os._exit(0)


def _fail(folder: Path, problem: str) -> int:
    try:
        write_state(folder, replace(read_state(folder), state="failed", problem=problem))
    except OSError:  # there is no room for a word: the number has to say it
        return DISK_FULL
    return 1


def _train(folder: Path, task: TrainingTask) -> None:
    write_state(folder, replace(read_state(folder), state="preparing"))
    rows = read_table(folder / TABLE)
    pairs = load_for_training(rows, [task.card])
    entry = read_entry(Path(task.start)) if task.start else None
    before = load_network(entry) if entry else None
    watcher = _Watcher(folder, task.card, [_middle(pair) for pair in pairs if pair.held_out], before)
    watcher.begin()
    state = fit(
        [*(pair for pair in pairs if not pair.held_out), *watcher.fields],
        [task.card],
        folder / "run",
        settings=_settings(task, rows),
        start=before.state_dict() if before else None,
        progress=watcher,
    )
    write_state(folder, replace(read_state(folder), state="finishing"))
    now = read_state(folder)
    how = f"{now.step} updates in {now.seconds / 60:.1f} minutes, seed {task.seed};"
    card = replace(scored_card(task.card, state, pairs, how=how), images=_images(rows, folder, entry))
    saved = save_model(folder / "model" / card.id, state, card)
    _list_pairs(rows, folder, saved)
    _know(rows, saved)
    export_package(saved, folder / "model" / f"{card.id}.zip")
    found = tuple((score.metric, score.median, score.n) for score in card.scores)
    if before is not None and found:
        then = list(held_out_r(before, pairs, [task.card]).values())
        found = (*found, ("before", float(np.median(then)), len(then)))
    write_state(folder, replace(now, state="done", scores=found))


def _settings(task: TrainingTask, rows: Sequence[Row]) -> FitSettings:
    published = task.card.architecture == "fnet"
    seconds = 60 * task.minutes / _REPORTS
    return FitSettings(
        batch=_PUBLISHED_BATCH if published else _BATCH,
        learning_rate=_RATES["start" if task.start else "nothing"],
        seed=task.seed,
        loss="stain" if rows[0].kind == "intensity" else "segmentation",
        augmentation=Augmentation(patch_px=_PUBLISHED_PATCH_PX if published else _PATCH_PX),
        minutes=task.minutes,
        report_seconds=min(max(seconds, _SOONEST_S), _LATEST_S),
    )


def _middle(pair: Pair) -> Pair:
    """Cut the middle out of a held-out field, so that scoring it now and then costs little."""
    window = [...]
    for size, most in zip(pair.image.shape, _WATCHED[pair.image.ndim], strict=True):
        start = max(0, (size - most) // 2)
        window.append(slice(start, start + most))  # type: ignore[arg-type]
    cut = tuple(window)
    return replace(pair, image=pair.image[cut], targets=pair.targets[cut], known=pair.known[cut])


@dataclass(slots=True)
class _Watcher:
    """Writes down how a training goes, and ends it when the page asks."""

    folder: Path
    card: ModelCard
    fields: list[Pair]
    before: nn.Module | None
    at: tuple[int | slice, ...] = ()

    def begin(self) -> None:
        """Show what the model it starts from makes of a held-out field."""
        state = replace(read_state(self.folder), state="running")
        if self.before is not None and state.before_r is None:
            state = replace(state, before_r=_median(held_out_r(self.before, self.fields, [self.card])))
        write_state(self.folder, state)
        self.at = _window(self.fields[0])
        self._show(self.before)

    def __call__(self, progress: FitProgress) -> None:
        """Note one report."""
        state = read_state(self.folder)
        point = Point(progress.seconds, progress.loss, _median(progress.held_out_r))
        new = replace(
            state,
            fraction=progress.fraction,
            seconds=progress.seconds,
            step=progress.step,
            curve=(*state.curve, point),
        )
        self._show(progress.network)
        write_state(self.folder, new)
        if (self.folder / STOP).exists():
            raise TrainingStopped

    def _show(self, network: nn.Module | None) -> None:
        field, size = self.fields[0], self.card.voxel_size_um
        empty = np.zeros_like(field.image)
        now = empty if network is None else run_network(network, field.image)[0]
        old = None if self.before is None else run_network(self.before, field.image)[0][self.at]
        observed = np.where(field.known[0], field.targets[0], 0)
        planes = (field.image[self.at], observed[self.at], now[self.at], old)
        write_pictures(self.folder, Pictures(field.name, *planes, pixel_um=size[-1] if size else 1.0))


def _window(field: Pair) -> tuple[int | slice, ...]:
    """Choose the plane and the square where most is to be seen."""
    target = np.where(field.known[0], field.targets[0], 0)
    spread = target.std(axis=(-2, -1)) if target.ndim == 3 else None
    plane: tuple[int, ...] = () if spread is None else (int(spread.argmax()),)
    view = target[plane] if plane else target
    starts = []
    for axis, size in enumerate(view.shape):
        weight = np.abs(view - np.median(view)).sum(axis=1 - axis)
        most = np.convolve(weight, np.ones(min(_SHOWN_PX, size)), "valid")
        starts.append(int(most.argmax()))
    return (*plane, *(slice(start, start + _SHOWN_PX) for start in starts))


def _median(values: dict[str, float] | object) -> float:
    found = sorted(values.values()) if isinstance(values, dict) else []
    return float(np.median(found)) if found else math.nan


def _images(rows: Sequence[Row], folder: Path, start: ModelEntry | None) -> dict[str, str]:
    """List what the training did with each image, for the card: by the person's file and by its voxels."""
    images = dict(start.card.images) if start else {}
    with (folder / TABLE).open(newline="", encoding="utf-8") as handle:
        digests = [line["sha256"] for line in csv.DictReader(handle)]
    for row, digest in zip(rows, digests, strict=True):
        voxels = read_channel(row.image, row.image_channel, row.voxel_size_um).voxels
        for name in filter(None, (digest, fingerprint(voxels))):
            use = USE_OF_SPLIT[row.split]
            images[name] = max(use, images.get(name, use), key=USES.index)
    return images


def _know(rows: Sequence[Row], entry: ModelEntry) -> None:
    """Fit what images the model knows, where there are enough; without it the model is as good."""
    try:
        if write_own_familiarity(entry, rows) is None:
            _LOG.info("%d pairs are too few to fit a familiarity", len(rows))
    except LabelFreeError as problem:
        _LOG.warning("no familiarity was fitted: %s", problem)


def _list_pairs(rows: Sequence[Row], folder: Path, entry: ModelEntry) -> None:
    """Put a table of the pairs beside the model: names and whole hashes, without the images."""
    with (folder / TABLE).open(newline="", encoding="utf-8") as handle:
        lines = list(csv.DictReader(handle))
    with (entry.folder / TABLE).open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(("image", "kind", "split", "shift_px", "sha256"))
        for row, line in zip(rows, lines, strict=True):
            writer.writerow((row.image.stem, row.kind, row.split, line["shift_px"], line["sha256"]))


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), int(sys.argv[2])))
