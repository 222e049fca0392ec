"""
Predict a stack at full resolution with the published network, within 2 GB: 65 x 624 x 924 voxels.

    python benchmarks/large.py [--shape 65,624,924] [--memory-mb 2000] [--tiles N] [--threads N]

Eager PyTorch would need about 43 GB. The plan is made for the whole volume; --tiles runs only its first N
tiles, which is enough to see the peak, since all tiles have one size. The work is 3.3 times that of the
volume: about a minute of processor time a tile, five to ten minutes for all on two idle cores. Memory is
everything that the process holds beyond the image and the result, looked at every 5 ms.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from run import Peak  # noqa: E402 - beside this file

from labelfree_core.inference.engine import Engine  # noqa: E402 - after the folder is known
from labelfree_core.inference.layout import layout  # noqa: E402
from labelfree_core.inference.memory import give_back  # noqa: E402
from labelfree_core.inference.padding import pad  # noqa: E402
from labelfree_core.models.unet import FNet  # noqa: E402


def main() -> None:
    """Plan, run as many tiles as asked for, and print the peak."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--shape", default="65,624,924")
    parser.add_argument("--memory-mb", type=int, default=2000)
    parser.add_argument("--tiles", type=int, help="run only so many")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    engine = Engine(FNet().eval())
    shape = tuple(int(n) for n in given.shape.split(","))
    image, _ = pad(np.random.default_rng(0).normal(size=shape).astype(np.float32), engine.divisor)
    plan = layout(engine, image.shape, given.memory_mb * 10**6)
    print(
        f"{image.shape} voxels in {len(plan.tiles)} tiles of {plan.tiles[0].shape}, halo {plan.halo}, "
        f"{plan.how.name}; planned peak {plan.peak_bytes / 1e6:.0f} MB, {plan.flops / 1e12:.0f} TFLOP",
        flush=True,
    )
    total = np.zeros(image.shape, np.float32)
    tiles = plan.tiles[: given.tiles]
    give_back()
    with Peak() as peak:
        wall, cpu = time.perf_counter(), time.process_time()
        for number, tile in enumerate(tiles, 1):
            tile.add(total, engine.run(image[tile.read], how=plan.how))
            print(f"tile {number}: {time.perf_counter() - wall:.0f} s", flush=True)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    held = peak.mib * 2**20 / 1e6
    print(
        f"{len(tiles)} of {len(plan.tiles)} tiles in {wall:.0f} s ({cpu:.0f} s of processor time); peak "
        f"{held:.0f} MB, {held / given.memory_mb:.0%} of what is allowed"
    )
    sys.exit(held > given.memory_mb)


if __name__ == "__main__":
    main()
