"""Fixtures that every room of the tests may use."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import settings

from labelfree_core.images.stack import ImageStack, Origin

# A shared machine may stop for seconds: a slow example is no failure, a wrong one is.
settings.register_profile("labelfree", deadline=None, max_examples=40)
settings.load_profile("labelfree")


@pytest.fixture(scope="session")
def real_pairs() -> Path:
    """The folder of real image pairs, where a machine has it."""
    folder = os.environ.get("LABELFREE_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("LABELFREE_DATA names no folder of real image pairs")
    return Path(folder)


@pytest.fixture
def trainers() -> Callable[[], list[psutil.Process]]:
    """Find the running trainings of this process, which may have a browser and servers as children too."""

    def find() -> list[psutil.Process]:
        children = psutil.Process().children()
        return [child for child in children if "labelfree_core.training.trainer" in child.cmdline()]

    return find


@pytest.fixture
def files_up_to() -> Callable[[int], AbstractContextManager[None]]:
    """Let the system refuse to write more than so many bytes into one file."""
    if sys.platform == "win32":
        pytest.skip("Windows has no such limit")
    import resource

    @contextmanager
    def limit(n_bytes: int) -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limit


@pytest.fixture
def make_stack() -> Callable[..., ImageStack]:
    """Build a smooth random stack, the same for the same seed."""

    def build(
        shape: tuple[int, ...] = (16, 48, 64),
        *,
        seed: int = 0,
        voxel_size_um: tuple[float, ...] | None = None,
    ) -> ImageStack:
        noise = np.random.default_rng(seed).normal(size=shape)
        for axis in range(noise.ndim):
            noise = noise + np.roll(noise, 1, axis) + np.roll(noise, -1, axis)
        size = (0.29,) * len(shape) if voxel_size_um is None else voxel_size_um
        return ImageStack((1000 + 50 * noise).astype(np.uint16), size, Origin(name=f"seed-{seed}"))

    return build
