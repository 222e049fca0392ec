"""Small models, saved like real ones, for the tests of prediction."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from labelfree_core.models.build import build
from labelfree_core.models.card import ModelCard
from labelfree_core.models.store import ModelEntry, save_model


def shake(network: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Give batch normalisation statistics of its own, as training would."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in network.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2, generator=generator)
        elif name.endswith(("running_mean", "bias")):
            tensor.normal_(0, 0.3, generator=generator)
    return network.eval()


@pytest.fixture
def make_model(tmp_path: Path) -> Callable[..., ModelEntry]:
    """Save a small published network with random weights and return its entry."""

    def make(ndim: int = 3, **changes: object) -> ModelEntry:
        settings: dict[str, object] = {
            "id": f"small-{ndim}d",
            "title": "Small",
            "structure": "DNA",
            "modality": "bright-field",
            "ndim": ndim,
            "architecture": "fnet",
            "network": {"mult_chan": 4, "depth": 2},
            "voxel_size_um": (0.29,) * ndim,
            **changes,
        }
        card = ModelCard(**settings)  # type: ignore[arg-type]
        torch.manual_seed(1)
        network = shake(build(card))
        return save_model(tmp_path / card.id, network.state_dict(), card)

    return make
