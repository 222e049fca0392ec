"""Finding, loading and saving models."""

import dataclasses
import threading
from pathlib import Path

import pytest
import torch

from labelfree_core.errors import ModelError
from labelfree_core.models import store
from labelfree_core.models.bioimageio_export import export_package
from labelfree_core.models.build import build
from labelfree_core.models.card import ModelCard
from labelfree_core.models.cardfile import format_card, write_card
from labelfree_core.models.importing import import_model
from labelfree_core.models.store import (
    find_model,
    list_models,
    load_network,
    model_id,
    remove_model,
    save_model,
)

CARD = ModelCard("tiny-2d", "Tiny", "DNA", "bright-field", 2, "fnet", {"mult_chan": 2, "depth": 1})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LABELFREE_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(store, "_networks", type(store._networks)())
    return tmp_path / "models"


@pytest.fixture
def saved(folder):
    torch.manual_seed(0)
    return save_model(folder / CARD.id, build(CARD).state_dict(), CARD)


def test_a_saved_model_is_found_and_loads_as_it_was(saved, folder):
    assert find_model("tiny-2d") == saved
    assert find_model(folder / "tiny-2d").card == saved.card
    network = load_network(saved)
    torch.manual_seed(0)
    original = build(CARD).eval()
    x = torch.randn(1, 1, 6, 8)
    assert torch.equal(network(x), original(x))
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_shipped_models_have_no_problem():
    for entry in list_models():
        assert not (entry.shipped and entry.problem), entry.problem


def test_several_people_share_one_network(saved):
    loaded = []
    threads = [threading.Thread(target=lambda: loaded.append(load_network(saved))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(network) for network in loaded}) == 1


def test_only_a_few_networks_are_kept(folder):
    for number in range(store._KEPT_NETWORKS + 2):
        card = dataclasses.replace(CARD, id=f"tiny-{number}")
        load_network(save_model(folder / card.id, build(card).state_dict(), card))
    assert len(store._networks) == store._KEPT_NETWORKS


def test_changed_weights_are_refused(saved):
    weights = saved.folder / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ModelError, match=r"have the hash .* and the card says .* Add the model again"):
        load_network(saved)


def test_a_card_that_lies_about_the_network_is_refused(saved):
    lie = dataclasses.replace(
        saved, card=dataclasses.replace(saved.card, network={"mult_chan": 4, "depth": 1})
    )
    with pytest.raises(ModelError, match="has the shape"):
        load_network(lie)
    lie = dataclasses.replace(
        saved, card=dataclasses.replace(saved.card, network={"mult_chan": 2, "depth": 2})
    )
    with pytest.raises(ModelError, match=r"lacks .* tensors"):
        load_network(lie)


@pytest.mark.parametrize(
    ("network", "sentence"),
    [
        ({"mult_chan": 10**9}, "'mult_chan' is 1000000000, and may be 1 to 256"),
        ({"depth": 60}, "'depth' is 60"),
        ({"mult_chan": 256, "depth": 6}, "parameters, more than"),
        ({"command": 1}, "has no argument 'command'"),
        ({"depth": "4"}, "'depth' is 4, and may be"),
        ({"depth": True}, "'depth' is True"),
    ],
)
def test_an_absurd_network_is_refused_before_it_takes_memory(network, sentence):
    card = dataclasses.replace(CARD, network=network)
    with pytest.raises(ModelError, match=sentence):
        build(card)


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_compact_network_is_saved_loaded_and_exported(folder, tmp_path, ndim):
    card = dataclasses.replace(
        CARD, id="small", ndim=ndim, architecture="compact", network={"widths": [8, 8]}
    )
    network = build(card).eval()
    entry = save_model(folder / "small", network.state_dict(), card)
    x = torch.randn(1, 1, *[2 * step for step in network.divisor])
    with torch.inference_mode():
        assert torch.equal(load_network(entry)(x), network(x))
        back = import_model(export_package(entry, tmp_path / "small.zip"))
        assert torch.equal(load_network(back)(x), network(x))


def test_a_compact_network_with_wild_arguments_is_refused():
    for network in ({"no_such_argument": 1}, {"width": 10**12}, {"width": [1] * 100}):
        with pytest.raises(ModelError, match="can't be built"):
            build(dataclasses.replace(CARD, architecture="compact", network=network))


def test_broken_folders_are_listed_with_their_problem(saved, folder):
    (folder / "no-card").mkdir()
    (folder / "bad-card").mkdir()
    (folder / "bad-card" / "card.toml").write_text("id = 1")
    (folder / "no-weights").mkdir()
    write_card(folder / "no-weights", dataclasses.replace(saved.card, id="no-weights"))
    (folder / "other-name").mkdir()
    write_card(folder / "other-name", dataclasses.replace(saved.card, id="something"))
    (folder / "unverified").mkdir()
    write_card(folder / "unverified", dataclasses.replace(saved.card, id="unverified", sha256=""))
    two = dataclasses.replace(saved.card, id="two-images", network={**CARD.network, "n_in": 2})
    save_model(folder / two.id, build(two).state_dict(), two)
    problems = {entry.folder.name: entry.problem for entry in list_models([folder])}
    assert problems.pop("tiny-2d") == ""
    for name, words in {
        "bad-card": "'id' is '1'",
        "no-weights": "no weights.safetensors",
        "other-name": "is that of 'something'",
        "unverified": "gives no sha256",
        "two-images": "needs 2 images at once",
    }.items():
        assert words in problems.pop(name)
    assert not problems
    with pytest.raises(ModelError, match="gives no sha256"):
        find_model("unverified")


def test_a_second_model_of_one_name_says_so(saved, tmp_path):
    save_model(tmp_path / "more" / CARD.id, build(CARD).state_dict(), CARD)
    first, second = list_models([saved.folder.parent, tmp_path / "more"])
    assert first.problem == ""
    assert "Another model is called 'tiny-2d' too" in second.problem


@pytest.mark.parametrize("name", ["tiny-3d", "../../etc", "", "a" * 5000, "nul\0byte", "no/such/model.p"])
def test_an_unknown_name_is_advice(saved, name):
    with pytest.raises(ModelError, match=r"model|folder"):
        find_model(name)


def test_a_near_miss_is_guessed(saved):
    with pytest.raises(ModelError, match="Did you mean 'tiny-2d'"):
        find_model("tiny-2")


def test_a_folder_that_cannot_be_written_is_a_sentence(folder):
    folder.parent.joinpath("models").write_text("a file, no folder")
    with pytest.raises(ModelError, match=r"can't be written .* LABELFREE_MODELS"):
        save_model(folder / CARD.id, build(CARD).state_dict(), CARD)
    assert list_models([folder]) == ()


def test_a_disk_that_fills_leaves_nothing_behind(folder, monkeypatch):
    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ModelError, match="No space left"):
        save_model(folder / CARD.id, build(CARD).state_dict(), CARD)
    assert list((folder / CARD.id).iterdir()) == []


def test_weights_that_are_not_finite_are_neither_saved_nor_loaded(saved):
    state = build(CARD).state_dict()
    state["conv_out.bias"][0] = float("nan")
    with pytest.raises(ModelError, match=r"'conv_out.bias' holds values that are not finite"):
        save_model(saved.folder, state, CARD)


def test_a_file_that_is_no_safetensors_is_a_sentence(saved):
    (saved.folder / "weights.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(ModelError, match="is no whole safetensors file"):
        load_network(saved)
    (saved.folder / "weights.safetensors").unlink()
    with pytest.raises(ModelError, match="can't be read"):
        load_network(saved)


def test_the_folder_is_the_model(folder):
    with pytest.raises(ModelError, match="folder called 'elsewhere'"):
        save_model(folder / "elsewhere", build(CARD).state_dict(), CARD)


@pytest.mark.parametrize(
    "name", ["../../../etc/passwd", "C:\\x\\y.p", "...", "<script>.p", "ü" * 300, "\0.p"]
)
def test_ids_have_no_path_tricks(name):
    made = model_id(name, "0" * 64)
    assert made.endswith("-00000000")
    assert format_card(dataclasses.replace(CARD, id=made))
    assert set(made) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


@pytest.mark.parametrize(
    ("system", "variable", "tail"),
    [
        ("linux", "XDG_DATA_HOME", "labelfree/models"),
        ("win32", "LOCALAPPDATA", "labelfree/models"),
    ],
)
def test_own_models_lie_where_the_system_keeps_such_things(monkeypatch, tmp_path, system, variable, tail):
    monkeypatch.delenv("LABELFREE_MODELS", raising=False)
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setenv(variable, str(tmp_path))
    assert store.user_folder() == tmp_path / tail


def test_without_a_home_the_shipped_models_are_still_listed(monkeypatch):
    def homeless(cls):
        raise RuntimeError("Could not determine home directory.")

    for variable in ("LABELFREE_MODELS", "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(Path, "home", classmethod(homeless))
    with pytest.raises(ModelError, match=r"No home folder .* LABELFREE_MODELS"):
        store.user_folder()
    assert isinstance(list_models(), tuple)


def test_a_pipe_or_device_is_not_read_for_ever(tmp_path):
    if not Path("/dev/zero").exists():
        pytest.skip("no /dev/zero on this system")
    with pytest.raises(ModelError, match="is no file"):
        find_model("/dev/zero")


def test_a_folder_without_a_model_says_what_one_holds(folder, tmp_path):
    with pytest.raises(ModelError, match=r"holds no model; needed is card.toml"):
        find_model(tmp_path)


def test_a_removed_model_is_gone_and_may_be_removed_again(saved, folder):
    remove_model(saved)
    assert list(folder.iterdir()) == []
    assert "tiny-2d" not in {entry.card.id for entry in list_models()}
    remove_model(saved)  # by another tab, say
    with pytest.raises(ModelError, match="There is no model 'tiny-2d'"):
        find_model("tiny-2d")


def test_a_model_that_came_with_the_software_is_never_removed(saved, folder, monkeypatch):
    shipped = next(entry for entry in list_models() if entry.shipped)
    with pytest.raises(ModelError, match="came with the software and stays"):
        remove_model(shipped)
    # Nor by an entry that does not know where it came from.
    monkeypatch.setattr(store, "shipped_folders", lambda: (folder,))
    with pytest.raises(ModelError, match="only models that you added"):
        remove_model(saved)
    assert (shipped.folder / "card.toml").is_file()
    assert (saved.folder / "card.toml").is_file()


def test_a_model_that_the_system_does_not_let_go_says_so_and_stays(saved, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(ModelError, match=r"can't be removed \(Permission denied\). Close what uses it"):
        remove_model(saved)
    assert find_model("tiny-2d") == saved
