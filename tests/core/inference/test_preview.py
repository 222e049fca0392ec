"""Previews are close to the real thing, far from its numbers' precision, and say what they are."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from labelfree_core.errors import PredictionError
from labelfree_core.images.stack import ImageStack
from labelfree_core.inference import engines, preview
from labelfree_core.inference.engine import Engine
from labelfree_core.inference.options import PredictOptions
from labelfree_core.inference.predict import predict
from labelfree_core.inference.preview import Int8, coarse
from labelfree_core.models.compact import Compact2d, Compact3d
from labelfree_core.models.store import ModelEntry
from labelfree_core.models.unet import FNet
from tests.core.inference.conftest import shake

needs_int8 = pytest.mark.skipif(not preview.available(), reason="this PyTorch can't compute in 8 bits here")
PREVIEW = PredictOptions(device="cpu", engine="preview")


def relative_l2(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).norm() / wanted.norm())


@needs_int8
@pytest.mark.parametrize("piece_bytes", [2**12, 2**24])
@pytest.mark.parametrize("shape", [(6, 9, 11), (13, 10)])
@pytest.mark.parametrize("relu", [True, False])
def test_a_layer_in_8_bits_is_within_two_percent(
    piece_bytes: int, shape: tuple[int, ...], relu: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "_PIECE_BYTES", piece_bytes)
    torch.manual_seed(0)
    conv = (nn.Conv3d if len(shape) == 3 else nn.Conv2d)(16, 24, 3, padding=1).requires_grad_(False)
    x, done = torch.randn(1, 16, *shape), []  # negative values too
    wanted = conv(x).relu() if relu else conv(x)
    assert relative_l2(Int8(conv)(x, relu=relu, on_work=done.append), wanted) < 0.02
    assert sum(done) == 2 * 3 ** len(shape) * 16 * 24 * np.prod(shape)


@needs_int8
def test_an_input_without_any_signal_gives_the_bias() -> None:
    conv = nn.Conv2d(16, 16, 3, padding=1).requires_grad_(False)
    x = torch.zeros(1, 16, 8, 8)
    torch.testing.assert_close(Int8(conv)(x, relu=False, on_work=lambda _flops: None), conv(x))


@needs_int8
@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (lambda: FNet(mult_chan=16, depth=2), (8, 48, 40)),
        (lambda: FNet(ndim=2, mult_chan=16, depth=2), (64, 80)),
        (lambda: Compact3d(widths=(16, 24)), (8, 64, 80)),
        (lambda: Compact2d(widths=(16, 24)), (64, 80)),
    ],
)
def test_a_preview_shows_the_same_image_but_not_the_same_numbers(
    network: Callable[[], nn.Module], shape: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    net = shake(network())
    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    found, wanted = Engine(net, preview=True).run(image), Engine(net).run(image)
    assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > 0.998
    assert not np.allclose(found, wanted, rtol=1e-4)  # else nothing was computed in 8 bits


@needs_int8
def test_an_engine_that_has_run_can_still_plan() -> None:
    engine = Engine(FNet(mult_chan=16, depth=1).eval(), preview=True)
    engine.run(np.zeros((4, 8, 8), np.float32))
    assert engine.cost((4, 16, 16)).flops > 0


@pytest.mark.parametrize(
    ("conv", "expected"),
    [
        (nn.Conv3d(32, 32, 3, padding=1), True),
        (nn.Conv2d(16, 64, 3, padding=1), True),
        (nn.Conv3d(1, 32, 3, padding=1), False),
        (nn.Conv3d(32, 1, 3, padding=1), False),
        (nn.Conv3d(32, 32, 2, stride=2), False),
        (nn.ConvTranspose2d(32, 32, 2, stride=2), False),
    ],
)
def test_the_ends_of_a_network_stay_in_32_bits(conv: nn.Module, expected: bool) -> None:
    assert coarse(conv) is expected


@needs_int8
def test_a_preview_is_marked_wherever_it_goes(
    make_model: Callable[..., ModelEntry], make_stack: Callable[..., ImageStack]
) -> None:
    entry, stack = make_model(network={"mult_chan": 16, "depth": 2}), make_stack((8, 32, 40))
    found = predict(stack, entry, options=PREVIEW)
    assert found.notes[0].startswith("This is a preview in 8-bit arithmetic")
    assert found.units == "z-score of the training stain, 8-bit preview"
    assert found.stack.units == found.units
    assert found.recipe["run"] == {"device": "cpu", "engine": "preview", "dtype": "int8", "retries": 0}
    real = predict(stack, entry, options=PredictOptions(device="cpu"))
    assert "preview" not in " ".join((*real.notes, real.units, str(real.recipe["run"])))


def test_a_graphics_processor_needs_no_preview(make_model: Callable[..., ModelEntry]) -> None:
    with pytest.raises(PredictionError, match=r"made for processors.*the device \"cpu\""):
        engines._build(make_model(), "cuda", "preview")


def test_without_8_bit_arithmetic_there_is_no_preview(
    make_model: Callable[..., ModelEntry], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "available", lambda: False)
    with pytest.raises(PredictionError, match=r"can't compute in 8 bits.*Choose the engine \"torch\""):
        engines._build(make_model(), "cpu", "preview")
