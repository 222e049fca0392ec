"""Convolutions made of planes give what the direct sum gives, wherever they are cut into pieces."""

import pytest
import torch
from torch import Tensor, nn

from labelfree_core.inference import planewise
from labelfree_core.inference.interruptible import Interruptible, onednn, reporting
from labelfree_core.inference.planewise import Thin, Winograd, plane_wise

pytestmark = pytest.mark.skipif(not onednn(transposed=False), reason="this PyTorch has no oneDNN")


def conv(n_in: int, n_out: int, **options: object) -> nn.Conv3d:
    torch.manual_seed(0)
    return nn.Conv3d(n_in, n_out, **{"kernel_size": 3, "padding": 1, **options}).requires_grad_(False)


def image(*shape: int) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(1, *shape).contiguous(memory_format=torch.channels_last_3d)


def exact(layer: nn.Conv3d, x: Tensor) -> Tensor:
    weight, bias = layer.weight.double(), None if layer.bias is None else layer.bias.double()
    return torch.nn.functional.conv3d(x.double(), weight, bias, padding=1)


def relative_l2(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).norm() / wanted.norm())


@pytest.mark.parametrize("piece_bytes", [2**14, 2**18, 2**24])
@pytest.mark.parametrize("depth", [4, 8, 20])
@pytest.mark.parametrize("bias", [True, False])
def test_winograd_equals_the_direct_sum(
    piece_bytes: int, depth: int, bias: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planewise, "PIECE_BYTES", piece_bytes)
    layer, x = conv(16, 24, bias=bias), image(16, depth, 37, 9)
    assert plane_wise(layer) is Winograd
    found = Winograd(layer)(x, relu=False, on_work=lambda _flops: None)
    # One layer of 16 channels is at 8e-7; beyond 3e-6 something else than rounding is at work.
    assert relative_l2(found, exact(layer, x)) <= 3e-6


@pytest.mark.parametrize("piece_bytes", [2**10, 2**18, 2**24])
@pytest.mark.parametrize(("n_out", "depth"), [(1, 1), (1, 7), (3, 10)])
def test_few_output_channels_equal_the_direct_sum(
    piece_bytes: int, n_out: int, depth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planewise, "PIECE_BYTES", piece_bytes)
    layer, x = conv(16, n_out), image(16, depth, 21, 9)
    assert plane_wise(layer) is Thin
    found = Thin(layer)(x, relu=False, on_work=lambda _flops: None)
    assert relative_l2(found, exact(layer, x)) <= 2e-6


@pytest.mark.parametrize("n_out", [1, 16])
def test_a_strip_of_rows_and_a_relu_are_taken_as_they_come(n_out: int) -> None:
    layer, x = conv(16, n_out), image(16, 8, 40, 9)[..., 5:30, :]
    found = Interruptible(layer)(x, relu=True)
    assert relative_l2(found, exact(layer, x).relu()) <= 3e-6


@pytest.mark.parametrize(("n_out", "depth"), [(1, 8), (16, 8), (16, 6)])
def test_the_work_reported_is_that_of_the_direct_sum(n_out: int, depth: int) -> None:
    layer, x, done = conv(16, n_out), image(16, depth, 40, 9), []
    with reporting(done.append):
        Interruptible(layer)(x)
    assert sum(done) == 2 * 27 * 16 * n_out * depth * 40 * 9


@pytest.mark.parametrize(
    "layer",
    [
        conv(1, 32),
        conv(8, 8),
        conv(16, 16, stride=2),
        conv(16, 16, padding=0),
        conv(16, 16, groups=2),
        conv(16, 16, padding_mode="replicate"),
        conv(16, 16, dilation=2),
        nn.Conv2d(16, 16, 3, padding=1),
        nn.ConvTranspose3d(16, 16, 2, stride=2),
    ],
)
def test_other_convolutions_are_left_alone(layer: nn.Module) -> None:
    assert plane_wise(layer) is None
