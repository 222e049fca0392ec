"""
Measure the prediction paths against the published one, and write the table into docs/performance.md.

    python benchmarks/run.py [--shape 32,256,352] [--rounds 3] [--threads N] [--write]

Every path runs in a process of its own, because the allocator's settings are those of a
process, and the rounds are interleaved, so that a busy machine slows all paths alike: trust
the ratios, not the seconds. Weights are random with the statistics of a trained network's
batch normalisation; speed and memory do not depend on them. OpenVINO has a row where it is
installed. The defaults take about ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import torch
from limit import limit

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
PAGE = ROOT / "docs" / "performance.md"
DIRECT_FLOPS = 459_072  # a voxel of the published network, by the direct sum
BEGIN, END = "<!-- benchmark begin -->", "<!-- benchmark end -->"
PATHS = {
    "eager": "published path: eager fp32, whole volume, default allocator",
    "whole": "this engine, whole volume",
    "strips": "this engine, full resolution in strips",
    "strips-twice": "this engine, strips, way down computed twice",
    "two-levels": "this engine, two levels in strips, way down computed twice",
    "tiles": "this engine, two overlapping tiles",
    "preview": "this engine, 8-bit preview",
    "openvino": "OpenVINO, float32 (not part of this software)",
    "compact": "our own network (Compact3d), this engine",
    "compact-preview": "our own network, 8-bit preview",
    "compact-openvino": "our own network, OpenVINO",
}
if importlib.util.find_spec("openvino") is None:
    PATHS = {path: title for path, title in PATHS.items() if "openvino" not in path}
Run = Callable[[np.ndarray], np.ndarray]
SHIPPED = {"widths": (64, 128, 192), "fold": 4, "block": 4, "context": 6}  # of the models for z-stacks
HALO = 64  # voxels, of the published network
HOW = {"whole": 0, "strips": 1, "strips-twice": 2, "two-levels": 3}


def main() -> None:
    """Run all paths, print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--shape", default="32,256,352")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--save", help=argparse.SUPPRESS)
    given = parser.parse_args()
    shape = tuple(int(n) for n in given.shape.split(","))
    if given.one:
        torch.set_num_threads(given.threads)
        print(json.dumps(measure(given.one, shape, Path(given.save))))
        return
    table = run_all(shape, given.rounds, given.threads)
    print(table)
    if given.write:
        text = PAGE.read_text(encoding="utf-8")
        head, tail = text.split(BEGIN)[0], text.split(END)[1]
        PAGE.write_text(f"{head}{BEGIN}\n{table}\n{END}{tail}", encoding="utf-8")


def run_all(shape: tuple[int, ...], rounds: int, threads: int) -> str:
    """Run every path *rounds* times, interleaved, and return the table."""
    results: dict[str, list[dict]] = {path: [] for path in PATHS}
    errors: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for path in PATHS:
                saved = Path(folder) / f"{path}.npy"
                command = [sys.executable, __file__, "--one", path, "--save", str(saved)]
                command += ["--shape", ",".join(map(str, shape)), "--threads", str(threads)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                results[path].append(json.loads(done.stdout.splitlines()[-1]))
                print(f"{path}: {results[path][-1]['wall']:.1f} s", flush=True)
        for path in PATHS:
            reference = "compact" if path.startswith("compact") else "eager"
            wanted, found = (np.load(Path(folder) / f"{name}.npy") for name in (reference, path))
            errors[path] = "-" if path == reference else difference(found, wanted)
    return describe(results, errors, shape, threads)


def difference(found: np.ndarray, wanted: np.ndarray) -> str:
    """Say how far a result is from the one it should be."""
    error = float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))
    if error < 1e-4:
        return f"{error:.0e}"
    worst = float(np.abs(found - wanted).max() / np.abs(wanted).max())
    return f"{error:.0e} (r {np.corrcoef(found.ravel(), wanted.ravel())[0, 1]:.5f}, worst voxel {worst:.1%})"


def measure(path: str, shape: tuple[int, ...], save: Path) -> dict[str, float]:
    """Run one path once after a warm-up on a small image; this process does nothing else."""
    run, estimated, flops = prepare(path, shape)
    from labelfree_core.inference.memory import give_back

    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    give_back()  # what building the network took is no part of the run
    with Peak() as peak:
        wall, cpu = time.perf_counter(), time.process_time()
        result = run(image)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    np.save(save, result)
    return {"wall": wall, "cpu": cpu, "mib": peak.mib, "estimated": estimated / 2**20, "flops": flops}


def prepare(path: str, shape: tuple[int, ...]) -> tuple[Run, int, int]:
    """Return what to call, the estimated bytes, and the floating point operations."""
    from labelfree_core.models.compact import Compact3d
    from labelfree_core.models.unet import FNet

    torch.manual_seed(0)
    own = path.startswith("compact")
    network = (Compact3d(**SHIPPED) if own else FNet()).eval()
    for name, tensor in network.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2)
    small = np.zeros((16, 32, 32), np.float32)
    if path == "eager":

        def eager(image: np.ndarray) -> np.ndarray:
            with torch.no_grad():
                return network(torch.from_numpy(image)[None, None])[0, 0].numpy()

        eager(small)
        return eager, 0, DIRECT_FLOPS * int(np.prod(shape))
    if path.endswith("openvino"):
        return openvino(network, shape), 0, 0
    from labelfree_core.inference.engine import Engine
    from labelfree_core.inference.layout import layout, working_bytes
    from labelfree_core.inference.running import run

    engine = Engine(network, preview=path.endswith("preview"))
    engine.run(small)
    if path == "tiles":
        tile = (*shape[:-1], (shape[-1] // 2 + HALO + 15) // 16 * 16)
        planned = layout(engine, shape, 2**40, tile)
        return lambda image: run(engine, image, 2**40, tile=tile).voxels, planned.peak_bytes, planned.flops
    how = engine.choices[HOW.get(path, 0)]
    cost = engine.cost(shape, how)
    return lambda image: engine.run(image, how=how), working_bytes(cost), cost.flops


def openvino(network: torch.nn.Module, shape: tuple[int, ...]) -> Run:
    """Return the network as OpenVINO runs it on the processor, in 32 bits."""
    import openvino

    example = torch.zeros(1, 1, *shape)
    # Our own network counts its blocks of planes while it is traced, the published one has none.
    traced = torch.zeros(1, 1, shape[0], 32, 32)
    model = openvino.convert_model(network, example_input=traced, input=[example.shape])
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
    request = openvino.Core().compile_model(model, "CPU", options).create_infer_request()
    return lambda image: request.infer({0: image[None, None]})[0][0, 0]


class Peak:
    """Highest resident memory above that at the start, in MiB, looked at every 5 ms."""

    def __enter__(self) -> Peak:
        self._process = psutil.Process()
        self._start = self._top = self._process.memory_info().rss
        self._going = True
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._going = False
        self._thread.join()
        self.mib = (self._top - self._start) / 2**20

    def _watch(self) -> None:
        while self._going:
            self._top = max(self._top, self._process.memory_info().rss)
            time.sleep(0.005)


def describe(
    results: dict[str, list[dict]], errors: dict[str, str], shape: tuple[int, ...], threads: int
) -> str:
    """Return the Markdown table, with the machine and the versions above it."""

    def middle(path: str, what: str) -> float:
        return statistics.median(one[what] for one in results[path])

    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    core, way = limit(threads)
    lines = [
        f"{' x '.join(map(str, shape))} voxels, {len(results['eager'])} interleaved rounds, medians. "
        f"{processor()}, {threads} threads, load {load:.1f}; at most {core:.0f} GFLOP/s a core ({way}). "
        f"Python {platform.python_version()}, torch {torch.__version__}, {platform.system()}.",
        "",
        "| path | s | times faster | times less processor time | of the limit | peak MiB | planned MiB "
        "| relative L2 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for path, title in PATHS.items():
        wall, cpu = middle(path, "wall"), middle(path, "cpu")
        faster, less = middle("eager", "wall") / wall, middle("eager", "cpu") / cpu
        planned = f"{middle(path, 'estimated'):.0f}" if middle(path, "estimated") else ""
        work = DIRECT_FLOPS * np.prod(shape, dtype=float)
        share = "" if path.startswith("compact") else f"{work / cpu / core / 1e9:.0%}"
        lines.append(
            f"| {title} | {wall:.1f} | {faster:.2f} | {less:.2f} | {share} | {middle(path, 'mib'):.0f} "
            f"| {planned} | {errors[path]} |"
        )
    return "\n".join(lines)


def processor() -> str:
    """Name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
