"""Many images and many models on one machine: resumable, and one bad file never stops the rest."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

import numpy as np

from labelfree_core.analysis.alignment import comparable
from labelfree_core.analysis.display import own_limits, picture
from labelfree_core.analysis.scores import scores
from labelfree_core.errors import LabelFreeError, PredictionCancelled
from labelfree_core.images.reading import open_image
from labelfree_core.images.stack import ImageStack
from labelfree_core.images.writing import read_provenance, write_bytes, write_stack
from labelfree_core.inference.options import PredictOptions, Progress
from labelfree_core.loading import Loaded, Wanted, load
from labelfree_core.models.store import ModelEntry, find_model
from labelfree_core.reports.figures import zoomed
from labelfree_core.reports.recipe import recipe
from labelfree_core.reports.sheet import Tile, contact_sheet

_LOG = logging.getLogger(__name__)
SUMMARY_NAME = "summary.csv"
CELL_PX = (308, 208)


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """
    What holds for every file of a batch.

    Parameters
    ----------
    wanted : Wanted
        Channel, voxel size and so on; with ``accept`` unsure proposals are taken too.
    predict : PredictOptions
    observed_channel : str or None
        The stain in the same file, to be scored against.
    """

    wanted: Wanted = field(default_factory=Wanted)
    predict: PredictOptions = field(default_factory=PredictOptions)
    observed_channel: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the summary: what became of one model on one file (``done``, ``kept`` or ``failed``)."""

    file: str
    model: str
    status: str
    output: str = ""
    channel: str = ""
    voxel_size_um: str = ""
    seconds: float = 0.0
    pearson_r: float | None = None
    ssim: float | None = None
    nrmse: float | None = None
    dice_otsu: float | None = None
    n_voxels: int = 0
    simulated: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """How far it is: predictions finished of all, what runs now, and the row of one that just ended."""

    finished: int
    total: int
    name: str
    inner: Progress | None = None
    row: Row | None = None


@dataclass(frozen=True, slots=True)
class BatchResult:
    """All rows in order, the summary file, and one contact sheet a model."""

    rows: tuple[Row, ...]
    summary: Path
    sheets: tuple[Path, ...]

    @property
    def failed(self) -> int:
        """How many predictions were not made."""
        return sum(row.status == "failed" for row in self.rows)


def run(
    files: Sequence[str | Path],
    models: Sequence[str | Path | ModelEntry],
    out_folder: str | Path,
    *,
    resume: bool = True,
    options: BatchOptions | None = None,
    progress: Callable[[BatchProgress], None] | None = None,
) -> BatchResult:
    """
    Predict with every model in every file.

    Parameters
    ----------
    files : sequence of path
    models : sequence of id, path or ModelEntry
        Checked before the first file is opened.
    out_folder : path
        Made if missing. Each result is ``<file>_<model>.ome.tif``; the summary is written anew after
        every prediction, so that nothing is lost when the machine stops.
    resume : bool
        Keep results that are there already, if image, model and options are the same by their hashes.
    options : BatchOptions, optional
    progress : callable, optional
        Raise :class:`~labelfree_core.errors.PredictionCancelled` in it to stop; what is done stays.

    Returns
    -------
    result : BatchResult

    Raises
    ------
    ModelError
        If a model can't be used.
    LabelFreeError
        If there is nothing to do.
    """
    entries = [model if isinstance(model, ModelEntry) else find_model(model) for model in models]
    if not files or not entries:
        raise LabelFreeError("A batch needs at least one image and one model; name them and start again.")
    job = _Job(Path(out_folder), options or BatchOptions(), progress, len(files) * len(entries), resume)
    job.folder.mkdir(parents=True, exist_ok=True)
    for path, stem in zip(files, _stems(files), strict=True):
        job.do_file(Path(path), stem, entries)
    sheets = []
    for name, tiles in job.tiles.items():
        sheets.append(job.folder / f"contact_{name}.png")
        write_bytes(sheets[-1], contact_sheet(tiles, cell_px=CELL_PX))
    return BatchResult(tuple(job.rows), job.folder / SUMMARY_NAME, tuple(sheets))


@dataclass
class _Job:
    """The state of one batch while it runs."""

    folder: Path
    options: BatchOptions
    progress: Callable[[BatchProgress], None] | None
    total: int
    resume: bool
    rows: list[Row] = field(default_factory=list)
    tiles: dict[str, list[Tile]] = field(default_factory=dict)

    def do_file(self, path: Path, stem: str, entries: Sequence[ModelEntry]) -> None:
        """Read one file once, and run every model on it."""
        loaded: Loaded | Exception
        self.tell(path.name)
        try:
            loaded = load(path, self.options.wanted)
        except Exception as problem:
            loaded = problem
        for entry in entries:
            blank = Row(path.name, entry.card.id, "failed")
            target = self.folder / f"{stem}_{entry.card.id}.ome.tif"
            try:
                if isinstance(loaded, Exception):
                    raise loaded
                row = self.do_one(loaded, entry, target, blank)
            except PredictionCancelled:
                raise
            except Exception as problem:  # one bad file never stops the rest
                row = replace(blank, problem=_sentence(problem))
            self.rows.append(row)
            write_bytes(self.folder / SUMMARY_NAME, to_csv(self.rows).encode())
            self.tell(path.name, row=row)

    def do_one(self, loaded: Loaded, entry: ModelEntry, target: Path, blank: Row) -> Row:
        """Predict, or keep what is there; write, score and draw it."""
        from labelfree_core.inference.predict import predict

        stack = loaded.stack
        about = replace(
            blank,
            output=target.name,
            channel=stack.origin.channel_name or str(stack.origin.channel_index or 0),
            voxel_size_um=" x ".join(f"{size:g}" for size in stack.voxel_size_um or ()),
            simulated=stack.origin.simulated,
        )
        if self.resume and _is_same(target, loaded, entry, self.options.predict):
            kept = replace(open_image(target).read(), units=entry.card.units)
            self.draw(entry, loaded, kept.voxels)
            return self.scored(loaded, kept, replace(about, status="kept"))
        made = predict(
            stack, entry, options=self.options.predict, progress=lambda p: self.tell(blank.file, p)
        )
        write_stack(target, made.stack, provenance=recipe(made, reading=loaded.reading))
        self.draw(entry, loaded, made.voxels)
        seconds = made.seconds.get("total", 0.0)
        return self.scored(loaded, made.stack, replace(about, status="done", seconds=seconds))

    def scored(self, loaded: Loaded, predicted: ImageStack, row: Row) -> Row:
        """Add scores against the stain of the same file, where one was named."""
        if self.options.observed_channel is None:
            return row
        wanted = replace(self.options.wanted, channel=self.options.observed_channel)
        pair = comparable(load(loaded.file.path, wanted).stack, predicted)
        found = scores(pair.observed, pair.predicted, noise_ceiling=pair.ceiling, units=pair.units)
        return replace(
            row,
            pearson_r=found.pearson_r,
            ssim=found.ssim,
            nrmse=found.nrmse,
            dice_otsu=found.dice_otsu,
            n_voxels=found.n_voxels,
        )

    def draw(self, entry: ModelEntry, loaded: Loaded, voxels: np.ndarray) -> None:
        """Add a small picture to the contact sheet of a model."""
        shown = zoomed(picture(voxels, own_limits(voxels, entry.card.units)), *CELL_PX)
        words = loaded.file.name + (" (simulated)" if loaded.file.simulated else "")
        self.tiles.setdefault(entry.card.id, []).append(Tile(shown, words))

    def tell(self, name: str, inner: Progress | None = None, *, row: Row | None = None) -> None:
        """Report to whoever watches."""
        if self.progress is not None:
            self.progress(BatchProgress(len(self.rows), self.total, name, inner, row))


def to_csv(rows: Sequence[Row]) -> str:
    """
    Write rows as CSV, one line each; empty where there is nothing to say.

    >>> to_csv([Row("a.tif", "dna", "failed", problem="too small")]).splitlines()[1]
    'a.tif,dna,failed,,,,0.0,,,,,0,False,too small'
    """
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow([column.name for column in fields(Row)])
    writer.writerows(["" if value is None else value for value in asdict(row).values()] for row in rows)
    return target.getvalue()


def _stems(files: Sequence[str | Path]) -> list[str]:
    """Name each result after its file, with a number where two files have one name."""
    seen: dict[str, int] = {}
    stems = []
    for path in files:
        stem = Path(path).name.split(".")[0] or "image"
        seen[stem] = seen.get(stem, 0) + 1
        stems.append(stem if seen[stem] == 1 else f"{stem}-{seen[stem]}")
    return stems


def _is_same(target: Path, loaded: Loaded, entry: ModelEntry, options: PredictOptions) -> bool:
    """Whether a result is there that image, channel, model and options would only make again."""
    if not target.exists():
        return False
    try:
        found = read_provenance(target)
    except LabelFreeError:
        return False
    origin = loaded.stack.origin
    mine: dict[str, dict[str, object]] = {
        "model": {"sha256": entry.card.sha256},
        "input": {"sha256": origin.sha256, "channel_index": origin.channel_index},
        "voxel_size_um": {"input": list(loaded.stack.voxel_size_um or ())},
        "options": {name: getattr(options, name) for name in ("grid", "fit", "engine")},
        "reading": dict(loaded.reading),
    }
    return bool(origin.sha256) and all(_agrees(found.get(name), part) for name, part in mine.items())


def _agrees(found: object, wanted: dict[str, object]) -> bool:
    return isinstance(found, dict) and all(found.get(name) == value for name, value in wanted.items())


def _sentence(problem: Exception) -> str:
    """Say what a person can mend; a bug is logged with its traceback, and named."""
    if isinstance(problem, LabelFreeError):
        return " ".join(str(problem).split())
    if isinstance(problem, OSError):
        return f"{problem.filename or 'the file'}: {problem.strerror or problem}"
    _LOG.error("a bug in labelfree", exc_info=problem)
    return f"bug in labelfree: {type(problem).__name__}: {problem}"
