"""What a soak found, as one table."""

from __future__ import annotations

import argparse
import os
import platform
import statistics
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from run import Diary

BEGIN, END = "<!-- soak begin -->", "<!-- soak end -->"
SLIDES = {
    "alone": "slider, nobody else there",
    "others": "slider, others there, none predicting",
    "predicting": "slider, others predicting",
}


def describe(diary: Diary, given: argparse.Namespace) -> dict[str, object]:
    """Return the table and all figures behind it."""
    end = 60 * given.minutes
    # By then the first who came have been forgotten again: as many sessions are kept as ever will be.
    warm = max(0.2 * end, min(90.0 + 2 * given.ttl, 0.5 * end))
    memory = {name: growth(diary.memory, name, warm) for name in ("server", "worker")}
    rows = [_seconds_row("prediction, from the click to the result", diary.predictions)]
    rows.append(_seconds_row("opening a page", diary.draws))
    by_kind = {kind: [s for when, s in diary.slides if when == kind] for kind in SLIDES}
    rows += [_seconds_row(SLIDES[kind], found) for kind, found in by_kind.items()]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    left = diary.left_over
    lines = [
        f"{given.visitors} visitors for {given.minutes:g} minutes: {diary.visits} visits, "
        f"{len(diary.predictions)} predictions, **{len(diary.errors)} errors**. {os.cpu_count()} cores, "
        f"{given.threads} of them for the worker, load {load:.1f}; Python {platform.python_version()}, "
        f"{platform.system()}.",
        "",
        "| what | n | median s | p95 s |",
        "|---|---|---|---|",
        *rows,
        "",
        f"| memory, MiB | start | median just after warm-up ({warm / 60:.0f} min) | median at the end | peak "
        "| slope after warm-up, MiB/h |",
        "|---|---|---|---|---|---|",
        *(
            f"| {name} | {m['start']:.0f} | {m['early']:.0f} | {m['late']:.0f} | {m['peak']:.0f} "
            f"| {m['slope']:+.0f} |"
            for name, m in memory.items()
        ),
        "",
        f"Once everybody was gone: {left['sessions']:.0f} folders of sessions, {left['threads']:.0f} "
        f"threads, {left['files']:.0f} open files, server {left['server']:.0f} MiB.",
    ]
    slides = {kind: _figures(found) for kind, found in by_kind.items()}
    return {
        "table": "\n".join(lines),
        "errors": diary.errors,
        "memory": memory,
        "slides": slides,
        "left": left,
        "samples": diary.memory,
    }


def growth(samples: list[dict[str, float]], name: str, warm: float) -> dict[str, float]:
    """Memory at the start, just after warm-up and at the end, its peak, and its slope after warm-up."""
    values = [sample[name] for sample in samples]
    steady = [(sample["s"], sample[name]) for sample in samples if sample["s"] >= warm] or [
        (sample["s"], sample[name]) for sample in samples
    ]
    third = max(1, len(steady) // 3)
    times, sizes = [s for s, _ in steady], [size for _, size in steady]
    slope = statistics.linear_regression(times, sizes).slope if len(steady) > 2 else 0.0
    return {
        "start": values[0],
        "early": statistics.median(sizes[:third]),
        "late": statistics.median(sizes[-third:]),
        "peak": max(values),
        "slope": slope * 3600,
    }


def write_page(page: Path, table: str) -> None:
    """Put the table between its marks."""
    text = page.read_text(encoding="utf-8")
    head, tail = text.split(BEGIN)[0], text.split(END)[1]
    page.write_text(f"{head}{BEGIN}\n{table}\n{END}{tail}", encoding="utf-8")


def _figures(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    if not ordered:
        return {"n": 0}
    p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    return {"n": len(ordered), "median": statistics.median(ordered), "p95": p95}


def _seconds_row(title: str, seconds: list[float]) -> str:
    found = _figures(seconds)
    if not found["n"]:
        return f"| {title} | 0 | - | - |"
    return f"| {title} | {found['n']} | {found['median']:.2f} | {found['p95']:.2f} |"
