"""What a graphics processor does differently, as far as a processor can show it: 16 bits, tiles in flight."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from labelfree_core.inference.engine import Engine
from labelfree_core.inference.flying import overlapped
from labelfree_core.inference.running import run
from labelfree_core.models.compact import Compact3d
from tests.core.inference.conftest import shake
from tests.core.inference.test_engine import image, network, plain, relative_l2


@pytest.mark.parametrize(
    ("kind", "shape"), [(lambda: network(3, mult_chan=16), (16, 64, 64)), (Compact3d, (8, 64, 64))]
)
def test_sixteen_bits_agree_with_thirty_two(
    kind: Callable[[], torch.nn.Module], shape: tuple[int, ...]
) -> None:
    # What a graphics processor does, on a processor: the same autocast.
    torch.manual_seed(0)
    net, x = shake(kind()), image(*shape)
    engine = Engine(net)
    engine.dtype = "float16"
    found, wanted = engine.run(x), plain(net, x)
    assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] >= 0.9999
    assert relative_l2(found, wanted) > 1e-5  # it was not computed in 32 bits
    assert engine.dtype == "float16"


@pytest.mark.parametrize("most", [1, 2, 3])
def test_tiles_are_started_before_those_ahead_of_them_are_finished(most: int) -> None:
    log: list[str] = []
    under_way: set[int] = set()

    def start(item: int) -> int:
        log.append(f"start {item}")
        under_way.add(item)
        assert len(under_way) <= most
        return item

    def finish(item: int) -> int:
        log.append(f"finish {item}")
        under_way.remove(item)
        return -item

    results = []
    for item, result in overlapped(range(5), start, finish, most=most):
        log.append(f"use {item}")
        results.append((item, result))
    assert results == [(item, -item) for item in range(5)]
    used = log.index("use 1")
    assert f"start {most}" in log[:used]  # under way while the one before is used
    assert f"start {most + 1}" not in log[:used]


@pytest.mark.parametrize("shape", [(8, 96, 120), (3, 96, 120)])
def test_two_tiles_in_flight_give_the_numbers_of_one(shape: tuple[int, ...]) -> None:
    engine = Engine(network(3 if shape[0] == 8 else 2, depth=1))
    tile = (8, 80, 80)[-engine.ndim :]
    wanted = run(engine, image(*shape), 10**12, tile=tile)
    engine.tiles_in_flight = 2
    found = run(engine, image(*shape), 10**12, tile=tile)
    assert found.layout.pieces > 2
    np.testing.assert_array_equal(found.voxels, wanted.voxels)
