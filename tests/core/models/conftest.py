"""Small networks and the files that the published programs would have written of them."""

import json
import os

import pytest
import torch

from labelfree_core.models.unet import FNet

PUBLISHED_OPTIONS = {
    "path_dataset_csv": "data/csvs/dna/train.csv",
    "path_run_dir": "saved_models/dna",
    "transform_signal": ["fnet.transforms.normalize", "fnet.transforms.Resizer((1, 0.37241, 0.37241))"],
    "transform_target": ["fnet.transforms.normalize", "fnet.transforms.Resizer((1, 0.37241, 0.37241))"],
}


class Malice:
    """An object whose pickle would make a folder when it is opened."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self.mark,)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return FNet(ndim=3, mult_chan=4, depth=2)


@pytest.fixture
def state(network):
    return network.state_dict()


def optimiser(state):
    parameters = [torch.zeros_like(value) for value in state.values()]
    return {"state": {i: {"exp_avg": p, "step": 3} for i, p in enumerate(parameters)}, "param_groups": []}


def release_1(state, **kwargs):
    return {
        "nn_module": "fnet_nn_3d",
        "nn_kwargs": kwargs,
        "nn_state": state,
        "optimizer_state": optimiser(state),
        "count_iter": 50_000,
    }


def newer(state, **kwargs):
    return {
        "fnet_model_class": "fnet.models.Model",
        "fnet_model_kwargs": {"nn_class": "fnet.nn_modules.fnet_nn_3d.Net", "nn_kwargs": kwargs},
        "fnet_model_posargs": [],
        "nn_state": state,
        "optimizer_state": optimiser(state),
        "count_iter": 50_000,
    }


@pytest.fixture
def models_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LABELFREE_MODELS", str(tmp_path / "kept"))
    return tmp_path / "kept"


@pytest.fixture
def published_folder(tmp_path, state):
    """A folder as the published trainings left them: model.p and train_options.json."""
    folder = tmp_path / "saved_models" / "dna"
    folder.mkdir(parents=True)
    torch.save(release_1(state), folder / "model.p")
    (folder / "train_options.json").write_text(json.dumps(PUBLISHED_OPTIONS))
    return folder
