"""The network that the published weights expect."""

import pytest
import torch

from labelfree_core.models.unet import FNet


def expected_shapes(ndim):
    """The contract written out: names and shapes, without the counters of batches."""
    shapes, widths = {}, [32, 64, 128, 256, 512]

    def convolution(name, n_out, n_in, size, *, bias):
        shapes[f"{name}.weight"] = (n_out, n_in) + (size,) * ndim
        shapes[f"{name}.bias"] = (bias,)

    def norm(name, n):
        shapes.update({f"{name}.{part}": (n,) for part in ("weight", "bias", "running_mean", "running_var")})

    for k, n in enumerate(widths):
        prefix = "net_recurse" + ".sub_u" * k
        n_in = 1 if k == 0 else widths[k - 1]
        pairs = [("more", n_in)] + ([("less", 2 * n)] if k < 4 else [])
        for part, first in pairs:
            convolution(f"{prefix}.sub_2conv_{part}.conv1", n, first, 3, bias=n)
            convolution(f"{prefix}.sub_2conv_{part}.conv2", n, n, 3, bias=n)
            norm(f"{prefix}.sub_2conv_{part}.bn1", n)
            norm(f"{prefix}.sub_2conv_{part}.bn2", n)
        if k < 4:
            convolution(f"{prefix}.conv_down", n, n, 2, bias=n)
            norm(f"{prefix}.bn0", n)
            shapes[f"{prefix}.convt.weight"] = (2 * n, n) + (2,) * ndim
            shapes[f"{prefix}.convt.bias"] = (n,)
            norm(f"{prefix}.bn1", n)
    convolution("conv_out", 1, 32, 3, bias=1)
    return shapes


@pytest.mark.parametrize(("ndim", "parameters"), [(3, 23_280_769), (2, 8_116_225)])
def test_names_shapes_and_counts_are_those_of_the_published_files(ndim, parameters):
    with torch.device("meta"):
        network = FNet(ndim)
    state = network.state_dict()
    counters = [name for name in state if name.endswith("num_batches_tracked")]
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items() if name not in counters}
    assert shapes == expected_shapes(ndim)
    assert len(shapes) == 158
    assert len(state) == 184
    assert sum(p.numel() for p in network.parameters()) == parameters


def test_the_skipped_channels_come_first():
    """With the convolution after the join set to read its first half only, the lower level is not seen."""
    torch.manual_seed(0)
    network = FNet(2, mult_chan=4, depth=1).eval()
    level = network.net_recurse
    with torch.no_grad():
        level.sub_2conv_less.conv1.weight[:, 4:] = 0
    x = torch.randn(1, 1, 8, 8)
    before = network(x)
    torch.nn.init.normal_(level.convt.weight)
    torch.nn.init.normal_(level.sub_u.sub_2conv_more.conv1.weight)
    assert torch.equal(network(x), before)
    torch.nn.init.normal_(level.sub_2conv_more.conv1.weight)
    assert not torch.allclose(network(x), before)


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_tile_with_its_halo_is_exact_and_a_smaller_halo_is_not(depth):
    torch.manual_seed(depth)
    network = FNet(2, mult_chan=2, depth=depth).double().eval()
    for module in network.modules():  # positive weights: nothing cancels, nothing is cut by a ReLU
        if hasattr(module, "weight"):
            torch.nn.init.uniform_(module.weight, 0.1, 1.0)
    step, halo = network.divisor[1], network.halo[1]
    x = torch.rand(1, 1, step, 2 * halo + 10 * step, dtype=torch.double)
    whole = network(x)
    core = slice(halo + step, halo + 4 * step)
    tile = network(x[..., step : core.stop + halo])[..., halo : halo + 3 * step]
    assert torch.allclose(tile, whole[..., core], rtol=1e-12)
    less = network(x[..., 2 * step : core.stop + halo])[..., halo - step : halo + 2 * step]
    assert not torch.allclose(less, whole[..., core], rtol=1e-12)


def test_batch_counters_may_be_missing():
    network = FNet(2, mult_chan=2, depth=1)
    state = {k: v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    missing, unexpected = FNet(2, mult_chan=2, depth=1).load_state_dict(state, strict=False)
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)
