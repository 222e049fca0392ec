"""Write a model as a BioImage.IO package of format 0.5, for programs that read that format."""

from __future__ import annotations

import hashlib
import inspect
import io
import re
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import yaml
from torch import nn

from labelfree_core.errors import ModelError
from labelfree_core.models.bioimageio import CARD_KEY
from labelfree_core.models.card import ModelCard
from labelfree_core.models.cardfile import format_card
from labelfree_core.models.entries import ModelEntry
from labelfree_core.models.files import write_atomically
from labelfree_core.models.store import load_network

FORMAT_VERSION = "0.5.4"
_LICENCES = ("CC-BY-NC-4.0", "CC-BY-4.0", "CC0-1.0", "BSD-3-Clause", "MIT", "Apache-2.0", "GPL-3.0-only")
_PAPER_DOI = "10.1038/s41592-018-0111-2"
_NPY = np.dtype("<f4")


def export_package(entry: ModelEntry, path: str | Path) -> Path:
    """
    Write a model as a zipped BioImage.IO package with test tensors.

    Readers of the format do not resize images to the model's voxel size, and it has no such
    step: the package's README says what has to be done before.

    Parameters
    ----------
    entry : ModelEntry
    path : path
        The ``.zip`` to write, whole or not at all.

    Returns
    -------
    file : Path

    Raises
    ------
    ModelError
        If the model has a problem or the file can't be written.
    """
    network = load_network(entry)
    files = _files(entry.card, network)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            # A fixed date: the same model makes the same package.
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
    file = Path(path)
    write_atomically(file, buffer.getvalue())
    return file


def _files(card: ModelCard, network: nn.Module) -> dict[str, bytes]:
    source = Path(inspect.getfile(type(network)))
    architecture = source.read_bytes()
    if b"import labelfree" in architecture or b"from labelfree" in architecture:
        raise ModelError(
            f"The network of '{card.id}' needs more than one file of this software, and a package holds one. "
            "Export a model of another architecture."
        )
    before, after = _test_tensors(card, network)
    files = {
        "weights.pt": _torch_bytes(network),
        "network.py": architecture,
        "test_input.npy": _npy(before),
        "test_output.npy": _npy(after),
        "README.md": _readme(card).encode(),
    }
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    rdf = _description(card, network, hashes)
    # The format allows 1 % of the highest value, and takes 0.001 where nothing is said.
    tolerance = {"relative_tolerance": 1e-3, "absolute_tolerance": float(np.clip(after.max() / 200, 0, 1e-3))}
    rdf["config"] = {
        "bioimageio": {"reproducibility_tolerance": [tolerance]},
        CARD_KEY: {"card": format_card(card)},
    }
    return {"rdf.yaml": yaml.safe_dump(rdf, sort_keys=False, allow_unicode=True).encode(), **files}


def _test_tensors(
    card: ModelCard, network: nn.Module
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    steps = _divisor(network, card.ndim)
    shape = (1, 1, *(step * max(1, -(-32 // step)) for step in steps))
    before = np.random.default_rng(0).normal(1000, 50, shape).astype(np.float32)
    ready = before
    if "standardise" in card.steps:
        ready = ((before - before.mean(dtype=np.float64)) / (before.std(dtype=np.float64) + 1e-6)).astype(
            np.float32
        )
    with torch.inference_mode():
        return before, network(torch.from_numpy(ready)).numpy().astype(np.float32)


def _description(card: ModelCard, network: nn.Module, hashes: dict[str, str]) -> dict[str, object]:
    kind = type(network).__name__
    arguments = {"ndim": card.ndim, **card.network} if kind == "FNet" else dict(card.network)
    licence = next((known for known in _LICENCES if known in card.licence), None)
    doi = re.search(r"10\.\d{4,9}/[^\s;,)]+", card.citation)
    weights = {
        "source": "weights.pt",
        "sha256": hashes["weights.pt"],
        "architecture": {
            "source": "network.py",
            "sha256": hashes["network.py"],
            "callable": kind,
            "kwargs": arguments,
        },
        "pytorch_version": torch.__version__.split("+")[0],
    }
    return {
        "type": "model",
        "format_version": FORMAT_VERSION,
        "name": re.sub(r"[^\w +()-]", " ", card.title).strip()[:120] or card.id,
        "description": f"Predicts {card.structure} from {card.modality} images; resample the image first."[
            :1024
        ],
        "authors": [{"name": "The labelfree developers"}],
        "cite": [
            {"text": card.citation or "The network", "doi": doi.group().rstrip(".") if doi else _PAPER_DOI},
        ],
        **({"license": licence} if licence else {}),
        "tags": ["fluorescence", "label-free", "image-translation", f"{card.ndim}d"],
        "documentation": "README.md",
        "inputs": [_input(card, network, hashes)],
        "outputs": [_output(card, network, hashes)],
        "weights": {"pytorch_state_dict": weights},
    }


def _input(card: ModelCard, network: nn.Module, hashes: dict[str, str]) -> dict[str, object]:
    steps: list[dict[str, object]] = [{"id": "ensure_dtype", "kwargs": {"dtype": "float32"}}]
    if "standardise" in card.steps:
        axes = ["channel", *"zyx"[-card.ndim :]]
        steps.append({"id": "zero_mean_unit_variance", "kwargs": {"axes": axes, "eps": 1e-6}})
    divisor = _divisor(network, card.ndim)
    sizes: list[object] = [{"min": step, "step": step} for step in divisor]
    return {
        "id": "image",
        "axes": _axes(card, sizes, "transmitted_light"),
        "test_tensor": {"source": "test_input.npy", "sha256": hashes["test_input.npy"]},
        "data": {"type": "float32"},
        "preprocessing": steps,
    }


def _output(card: ModelCard, network: nn.Module, hashes: dict[str, str]) -> dict[str, object]:
    sizes: list[object] = [{"tensor_id": "image", "axis_id": axis} for axis in "zyx"[-card.ndim :]]
    channels = card.network.get("n_out", 1)
    count = channels if isinstance(channels, int) else 1
    names = ["prediction"] if count == 1 else [f"prediction_{number}" for number in range(count)]
    return {
        "id": "prediction",
        "axes": _axes(card, sizes, *names),
        "test_tensor": {"source": "test_output.npy", "sha256": hashes["test_output.npy"]},
        "data": {"type": "float32"},
    }


def _axes(card: ModelCard, sizes: list[object], *channels: str) -> list[dict[str, object]]:
    space: list[dict[str, object]] = []
    voxel: tuple[float, ...] | None = card.voxel_size_um
    for index, axis in enumerate("zyx"[-card.ndim :]):
        known = {} if voxel is None else {"unit": "micrometer", "scale": voxel[index]}
        space.append({"type": "space", "id": axis, "size": sizes[index], **known})
    return [{"type": "batch"}, {"type": "channel", "channel_names": list(channels)}, *space]


def _divisor(network: nn.Module, ndim: int) -> tuple[int, ...]:
    found = getattr(network, "divisor", (16,) * ndim)
    return tuple(int(step) for step in found)


def _readme(card: ModelCard) -> str:
    voxel = (
        "not known" if card.voxel_size_um is None else " x ".join(f"{size:g}" for size in card.voxel_size_um)
    )
    order = " (z, y, x)" if card.ndim == 3 else " (y, x)"
    zoom = f" The published preparation resizes by the fixed factors {card.zoom}." if card.zoom else ""
    flat = "Divide by a wide Gaussian blur of the image before all else.\n" if "flatten" in card.steps else ""
    limits = "\n".join(f"- {limit}" for limit in card.limits) or "- None are stated."
    return (
        f"# {card.title}\n\n{card.training}\n\n## Before you use it\n\n"
        f"Resample every image to {voxel} um{order} first: readers of this package do not.{zoom}\n"
        f"{flat}Sizes have to be multiples of those in rdf.yaml.\n\n"
        f"## Output\n\n{card.units}\n\n## Limits\n\n{limits}\n\n## Licence\n\n{card.licence}\n\n"
        f"## Citation\n\n{card.citation}\n\n## Validation\n\nSee the scores in the card in rdf.yaml.\n"
    )


def _torch_bytes(network: nn.Module) -> bytes:
    buffer = io.BytesIO()
    torch.save(dict(network.state_dict()), buffer)
    return buffer.getvalue()


def _npy(array: npt.NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array.astype(_NPY), allow_pickle=False)
    return buffer.getvalue()
