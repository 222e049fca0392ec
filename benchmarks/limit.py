"""
Measure how many floating point operations a second this machine can do at most.

    python benchmarks/limit.py [--threads N]

A few lines of C that do nothing but multiply-adds in registers, compiled for this processor by its own
``cc``; one copy for each thread, all at once. Where there is no compiler, the best rate of a matrix product
stands in, which is lower (72 % of the limit on the machine of docs/performance.md). Rates are by processor
time, so that other programs count little.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

SOURCE = r"""
#include <stdio.h>
#include <time.h>
typedef float lane __attribute__((vector_size(LANES * 4)));
int main(void) {
  lane sums[12], factor, step;
  for (int j = 0; j < LANES; j++) { factor[j] = 0.999f; step[j] = 0.001f; }
  for (int i = 0; i < 12; i++) sums[i] = step * (float)i;  /* 12 sums: no unit waits for its own result */
  double best = 0;
  for (int round = 0; round < 5; round++) {
    const long count = 20000000;
    struct timespec begin, end;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
    for (long k = 0; k < count; k++)
      for (int i = 0; i < 12; i++) sums[i] = sums[i] * factor + step;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    double seconds = (end.tv_sec - begin.tv_sec) + 1e-9 * (end.tv_nsec - begin.tv_nsec);
    double rate = 12.0 * LANES * 2 * count / seconds / 1e9;
    if (rate > best) best = rate;
  }
  float total = 0;
  for (int i = 0; i < 12; i++) for (int j = 0; j < LANES; j++) total += sums[i][j];
  printf("%f %f\n", best, total);  /* the sum is printed so that it is computed */
  return 0;
}
"""
OPTIONS = ("-O3", "-march=native", "-mprefer-vector-width=512", "-ffp-contract=fast")


@cache
def limit(threads: int) -> tuple[float, str]:
    """Return GFLOP/s of one of *threads* busy cores, and how it was found."""
    compiler = shutil.which("cc")
    if compiler is not None:
        try:
            with tempfile.TemporaryDirectory() as folder:
                rates = [_rate(compiler, lanes, Path(folder), threads) for lanes in (8, 16)]
            return max(rates), "multiply-adds in registers"
        except (subprocess.CalledProcessError, OSError, ValueError):
            pass  # another kind of processor or compiler
    return _matrix_product(), "the best matrix product"


def _rate(compiler: str, lanes: int, folder: Path, threads: int) -> float:
    source, program = folder / "limit.c", folder / f"limit-{lanes}"
    source.write_text(SOURCE, encoding="utf-8")
    command = [compiler, *OPTIONS, f"-DLANES={lanes}", str(source), "-o", str(program)]
    subprocess.run(command, check=True, capture_output=True)
    copies = [subprocess.Popen([str(program)], stdout=subprocess.PIPE, text=True) for _ in range(threads)]
    return statistics.median(float(copy.communicate()[0].split()[0]) for copy in copies)


def _matrix_product() -> float:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    best = 0.0
    for side in (512, 1024, 1536):
        a, b = torch.randn(side, side), torch.randn(side, side)
        for _ in range(5):
            start = time.thread_time()
            torch.mm(a, b)
            best = max(best, 2 * side**3 / max(time.thread_time() - start, 1e-9) / 1e9)
    torch.set_num_threads(before)
    return best


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    found, way = limit(parser.parse_args().threads)
    print(f"{found:.0f} GFLOP/s a core ({way}); {_matrix_product():.0f} GFLOP/s by the best matrix product")
