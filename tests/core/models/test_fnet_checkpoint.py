"""Published checkpoints: both layouts open, the rest is told what it is, and no code of a file runs."""

import pickle
import zipfile
from collections import OrderedDict

import pytest
import torch
from safetensors.torch import save_file

from labelfree_core.errors import ModelError
from labelfree_core.models.fnet_checkpoint import import_checkpoint
from labelfree_core.models.importing import import_model
from labelfree_core.models.store import find_model, load_network
from labelfree_core.models.unet import FNet

from .conftest import newer, optimiser, release_1


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
