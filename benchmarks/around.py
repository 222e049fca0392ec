"""
Measure what stands around the network: reading, intensities, resizing, pictures, against one prediction.

    python benchmarks/around.py [--shape 65,624,924] [--model dna-brightfield-3d] [--write]

By processor time in one process on one thread, on an image of noise with 0.108 um pixels, so that it is
resized on the way in and out. With --write the table goes into docs/performance.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- around begin -->", "<!-- around end -->"
SIZE_UM = (0.29, 0.108, 0.108)


def main() -> None:
    """Time all steps, print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--shape", default="65,624,924")
    parser.add_argument("--model", default="dna-brightfield-3d")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(tuple(int(n) for n in given.shape.split(",")), given.model, Path(folder))
    table = describe(rows, given.shape, given.model)
    print(table)
    if given.write:
        text = PAGE.read_text(encoding="utf-8")
        head, tail = text.split(BEGIN)[0], text.split(END)[1]
        PAGE.write_text(f"{head}{BEGIN}\n{table}\n{END}{tail}", encoding="utf-8")


def measure(shape: tuple[int, ...], model: str, folder: Path) -> dict[str, float]:
    """Return the processor time of each step in seconds; the whole prediction comes first."""
    from labelfree_core import predict
    from labelfree_core.analysis import display
    from labelfree_core.images.health import examine
    from labelfree_core.images.intensity import percentiles
    from labelfree_core.images.reading import open_image
    from labelfree_core.images.resample import resize_shape
    from labelfree_core.images.stack import ImageStack
    from labelfree_core.images.writing import write_stack
    from labelfree_core.inference.preparing import prepare
    from labelfree_core.models.store import find_model
    from labelfree_core.reports.gif import blink_gif

    card = find_model(model).card
    noise = np.random.default_rng(0).normal(2000, 200, shape).astype(np.uint16)
    stack = ImageStack(noise, SIZE_UM)
    path = folder / "image.ome.tif"
    write_stack(path, stack)
    predict(ImageStack(noise[:, :128, :128], SIZE_UM), model)  # loads the model
    prediction = predict(stack, model)
    small = prepare(stack, card).voxels
    steps: dict[str, Callable[[], object]] = {
        "whole prediction": lambda: predict(stack, model),
        "read the file": lambda: open_image(path).read(),
        "file doctor, once an image": lambda: examine(stack),
        "prepare: intensities and the model's grid": lambda: prepare(stack, card),
        "back to the image's own grid": lambda: resize_shape(small, shape),
        "percentiles of the image": lambda: percentiles(stack.voxels, (0.02, 99.8)),
        "limits of the prediction": lambda: display.limits(prediction.voxels),
        "maximum projection": lambda: display.project(prediction.voxels),
        "blinking GIF": lambda: blink_gif(stack.voxels, prediction.voxels),
        "write the prediction": lambda: write_stack(folder / "out.ome.tif", prediction.stack),
    }
    return {name: seconds(step) for name, step in steps.items()}


def seconds(step: Callable[[], object]) -> float:
    """Processor time of the quicker of two runs."""
    times = []
    for _ in range(2):
        start = time.process_time()
        step()
        times.append(time.process_time() - start)
    return min(times)


def describe(rows: dict[str, float], shape: str, model: str) -> str:
    """Return the Markdown table."""
    whole = next(iter(rows.values()))
    lines = [
        f"{shape.replace(',', ' x ')} voxels of 16 bits, `{model}`, processor time of one thread.",
        "",
        "| step | s | of the prediction |",
        "|---|---|---|",
    ]
    return "\n".join([*lines, *(f"| {name} | {t:.2f} | {t / whole:.0%} |" for name, t in rows.items())])


if __name__ == "__main__":
    main()
