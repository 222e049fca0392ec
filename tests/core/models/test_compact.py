"""Our small networks: sizes, reach, and that a stack of planes is what it says."""

import pytest
import torch
from torch import Tensor, nn

from labelfree_core.models.card import ModelCard
from labelfree_core.models.compact import Compact2d, Compact3d
from labelfree_core.models.unet import FNet


def ready(network: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
    return network.eval().requires_grad_(False)


def reached(network: nn.Module, shape: tuple[int, ...], at: tuple[int, ...]) -> Tensor:
    """Positions of the output that feel a change of one input voxel."""
    x = torch.randn(1, 1, *shape)
    changed = x.clone()
    changed[0, 0][at] += 100
    return (network(x) != network(changed))[0, 0].nonzero()


@pytest.mark.parametrize("shape", [(16, 16), (48, 80)])
def test_a_plane_keeps_its_size(shape: tuple[int, int]) -> None:
    network = ready(Compact2d(widths=(4, 6, 8, 10)))
    assert network(torch.zeros(2, 1, *shape)).shape == (2, 1, *shape)


@pytest.mark.parametrize("planes", [4, 8, 20])
def test_a_stack_keeps_its_size_and_outputs(planes: int) -> None:
    network = ready(Compact3d(n_out=2, widths=(4, 6), block=4, context=6))
    assert network(torch.zeros(1, 1, planes, 8, 12)).shape == (1, 2, planes, 8, 12)


def test_nothing_reaches_beyond_the_stated_halo_of_a_plane() -> None:
    network = ready(Compact2d(widths=(4, 6, 8)))
    felt = reached(network, (160, 160), (80, 80))
    assert int((felt - 80).abs().max()) <= network.halo[0]


def test_nothing_reaches_beyond_the_stated_halo_of_a_stack() -> None:
    network = ready(Compact3d(widths=(4, 6), block=4, context=6))
    felt = reached(network, (40, 64, 64), (18, 32, 32))
    assert int((felt[:, 0] - 18).abs().max()) <= network.halo[0] + network.block
    assert int((felt[:, 1:] - 32).abs().max()) <= network.halo[1]


def test_a_stack_cut_between_blocks_is_predicted_the_same() -> None:
    network = ready(Compact3d(widths=(4, 6), block=4, context=6))
    x = torch.randn(1, 1, 32, 16, 16)
    torch.testing.assert_close(network(x)[:, :, 8:16], network(x[:, :, :24])[:, :, 8:16])


def multiply_adds_a_voxel(network: nn.Module, shape: tuple[int, ...]) -> float:
    total = 0

    def count(layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        nonlocal total
        weights = layer.weight.numel()
        positions = inputs[0].numel() if layer.transposed else output.numel()
        total += positions * weights // (layer.in_channels if layer.transposed else layer.out_channels)

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ConvTranspose3d):
            layer.register_forward_hook(count)
    with torch.device("meta"):
        network.to("meta")(torch.empty(1, 1, *shape))
    return total / torch.Size(shape).numel()


def test_the_shipped_shape_needs_a_tenth_of_the_published_arithmetic() -> None:
    shape = (16, 64, 64)
    published = multiply_adds_a_voxel(FNet(ndim=3).eval(), shape)
    assert published == pytest.approx(227_000, rel=0.02)
    assert multiply_adds_a_voxel(Compact3d().eval(), shape) < published / 10


def test_a_card_builds_the_network_it_names() -> None:
    from labelfree_core.models.build import build

    card = ModelCard(
        "a", "A", "DNA", "bright-field", 3, "compact", {"widths": [4, 6], "block": 4, "context": 2}
    )
    assert isinstance(build(card), Compact3d)
