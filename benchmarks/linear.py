"""
Measure time and memory of a prediction against the size of the image, and draw both.

    python benchmarks/linear.py [--threads N] [--memory-mib 1024] [--write]

Our own network for z-stacks, on cubes of noise from 1 to 64 million voxels, each in a process of its own, by
processor time. With --write the plot becomes docs/performance/linear.svg, shown in docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- linear begin -->", "<!-- linear end -->"
PLOT = ROOT / "docs" / "performance" / "linear.svg"
# 1, 2, 4 ... 64 million voxels as microscopes make them: first larger fields, then deeper ones.
SHAPES = (
    (16, 256, 256),
    (32, 256, 256),
    (32, 352, 352),
    (32, 512, 512),
    (32, 720, 720),
    (32, 1024, 1024),
    (64, 1024, 1024),
)
Row = dict[str, float]


def main() -> None:
    """Measure all sizes, print a table, and draw it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--memory-mib", type=int, default=1024)
    parser.add_argument("--largest", type=float, default=64, help="million voxels")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        shape = tuple(int(n) for n in given.one.split(","))
        print(json.dumps(measure(shape, given.threads, given.memory_mib)))
        return
    rows = []
    for shape in (shape for shape in SHAPES if math.prod(shape) <= given.largest * 1.1e6):
        command = [sys.executable, __file__, "--one", ",".join(map(str, shape))]
        command += ["--threads", str(given.threads), "--memory-mib", str(given.memory_mib)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(" ".join(f"{name} {value:.4g}" for name, value in rows[-1].items()), flush=True)
    slope = exponent(rows)
    print(f"processor time grows with voxels to the power of {slope:.2f}")
    if given.write:
        PLOT.parent.mkdir(parents=True, exist_ok=True)
        PLOT.write_text(draw(rows, given.memory_mib), encoding="utf-8")
        text = PAGE.read_text(encoding="utf-8")
        head, tail = text.split(BEGIN)[0], text.split(END)[1]
        shown = f"![Time and memory against voxels](performance/{PLOT.name})"
        PAGE.write_text(f"{head}{BEGIN}\n{shown}\n{END}{tail}", encoding="utf-8")


def measure(shape: tuple[int, ...], threads: int, memory_mib: int) -> Row:
    """Predict one image of noise; this process does nothing else."""
    import torch
    from run import SHIPPED, Peak

    from labelfree_core.inference.engine import Engine
    from labelfree_core.inference.memory import give_back
    from labelfree_core.inference.running import run
    from labelfree_core.models.compact import Compact3d

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    engine = Engine(Compact3d(**SHIPPED).eval())
    engine.run(np.zeros((4, 64, 64), np.float32))
    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    give_back()
    with Peak() as peak:
        cpu = time.process_time()
        done = run(engine, image, memory_mib * 2**20)
        cpu = time.process_time() - cpu
    return {
        "mvoxels": math.prod(shape) / 1e6,
        "seconds": cpu,
        "mib": peak.mib - done.voxels.nbytes / 2**20,
        "pieces": done.layout.pieces,
    }


def exponent(rows: list[Row]) -> float:
    """Slope of the time in a plot with two logarithmic axes: 1 is linear."""
    x, y = (np.log([row[name] for row in rows]) for name in ("mvoxels", "seconds"))
    return float(np.polyfit(x, y, 1)[0])


def draw(rows: list[Row], memory_mib: int) -> str:
    """Draw time and memory against voxels as SVG."""
    from labelfree_core.inference.layout import OVERHEAD

    left = panel(rows, "seconds", "processor time, s", 60)
    right = panel(rows, "mib", "memory beyond image and result, MiB", 460)
    title = (
        f"Our own network for z-stacks: time to the power of {exponent(rows):.2f}; memory stays within the "
        f"{memory_mib} MiB allowed, {OVERHEAD // 2**20} of them for the libraries"
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 840 340" font-family="sans-serif" '
        'font-size="12"><rect width="840" height="340" fill="#fff"/>'
        f'<text x="20" y="22">{title}</text>{left}{right}</svg>\n'
    )


def panel(rows: list[Row], name: str, label: str, x0: int) -> str:
    """One plot, 320 x 230 pixels, both axes logarithmic."""
    xs, ys = [row["mvoxels"] for row in rows], [max(row[name], 1e-3) for row in rows]
    (x_low, x_high), (y_low, y_high) = _decades(xs), _decades(ys)

    def at(x: float, y: float) -> tuple[float, float]:
        right = 320 * math.log10(x / x_low) / math.log10(x_high / x_low)
        up = 230 * math.log10(y / y_low) / math.log10(y_high / y_low)
        return round(x0 + right, 1), round(280 - up, 1)

    parts = [f'<rect x="{x0}" y="50" width="320" height="230" fill="none" stroke="#888"/>']
    for value in _ticks(x_low, x_high):
        x, y = at(value, y_low)
        parts.append(f'<text x="{x}" y="{y + 16}" text-anchor="middle">{value:g}</text>')
    for value in _ticks(y_low, y_high):
        x, y = at(x_low, value)
        parts.append(f'<text x="{x - 6}" y="{y + 4}" text-anchor="end">{value:g}</text>')
        parts.append(f'<line x1="{x}" x2="{x + 320}" y1="{y}" y2="{y}" stroke="#ddd"/>')
    points = [at(x, y) for x, y in zip(xs, ys, strict=True)]
    parts.append(
        f'<polyline fill="none" stroke="#0072b2" points="{" ".join(f"{x},{y}" for x, y in points)}"/>'
    )
    parts += [f'<circle cx="{x}" cy="{y}" r="4" fill="#0072b2"/>' for x, y in points]
    parts.append(f'<text x="{x0 + 160}" y="318" text-anchor="middle">million voxels</text>')
    parts.append(f'<text x="{x0}" y="42">{label}</text>')
    return "".join(parts)


def _decades(values: list[float]) -> tuple[float, float]:
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values) * 1.001))
    return 10.0**low, 10.0 ** max(high, low + 1)


def _ticks(low: float, high: float) -> list[float]:
    return [10.0**n for n in range(round(math.log10(low)), round(math.log10(high)) + 1)]


if __name__ == "__main__":
    main()
