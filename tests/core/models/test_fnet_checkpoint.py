"""Published checkpoints: both layouts open, the rest is told what it is, and no code of a file runs."""

import json
import math
import pickle
import time
import zipfile
from collections import OrderedDict

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from labelfree_core.errors import ModelError
from labelfree_core.models.fnet_checkpoint import import_checkpoint
from labelfree_core.models.importing import import_model
from labelfree_core.models.store import find_model, load_network
from labelfree_core.models.unet import FNet

from .conftest import PUBLISHED_OPTIONS, Malice, newer, optimiser, release_1


def save(content, path, *, old=False):
    torch.save(content, path, _use_new_zipfile_serialization=not old)
    return path


@pytest.mark.parametrize("old", [False, True], ids=["zip", "before 1.6"])
@pytest.mark.parametrize(
    "layout", [release_1, newer, lambda state: state, lambda state: {"state_dict": state}]
)
def test_every_layout_and_container_gives_the_same_network(tmp_path, network, state, layout, old):
    card, found = import_checkpoint(save(layout(state), tmp_path / "model.p", old=old))
    assert card.network == {"n_in": 1, "n_out": 1, "mult_chan": 4, "depth": 2}
    assert card.ndim == 3
    assert set(found) == set(state)
    assert all(torch.equal(found[name], state[name]) for name in state)
    assert card.id.startswith("model-")
    assert not any("optim" in name for name in found)


def test_a_safetensors_file_of_the_network_opens(tmp_path, state):
    save_file(state, tmp_path / "dna.safetensors")
    card, found = import_checkpoint(tmp_path / "dna.safetensors")
    assert card.id.startswith("dna-")
    assert torch.equal(found["conv_out.weight"], state["conv_out.weight"])


def test_files_from_before_the_batch_counters_open(tmp_path, state):
    without = OrderedDict((name, value) for name, value in state.items() if "num_batches" not in name)
    _, found = import_checkpoint(save(release_1(without), tmp_path / "model.p", old=True))
    assert set(found) == set(state)


def test_a_network_for_planes_opens(tmp_path):
    state = FNet(ndim=2, mult_chan=4, depth=1).state_dict()
    card, _ = import_checkpoint(save(release_1(state, in_channels=1), tmp_path / "planes.p"))
    assert card.ndim == 2


@pytest.mark.parametrize(("layout", "mult_chan"), [(release_1, 4), (newer, 8)])
def test_the_first_width_follows_the_layout_for_several_inputs(tmp_path, layout, mult_chan):
    """n_in * mult_chan in the first release, mult_chan in the newer one."""
    state = FNet(ndim=3, n_in=2, mult_chan=8, depth=1).state_dict()
    says = layout(state, mult_chan=mult_chan, depth=1, in_channels=2)
    card, _ = import_checkpoint(save(says, tmp_path / "model.p"))
    assert card.network["mult_chan"] == 8
    assert card.network["n_in"] == 2


def test_the_name_before_the_wrapper_of_several_gpus_is_found(tmp_path, state):
    wrapped = {f"module.{name}": value for name, value in state.items()}
    _, found = import_checkpoint(save(wrapped, tmp_path / "model.p"))
    assert set(found) == set(state)


# --- what the file says, and the options beside it


def test_options_beside_the_file_are_found_and_said(published_folder, models_folder):
    for path in (published_folder, published_folder / "model.p", str(published_folder / "model.p")):
        card = find_model(path).card
        assert card.steps == ("standardise", "resize")
        assert card.zoom == (1.0, 0.37241, 0.37241)
        assert card.voxel_size_um == (0.29, 0.29, 0.29)
        assert card.structure == "DNA"
        assert "read from its train_options.json" in card.training
        assert "after 50,000 iterations" in card.training
        assert any("0.29 um was inferred" in limit for limit in card.limits)
    assert not models_folder.exists()  # a path is imported for now, not kept


def test_a_path_is_imported_again_only_when_the_file_changed(published_folder, models_folder, network):
    first = find_model(published_folder)
    assert find_model(published_folder) is first
    with torch.no_grad():
        network.conv_out.bias += 1
    save(release_1(network.state_dict()), published_folder / "model.p")
    assert find_model(published_folder).card.sha256 != first.card.sha256


def test_without_options_nothing_about_sizes_is_claimed(published_folder, models_folder):
    (published_folder / "train_options.json").unlink()
    card = find_model(published_folder / "model.p").card
    assert card.voxel_size_um is None
    assert card.zoom is None
    assert card.steps == ("standardise",)
    assert any("an assumption" in limit for limit in card.limits)


def test_an_import_is_kept_and_gives_the_same_output(published_folder, models_folder, network):
    kept = import_model(published_folder / "model.p")
    again = import_model(published_folder)
    assert kept == again
    assert find_model(kept.card.id) == kept
    assert sorted(file.name for file in kept.folder.iterdir()) == ["card.toml", "weights.safetensors"]
    x = torch.randn(1, 1, 8, 8, 8)
    with torch.inference_mode():
        assert torch.equal(load_network(kept)(x), network.eval()(x))


def test_the_person_s_name_of_an_upload_is_used_and_harmless(published_folder, models_folder):
    entry = import_model(published_folder / "model.p", name="../../Lamin <b>B1</b>.p")
    assert entry.folder.parent == models_folder
    assert entry.card.id.startswith("b-p") or "lamin" in entry.card.id or entry.card.id.startswith("b")


@pytest.mark.parametrize("says", [{"depth": 4}, {"mult_chan": 32}, {"in_channels": 3}, {"out_channels": 2}])
def test_a_file_that_lies_about_its_network_is_refused(tmp_path, state, says):
    with pytest.raises(ModelError, match=rf"says {next(iter(says))} = "):
        import_checkpoint(save(release_1(state, **says), tmp_path / "model.p"))


# --- what only looks like a checkpoint


def _keys(*names):
    return {name: torch.zeros(2) for name in names}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            {
                "fnet_model_class": "fnet.fnet_ensemble.FnetEnsemble",
                "paths_model": ["a/model.p", "b/model.p"],
            },
            "a list of other files .an fnet ensemble. and holds no weights; open one of those",
        ),
        ({"fnet_model_class": "fnet.models.Model", "count_iter": 3}, "without weights"),
        (_keys("model.inconv.conv.0.weight", "model.outconv.weight"), "VisCy's FNet3D, another network"),
        ({"state_dict": _keys("model.inconv.conv.0.weight")}, "VisCy's FNet3D, another network"),
        (optimiser(_keys("a")), "the state of an optimiser without its network"),
        ({"optimizer_state": {}, "count_iter": 3}, "the state of an optimiser without its network"),
        (
            _keys("encoder.layer1.weight"),
            "a network that is not known here .its first tensor is 'encoder.layer1",
        ),
        (torch.zeros(3, 4), r"a single tensor of shape \(3, 4\)"),
        ([1, 2], "holds a list and no network"),
        ({"epoch": 3}, "without a network .it holds epoch"),
        ({}, "it holds nothing"),
        ({"nn_state": [1, 2]}, "weights are a list instead of named tensors"),
        ({"nn_state": {("a", 1): 2}}, "without a network"),
    ],
)
def test_other_torch_files_are_told_what_they_are(tmp_path, content, sentence):
    for old in (False, True):
        with pytest.raises(ModelError, match=sentence):
            import_checkpoint(save(content, tmp_path / "model.p", old=old))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "an HDF5 file, as Keras"),
        (b"\x08\x07\x12\x07pytorch\x1a\x052.1.0" + bytes(50), "an ONNX network"),
        (pickle.dumps({"a": 1}), "a plain Python pickle"),
        (b"<!DOCTYPE html><html>404</html>", "a web page, as servers send when a download link is dead"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
        (b'{"transform_signal": []}', "train_options.json goes beside the model.p"),
        (b"II*\0" + bytes(100), "a TIFF image"),
        (b"\x1f\x8b" + bytes(100), "a gzip archive"),
        (bytes(257) + b"ustar" + bytes(100), "a tar archive"),
        (b"hello, world", "is a text"),
        (bytes(range(1, 256)) + bytes(20), "no model file that is known"),
        (b"PK\x03\x04" + bytes(50), "a damaged zip file"),
        (
            bytes([0x80, 2]) + b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19." + b"junk",
            "Python objects|damaged torch file",
        ),
    ],
)
def test_other_files_are_told_what_they_are(tmp_path, content, sentence):
    path = tmp_path / "model.p"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=sentence):
        import_checkpoint(path)


@pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")
def test_a_torchscript_program_is_refused(tmp_path):
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)), tmp_path / "model.pt")
    with pytest.raises(ModelError, match="a TorchScript program, which would run its author's code"):
        import_checkpoint(tmp_path / "model.pt")


def make_zip(path, members, **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    ("members", "options", "sentence"),
    [
        ({"../../evil/data.pkl": b"1"}, {}, "names that point outside"),
        ({"/etc/data.pkl": b"1"}, {}, "names that point outside"),
        ({"C:/data.pkl": b"1"}, {}, "names that point outside"),
        ({"x/data.pkl": bytes(5_000_000)}, {"compression": zipfile.ZIP_DEFLATED}, "a zip bomb"),
        ({"x/data.pkl": b"1" * 500}, {"compression": zipfile.ZIP_DEFLATED}, "that was compressed"),
        ({f"x/{i}": b"" for i in range(5001)}, {}, "5001 members"),
        ({"config.json": b"{}", "model.weights.h5": b"1"}, {}, "a Keras network"),
        ({"a.npy": b"1", "b.npy": b"1"}, {}, "an archive of NumPy arrays"),
        ({"holiday.jpg": b"1"}, {}, "a zip file that holds no model"),
    ],
)
def test_hostile_and_foreign_zips_are_refused(tmp_path, members, options, sentence):
    with pytest.raises(ModelError, match=sentence):
        import_checkpoint(make_zip(tmp_path / "model.p", members, **options))
    assert [file.name for file in tmp_path.iterdir()] == ["model.p"]


def test_a_zip_with_a_password_is_refused(tmp_path):
    path = make_zip(tmp_path / "model.p", {"x/data.pkl": b"1"})
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="a zip file with a password"):
        import_checkpoint(path)


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
