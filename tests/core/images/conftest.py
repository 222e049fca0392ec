"""Files for the tests of images."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile


@pytest.fixture
def cells() -> Callable[..., np.ndarray]:
    """Bright-field-like planes: soft cells on an even lamp, with photon noise."""

    def build(shape: tuple[int, ...] = (12, 160, 192), *, seed: int = 0, focus: bool = True) -> np.ndarray:
        from scipy import ndimage

        random = np.random.default_rng(seed)
        depth, height, width = shape
        fine = ndimage.gaussian_filter(random.normal(size=(height, width)), 1.2)
        coarse = ndimage.gaussian_filter(random.normal(size=(height, width)), 6)
        detail = fine / fine.std() + coarse / coarse.std()
        planes = []
        for z in range(depth):
            blur = abs(z - depth / 2) / 2 if focus else 0
            planes.append(10_000 + 900 * ndimage.gaussian_filter(detail, blur) * (1 + 0.02 * z))
        return random.poisson(np.stack(planes)).astype(np.uint16)

    return build


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """Write a TIFF and return its path."""

    def write(voxels: np.ndarray, name: str = "image.tif", **options: object) -> Path:
        path = tmp_path / name
        tifffile.imwrite(path, voxels, **options)
        return path

    return write
