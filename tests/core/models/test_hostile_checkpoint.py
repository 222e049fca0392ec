"""Hostile and damaged checkpoints: refused with a sentence, and no code of them runs."""

import json
import math
import pickle
import time
import zipfile

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelfree_core.errors import ModelError
from labelfree_core.models.fnet_checkpoint import import_checkpoint
from labelfree_core.models.store import find_model
from labelfree_core.models.unet import FNet

from .conftest import PUBLISHED_OPTIONS, Malice, newer, release_1


def save(content, path, *, old=False):
    torch.save(content, path, _use_new_zipfile_serialization=not old)
    return path


def make_zip(path, members, **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


# --- tensors that are not what they should be


def test_values_that_are_not_finite_are_refused(tmp_path, state):
    state["conv_out.bias"] = torch.tensor([math.inf])
    with pytest.raises(ModelError, match=r"'conv_out.bias' holds values that are not finite"):
        import_checkpoint(save(release_1(state), tmp_path / "model.p"))


@pytest.mark.parametrize(
    ("name", "tensor", "sentence"),
    [
        ("net_recurse.bn1.weight", torch.zeros(5), "has the shape"),
        ("net_recurse.bn1.weight", torch.zeros(1).expand(10**12), "has the shape"),
        ("net_recurse.bn1.weight", torch.zeros(4, dtype=torch.int32), "holds torch.int32"),
        ("net_recurse.bn1.weight", torch.zeros(4, dtype=torch.complex64), "complex"),
        ("net_recurse.bn1.weight", torch.zeros(4).to_sparse(), "sparse"),
        ("conv_out.weight", torch.zeros(3), "planes need 4 axes"),
        (
            "net_recurse.sub_2conv_more.conv1.weight",
            torch.zeros(1).expand(10**9, 1, 3, 3, 3),
            "can't be built",
        ),
        ("net_recurse" + ".sub_u" * 900 + ".x", torch.zeros(1), "can't be built"),
        ("surprise", torch.zeros(1), "do not belong to it, such as 'surprise'"),
    ],
)
def test_wrong_tensors_are_refused_at_once(tmp_path, state, name, tensor, sentence):
    state[name] = tensor
    path = save({"nn_state": state}, tmp_path / "model.p")
    started = time.perf_counter()
    with pytest.raises(ModelError, match=sentence):
        import_checkpoint(path)
    assert time.perf_counter() - started < 5


def test_a_missing_tensor_is_refused(tmp_path, state):
    del state["net_recurse.bn1.running_mean"]
    with pytest.raises(ModelError, match=r"lacks 1 tensors such as 'net_recurse.bn1.running_mean'"):
        import_checkpoint(save(release_1(state), tmp_path / "model.p"))


# --- no code of a file runs


@pytest.mark.parametrize("old", [False, True], ids=["zip", "before 1.6"])
@pytest.mark.parametrize("layout", [release_1, newer])
@pytest.mark.parametrize("place", ["nn_state", "optimizer_state", "count_iter", "nn_module", "inside", "key"])
def test_no_code_of_a_torch_file_runs(tmp_path, state, layout, place, old):
    mark = tmp_path / "ran"
    content = layout(state)
    if place == "inside":
        content["nn_state"]["conv_out.bias"] = Malice(mark)
    elif place == "key":
        content[(1, Malice(mark))] = 1
    else:
        content[place] = Malice(mark)
    path = save(content, tmp_path / "model.p", old=old)
    with pytest.raises(
        ModelError, match=r"holds Python objects .* would run code of the file, so it is refused"
    ):
        find_model(path)
    assert not mark.exists()
    pickle.loads(pickle.dumps(Malice(mark)))  # the payload does work where somebody unpickles it
    assert mark.exists()


def test_no_code_of_a_plain_pickle_runs(tmp_path):
    mark = tmp_path / "ran"
    for protocol in range(6):
        path = tmp_path / f"model{protocol}.p"
        path.write_bytes(pickle.dumps(Malice(mark), protocol=protocol))
        with pytest.raises(ModelError, match=r"pickle|a text|no model file"):
            find_model(path)
    assert not mark.exists()


def test_no_code_of_train_options_runs(published_folder, tmp_path):
    mark = tmp_path / "ran"
    options = {"transform_signal": [f"__import__('pathlib').Path({str(mark)!r}).touch()"]}
    (published_folder / "train_options.json").write_text(json.dumps(options))
    with pytest.raises(ModelError, match="no plain name or call with numbers"):
        find_model(published_folder)
    assert not mark.exists()


# --- damage


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cut=st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 0.999), st.integers(1, 255)), max_size=4),
    old=st.booleans(),
)
def test_a_damaged_file_opens_or_is_a_sentence(tmp_path, cut, flips, old):
    torch.manual_seed(1)
    whole = save(release_1(FNet(ndim=2, mult_chan=2, depth=1).state_dict()), tmp_path / "whole.p", old=old)
    content = bytearray(whole.read_bytes())
    for place, bits in flips:
        content[int(place * len(content))] ^= bits
    if not flips:
        content = content[: int(cut * len(content))]
    path = tmp_path / "model.p"
    path.write_bytes(content)
    try:
        card, _ = import_checkpoint(path)
        assert card.ndim == 2
    except ModelError as problem:
        sentence = str(problem)
        assert len(sentence) < 700


@pytest.mark.parametrize("claimed", [10**12, 2**61])
@pytest.mark.parametrize("old", [False, True], ids=["zip", "before 1.6"])
def test_a_tensor_that_claims_terabytes_is_refused_at_once(tmp_path, claimed, old):
    honest = save({"nn_state": {"conv_out.weight": torch.zeros(12345)}}, tmp_path / "honest.p", old=old)
    # The pickled length, two bytes long, becomes one of eight bytes.
    lie = b"\x8a\x08" + claimed.to_bytes(8, "little")
    path = tmp_path / "model.p"
    if old:
        path.write_bytes(honest.read_bytes().replace(b"M90", lie))
    else:
        with zipfile.ZipFile(honest) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        members["honest/data.pkl"] = members["honest/data.pkl"].replace(b"M90", lie)
        make_zip(path, members)
    started = time.perf_counter()
    with pytest.raises(ModelError, match="a damaged torch file"):
        import_checkpoint(path)
    assert time.perf_counter() - started < 5


def test_options_that_do_not_fit_the_network_are_a_sentence(published_folder):
    options = {**PUBLISHED_OPTIONS, "transform_signal": ["fnet.transforms.Resizer((0.5, 0.5))"]}
    (published_folder / "train_options.json").write_text(json.dumps(options))
    with pytest.raises(ModelError, match="a 3-D network needs 3 factors"):
        find_model(published_folder)


@pytest.mark.slow
def test_a_full_size_checkpoint_opens_in_seconds(tmp_path):
    with torch.device("meta"):
        shapes = FNet().state_dict()
    state = {name: torch.zeros(value.shape, dtype=value.dtype) for name, value in shapes.items()}
    moments = {i: {"exp_avg": v.clone(), "exp_avg_sq": v.clone()} for i, v in enumerate(state.values())}
    content = {**release_1(state), "optimizer_state": {"state": moments, "param_groups": []}}
    path = save(content, tmp_path / "model.p")
    assert path.stat().st_size > 270e6
    started = time.perf_counter()
    card, found = import_checkpoint(path)
    assert time.perf_counter() - started < 15  # measured about 1 s; the machine may be busy
    assert card.network == {"n_in": 1, "n_out": 1, "mult_chan": 32, "depth": 4}
    assert len(found) == 184
