"""BioImage.IO packages: ours come back, others open where the network is known, programs are refused."""

import dataclasses
import hashlib
import io
import zipfile

import numpy as np
import pytest
import torch
import yaml

from labelfree_core.errors import ModelError
from labelfree_core.models.bioimageio import read_package
from labelfree_core.models.bioimageio_export import export_package
from labelfree_core.models.build import build
from labelfree_core.models.card import ModelCard
from labelfree_core.models.importing import import_model
from labelfree_core.models.store import find_model, load_network, save_model

from .conftest import Malice

CARD = ModelCard(
    id="tiny-3d",
    title="DNA: tiny",
    structure="DNA",
    modality="bright-field",
    ndim=3,
    architecture="fnet",
    network={"mult_chan": 2, "depth": 1},
    voxel_size_um=(0.29, 0.29, 0.29),
    licence="Weights under CC-BY-4.0.",
    limits=("Mitotic cells are under-predicted.",),
)


@pytest.fixture
def entry(tmp_path):
    torch.manual_seed(0)
    return save_model(tmp_path / "weights" / CARD.id, build(CARD).state_dict(), CARD)


@pytest.fixture
def package(entry, tmp_path):
    return export_package(entry, tmp_path / "tiny.zip")


def unpack(package):
    with zipfile.ZipFile(package) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def changed(package, change):
    """The package with another description."""
    members = unpack(package)
    rdf = yaml.safe_load(members["rdf.yaml"])
    change(rdf)
    members["rdf.yaml"] = yaml.safe_dump(rdf).encode()
    return pack(package, members)


def test_a_package_comes_back_as_the_model_it_was(entry, package, models_folder):
    back = import_model(package)
    x = torch.randn(1, 1, 4, 6, 8)
    assert torch.equal(load_network(back)(x), load_network(entry)(x))
    assert dataclasses.replace(back.card, id="", sha256="") == dataclasses.replace(
        entry.card, id="", sha256=""
    )
    assert find_model(package).card.title == "DNA: tiny"


def test_the_test_tensors_are_what_a_reader_will_compute(entry, package):
    members = unpack(package)
    rdf = yaml.safe_load(members["rdf.yaml"])
    before = np.load(io.BytesIO(members["test_input.npy"]))
    ready = (before - before.mean(dtype=float)) / (before.std(dtype=float) + 1e-6)
    with torch.inference_mode():
        after = load_network(entry)(torch.from_numpy(ready.astype(np.float32))).numpy()
    # Measured 0 on one machine; another order of sums moves the last digits.
    np.testing.assert_allclose(after, np.load(io.BytesIO(members["test_output.npy"])), atol=1e-5)
    for tensor in (*rdf["inputs"], *rdf["outputs"]):
        source = tensor["test_tensor"]
        assert source["sha256"] == hashlib.sha256(members[source["source"]]).hexdigest()
    assert [step["id"] for step in rdf["inputs"][0]["preprocessing"]] == [
        "ensure_dtype",
        "zero_mean_unit_variance",
    ]
    assert rdf["license"] == "CC-BY-4.0"
    assert "Resample every image to 0.29 x 0.29 x 0.29 um" in members["README.md"].decode()


def test_the_architecture_file_runs_by_itself(package):
    """A reader of the format runs this file alone: it may need torch and nothing of ours."""
    members = unpack(package)
    space = {"__name__": "network"}
    exec(compile(members["network.py"], "network.py", "exec"), space)
    network = space["FNet"](
        **yaml.safe_load(members["rdf.yaml"])["weights"]["pytorch_state_dict"]["architecture"]["kwargs"]
    )
    network.load_state_dict(torch.load(io.BytesIO(members["weights.pt"]), weights_only=True))


def without_our_card(rdf):
    del rdf["config"]["labelfree"]


def test_another_author_s_package_opens_where_the_network_is_known(package, models_folder):
    card = import_model(changed(package, without_our_card)).card
    assert card.network == {"n_in": 1, "n_out": 1, "mult_chan": 2, "depth": 1}
    assert card.voxel_size_um == (0.29, 0.29, 0.29)
    assert card.steps == ("resize", "standardise")
    assert card.licence == "CC-BY-4.0"


def test_an_unpacked_package_opens(package, tmp_path, models_folder):
    folder = tmp_path / "unpacked"
    folder.mkdir()
    for name, content in unpack(package).items():
        (folder / name).write_bytes(content)
    assert import_model(folder).card.title == "DNA: tiny"


def _only(*kinds):
    def change(rdf):
        rdf["weights"] = {kind: {"source": "weights.pt"} for kind in kinds}

    return change


def _set(value, *path):
    def change(rdf):
        without_our_card(rdf)
        place = rdf
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_only("torchscript", "onnx"), "weights are onnx, torchscript; these are programs"),
        (_only(), "weights are none"),
        (_set("0.4.10", "format_version"), "of format 0.4.10, and 0.5 is read"),
        (_set("dataset", "type"), "something that is no model"),
        (_set("../../etc/passwd", "weights", "pytorch_state_dict", "source"), "a file outside of itself"),
        (_set("/etc/passwd", "weights", "pytorch_state_dict", "source"), "a file outside of itself"),
        (_set("https://example.org/w.pt", "weights", "pytorch_state_dict", "source"), "at another address"),
        (_set("absent.pt", "weights", "pytorch_state_dict", "source"), "lacks the file 'absent.pt'"),
        (_set("0" * 64, "weights", "pytorch_state_dict", "sha256"), "do not have the hash"),
        (_set([{"id": "scale_range"}], "inputs", 0, "preprocessing"), "the preprocessing 'scale_range'"),
        (_set([{"id": "y"}, {"id": "x"}], "inputs", 0, "axes"), "has the axes y, x; this network needs"),
        (_set([{"id": [1]}], "inputs", 0, "axes"), "has the axes"),
        (_set([], "inputs"), "several inputs"),
        (_set({"labelfree": {"card": "id = 1"}}, "config"), "The card in tiny.zip: 'id' is '1'"),
    ],
)
def test_a_package_that_does_not_fit_is_a_sentence(package, change, sentence):
    with pytest.raises(ModelError, match=sentence):
        read_package(changed(package, change))


def test_a_package_whose_card_lies_about_the_network_is_refused(package):
    def lie(rdf):
        own = rdf["config"]["labelfree"]
        own["card"] = own["card"].replace("depth = 1", "depth = 2")

    with pytest.raises(ModelError, match=r"lacks .* tensors"):
        read_package(changed(package, lie))


@pytest.mark.parametrize(
    "text", [b"{", b"\xff\xff", b"!!python/object/apply:os.getcwd []", b"- " * 50_000, b"a: &a [*a]"]
)
def test_a_broken_or_hostile_description_is_a_sentence(package, text):
    members = {**unpack(package), "rdf.yaml": text}
    with pytest.raises(ModelError, match=r"not valid YAML|no model"):
        read_package(pack(package, members))


def test_no_code_of_a_package_runs(package, tmp_path):
    mark = tmp_path / "ran"
    members = unpack(package)
    members["network.py"] = f"import os\nos.mkdir({str(mark)!r})\n".encode()
    evil = io.BytesIO()
    torch.save({"conv_out.weight": Malice(mark)}, evil)
    for content in (members["weights.pt"], evil.getvalue()):
        members["weights.pt"] = content
        rdf = yaml.safe_load(members["rdf.yaml"])
        for part, name in (("pytorch_state_dict", "weights.pt"), ("architecture", "network.py")):
            place = rdf["weights"]["pytorch_state_dict"]
            place = place if part == "pytorch_state_dict" else place[part]
            place["sha256"] = hashlib.sha256(members[name]).hexdigest()
        members["rdf.yaml"] = yaml.safe_dump(rdf).encode()
        pack(package, members)
        if content == evil.getvalue():
            with pytest.raises(ModelError, match="Python objects"):
                read_package(package)
        else:
            read_package(package)
    assert not mark.exists()


def test_a_bomb_in_a_package_is_refused(package):
    with zipfile.ZipFile(package, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.bin", bytes(50_000_000))
    with pytest.raises(ModelError, match="a zip bomb"):
        read_package(package)
