"""
Compare the time told before a prediction with the time it takes, on a machine without other work.

    python benchmarks/told.py [--rounds 3] [--write]

Each round learns the pace anew, as the first prediction after a start does. Wall clock, all threads: what
a person sees. With --write the table goes into docs/performance.md. About two minutes on two cores.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- told begin -->", "<!-- told end -->"
Trial = Callable[[], tuple[float, float]]
FIELD_UM = (0.29, 0.108, 0.108)
CASES = {
    "published network alone": (None, (32, 128, 176), None),
    "`dna-brightfield-3d`, small stack": ("dna-brightfield-3d", (16, 256, 256), (0.29, 0.29, 0.29)),
    "`dna-brightfield-3d`, large stack, resized": ("dna-brightfield-3d", (65, 624, 924), FIELD_UM),
    "`dna-brightfield-2d`, one plane": ("dna-brightfield-2d", (1200, 1200), None),
}


def main() -> None:
    """Time all cases, print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    lines = [
        f"{given.rounds} rounds, {torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}.",
        "",
        "| prediction | told, s | took, s | told / took, lowest to highest |",
        "|---|---|---|---|",
    ]
    for title, (model, shape, size) in CASES.items():
        trial = of_published(shape) if model is None else of_model(model, shape, size)
        pairs = [trial() for _ in range(given.rounds)]
        told, took = (statistics.median(times) for times in zip(*pairs, strict=True))
        ratios = sorted(a / b for a, b in pairs)
        lines.append(f"| {title} | {told:.2f} | {took:.2f} | {ratios[0]:.2f} to {ratios[-1]:.2f} |")
        print(lines[-1], flush=True)
    table = "\n".join(lines)
    print(table)
    if given.write:
        text = PAGE.read_text(encoding="utf-8")
        head, tail = text.split(BEGIN)[0], text.split(END)[1]
        PAGE.write_text(f"{head}{BEGIN}\n{table}\n{END}{tail}", encoding="utf-8")


def of_published(shape: tuple[int, ...]) -> Trial:
    """Return what tells and takes the time of the published network, without what stands around it."""
    from labelfree_core.inference.engine import Engine
    from labelfree_core.inference.speed import measure
    from labelfree_core.models.unet import FNet

    torch.manual_seed(0)
    engine = Engine(FNet().eval())
    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    engine.run(image)  # the memory it needs is mapped now

    def trial() -> tuple[float, float]:
        told = measure(engine).seconds(engine.cost(shape).flops)
        begun = time.perf_counter()
        engine.run(image)
        return told, time.perf_counter() - begun

    return trial


def of_model(model: str, shape: tuple[int, ...], size: tuple[float, ...] | None) -> Trial:
    """Return what tells and takes the time of a whole prediction, without loading the model."""
    from labelfree_core import ImageStack, estimate, find_model, predict
    from labelfree_core.inference.engines import release_engines

    entry = find_model(model)
    noise = np.random.default_rng(0).normal(2000, 200, shape).astype(np.uint16)
    stack = ImageStack(noise, size or entry.card.voxel_size_um)

    def trial() -> tuple[float, float]:
        release_engines()  # with them goes what was learnt
        told = estimate(stack, entry).seconds
        seconds = predict(stack, entry).seconds
        return told, seconds["total"] - seconds["load"]

    return trial


if __name__ == "__main__":
    main()
