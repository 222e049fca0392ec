"""The fast path gives the numbers of the plain module, and the caller's network stays as it is."""

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch

from labelfree_core.errors import PredictionCancelled
from labelfree_core.inference import interruptible
from labelfree_core.inference.devices import choose_device, devices
from labelfree_core.inference.engine import Engine, Flight, OutOfMemory
from labelfree_core.inference.layout import layout
from labelfree_core.inference.running import run
from labelfree_core.models.compact import Compact2d, Compact3d
from labelfree_core.models.unet import FNet
from tests.core.inference.conftest import shake

ROOT = Path(__file__).parents[3]


def network(ndim: int, **sizes: int) -> FNet:
    torch.manual_seed(0)
    return shake(FNet(ndim=ndim, **{"mult_chan": 8, "depth": 3, **sizes}))


def image(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def plain(net: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return net(torch.from_numpy(x)[None, None])[0, 0].numpy()


def relative_l2(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


@pytest.mark.parametrize("ndim", [2, 3])
def test_every_way_of_streaming_equals_the_plain_module(ndim: int) -> None:
    net, x = network(ndim), image(*(8, 104, 40)[-ndim:])
    x = image(208, 40) if ndim == 2 else x
    wanted, engine = plain(net, x), Engine(net)
    for how in engine.choices:
        assert relative_l2(engine.run(x, how=how), wanted) <= 1e-5, how.name


def test_convolutions_cut_into_strips_equal_the_plain_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruptible, "SLICE_FLOPS", 1000)
    monkeypatch.setattr(interruptible, "FEWEST_ROWS", 6)
    net, x = network(3), image(8, 40, 24)
    assert relative_l2(Engine(net).run(x), plain(net, x)) <= 1e-5


def test_the_network_that_was_handed_in_is_not_changed() -> None:
    net = network(3)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    Engine(net).run(image(8, 16, 16))
    after = net.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_batch_of_planes_equals_the_planes_one_by_one() -> None:
    engine, x = Engine(network(2)), image(3, 32, 40)
    np.testing.assert_allclose(engine.run(x), np.stack([engine.run(plane) for plane in x]), atol=1e-5)


def test_streaming_needs_less_memory_and_counts_the_same_or_more_work() -> None:
    engine = Engine(network(3, mult_chan=16, depth=3))
    costs = [engine.cost((16, 256, 128), how) for how in engine.choices]
    peaks = [cost.peak_bytes for cost in costs]
    assert peaks[1] < 0.6 * peaks[0]
    assert peaks[2] < peaks[1]
    assert costs[0].flops <= costs[1].flops <= costs[2].flops


def test_work_of_the_published_network_is_459072_operations_a_voxel() -> None:
    # Counted by hand from the widths 32 to 512; the number is the one the literature measures with.
    engine = Engine(FNet().eval())
    assert engine.cost((16, 32, 32)).flops / (16 * 32 * 32) == pytest.approx(459_072, rel=0.001)


@pytest.mark.parametrize("network_of", ["FNet(mult_chan=4, depth=2)", "Compact2d(widths=(8, 16))"])
def test_planning_does_not_wait_for_the_compiler_of_pytorch(network_of: str) -> None:
    code = f"""
        import sys
        from labelfree_core.inference.engine import Engine
        from labelfree_core.models.compact import Compact2d
        from labelfree_core.models.unet import FNet
        engine = Engine({network_of}.eval())
        engine.cost((32, 32, 32)[-engine.ndim :])
        sys.exit("torch._dynamo" in sys.modules)
    """
    assert (
        subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, check=False).returncode == 0
    )


def test_tiles_with_the_whole_reach_as_halo_equal_the_whole() -> None:
    net, x = network(3, depth=1), image(8, 96, 120)
    engine = Engine(net)
    result = run(engine, x, 10**12, tile=(8, 80, 80))
    assert len(result.layout.tiles) > 1
    assert relative_l2(result.voxels, plain(net, x)) <= 1e-5


def test_a_failing_allocation_is_tried_again_in_smaller_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    net, x = network(3, depth=1), image(8, 256, 256)
    engine = Engine(net)
    true_start, largest = engine.start, 8 * 160 * 160

    def start_small(tile: np.ndarray, **options: object) -> Flight:
        if tile.size > largest:
            raise OutOfMemory
        return true_start(tile, **options)

    monkeypatch.setattr(engine, "start", start_small)
    result = run(engine, x, 10**9)
    assert result.retries >= 1
    assert relative_l2(result.voxels, plain(net, x)) <= 1e-5


def test_an_allocation_that_can_not_succeed_becomes_out_of_memory() -> None:
    engine = Engine(network(2))

    def fail(_x: object, _how: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")

    engine._forward = fail  # type: ignore[assignment,method-assign]
    with pytest.raises(OutOfMemory):
        engine.run(image(16, 16))


def test_less_memory_gives_smaller_pieces_and_z_is_cut_last() -> None:
    engine = Engine(network(3, depth=1, mult_chan=16))
    shape = (32, 256, 256)
    roomy, tight = (layout(engine, shape, megabytes * 2**20) for megabytes in (4000, 200))
    assert roomy.exact
    assert len(tight.tiles) > 1
    assert tight.peak_bytes <= 200 * 2**20
    assert tight.tiles[0].shape[0] == 32


def stoppable(kind: str) -> Engine:
    nets = {
        "published": lambda: network(3, mult_chan=16, depth=2),
        "preview": lambda: network(3, mult_chan=16, depth=2),
        "compact": lambda: shake(Compact3d(widths=(16, 32))),
        "planes": lambda: network(2, mult_chan=16, depth=2),
    }
    torch.manual_seed(0)
    return Engine(nets[kind](), preview=kind == "preview")


@pytest.mark.parametrize("kind", ["published", "preview", "compact", "planes"])
def test_a_wish_to_stop_ends_the_work_at_once(kind: str) -> None:
    engine, heard = stoppable(kind), []
    x = image(16, 96, 96)[-1 if engine.ndim == 2 else slice(None)]

    def stop_at_the_fifth(flops: int) -> None:
        heard.append(flops)
        if len(heard) == 5:
            raise PredictionCancelled("The prediction was stopped.")

    with pytest.raises(PredictionCancelled, match="stopped"):
        engine.run(x, on_work=stop_at_the_fifth)
    assert len(heard) == 5  # nothing was computed after the wish
    np.testing.assert_array_equal(engine.run(x), stoppable(kind).run(x))  # and nothing was left half done


@pytest.mark.parametrize("kind", ["published", "preview", "compact"])
def test_between_two_looks_lies_a_fraction_of_a_second_of_work(kind: str) -> None:
    # Counted in operations, which do not depend on who else uses the machine: SLICE_FLOPS takes two cores 0.1
    # to 0.3 s, and what listens for a wish to stop is called after each piece.
    engine, heard = stoppable(kind), []
    engine.run(image(16, 256, 256), on_work=heard.append)
    assert max(heard) <= interruptible.SLICE_FLOPS
    assert sum(heard) == pytest.approx(engine.cost((16, 256, 256)).flops, rel=0.05)


def test_auto_is_a_device_of_this_machine() -> None:
    assert choose_device("auto") in {device.name for device in devices()}


@pytest.mark.parametrize(("kind", "shape"), [(Compact2d, (64, 80)), (Compact3d, (8, 64, 80))])
def test_our_own_networks_keep_their_numbers_too(kind: type, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    net, x = shake(kind(widths=(8, 16, 24))), image(*shape)
    engine = Engine(net)
    assert relative_l2(engine.run(x), plain(net, x)) <= 1e-5
    assert len(engine.divisor) == engine.ndim == len(shape)
    assert engine.cost(shape).flops > 0


def test_our_own_networks_get_their_whole_reach_at_a_cut() -> None:
    # With 32 voxels, trained ones missed the whole image by a tenth of the maximum and more.
    torch.manual_seed(0)
    net, x = shake(Compact2d(widths=(8, 16, 24))), image(256, 320)
    result = run(Engine(net), x, 10**12, tile=(200, 200))
    assert len(result.layout.tiles) > 1
    assert result.layout.halo == net.halo
    assert relative_l2(result.voxels, plain(net, x)) <= 1e-5


def test_the_path_of_a_graphics_processor_falls_back_to_single_precision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A stand-in for autocast that overflows: what is tested is the rule, not CUDA.
    net, x = network(2), image(32, 40)
    engine, seen = Engine(net), []
    engine.dtype = "float16"

    class Autocast:
        def __init__(self, device: str, *, dtype: torch.dtype) -> None:
            seen.append((device, dtype))

        def __enter__(self) -> None:
            weight = next(engine.network.parameters())
            self.kept, weight.data[0] = weight.data.clone(), torch.inf

        def __exit__(self, *_: object) -> None:
            next(engine.network.parameters()).data.copy_(self.kept)

    monkeypatch.setattr(torch, "autocast", Autocast)
    assert relative_l2(engine.run(x), plain(net, x)) <= 1e-5
    assert seen == [("cpu", torch.float16)]
    assert engine.dtype == "float32"
    engine.run(x)
    assert len(seen) == 1  # it is not tried again


@pytest.mark.gpu
def test_half_precision_on_cuda_agrees_with_single_on_the_cpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    net, x = network(3, mult_chan=32, depth=4), image(32, 64, 64)
    engine, wanted = Engine(net, "cuda"), plain(net, x)
    found = engine.run(x)
    assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] >= 0.9999
    flights = [engine.start(x) for _ in range(engine.tiles_in_flight)]
    for flight in flights:
        np.testing.assert_array_equal(engine.finish(flight), found)
