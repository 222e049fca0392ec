"""Files and a model for the tests of the command line, batches and recipes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter

MODEL_ID = "tiny-dna-3d"
SIZE_UM = (0.29, 0.29, 0.29)
SHAPE = (12, 40, 56)


@dataclass(frozen=True)
class Cells:
    """A field as it would come from a microscope: bright-field and one stain."""

    file: Path
    light: np.ndarray
    stain: np.ndarray


def write_channels(path: Path, channels: dict[str, np.ndarray], size_um: tuple[float, ...] | None) -> Path:
    """Write ZCYX (one channel: ZYX) with names and, where given, voxel sizes."""
    stacks = list(channels.values())
    metadata: dict[str, object] = {"axes": "ZCYX" if len(stacks) > 1 else "ZYX"}
    metadata["Channel"] = {"Name": list(channels)}
    for axis, size in zip("ZYX", size_um or (), strict=False):
        metadata |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": "µm"}
    voxels = np.stack(stacks, axis=1) if len(stacks) > 1 else stacks[0]
    tifffile.imwrite(path, voxels, ome=True, photometric="minisblack", metadata=metadata)
    return path


@pytest.fixture
def write_ome() -> Callable[..., Path]:
    """Write channels by name as an OME-TIFF."""
    return write_channels


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with one small network of random weights: enough to run, never to believe."""
    import torch

    from labelfree_core.models.build import build
    from labelfree_core.models.card import ModelCard
    from labelfree_core.models.store import save_model

    folder = tmp_path_factory.mktemp("models")
    card = ModelCard(MODEL_ID, "DNA", "DNA", "bright-field", 3, "fnet", {"mult_chan": 2, "depth": 2}, SIZE_UM)
    torch.manual_seed(0)
    save_model(folder / MODEL_ID, build(card).state_dict(), card)
    return folder


@pytest.fixture
def model_id(tiny_models: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of the small network, in the folder where a person's own models are."""
    monkeypatch.setenv("LABELFREE_MODELS", str(tiny_models))
    return MODEL_ID


@pytest.fixture
def cells(tmp_path: Path) -> Cells:
    """A two-channel OME-TIFF with names and voxel sizes."""
    rng = np.random.default_rng(7)
    stain = np.clip(gaussian_filter(rng.normal(size=SHAPE), 3) * 40_000 - 500, 0, 60_000) + 200
    light = 9000 - 0.2 * stain + rng.normal(0, 40, SHAPE)
    light, stain = light.astype(np.uint16), stain.astype(np.uint16)
    file = write_channels(tmp_path / "cells.ome.tif", {"Bright_100": light, "H3342": stain}, SIZE_UM)
    return Cells(file, light, stain)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, so that default output names land somewhere harmless."""
    place = tmp_path / "out"
    place.mkdir()
    monkeypatch.chdir(place)
    return place
