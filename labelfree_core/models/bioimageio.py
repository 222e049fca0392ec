"""
BioImage.IO model packages (format 0.5): read where the network is one of ours, and written.

A package may bring its author's Python file, a TorchScript program or an ONNX graph. None of
these is run or loaded: only tensors are taken, and only for networks that are known here.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from torch import Tensor

from labelfree_core.errors import ModelError
from labelfree_core.models.build import skeleton
from labelfree_core.models.card import ModelCard
from labelfree_core.models.cardfile import parse_card
from labelfree_core.models.containers import Kind, checked_members, identify, read_member, refusal
from labelfree_core.models.entries import model_id
from labelfree_core.models.files import reason
from labelfree_core.models.fnet_checkpoint import Layout, describe, find_layout, load_tensors
from labelfree_core.models.weights import LARGEST_WEIGHTS_BYTES, State, checked_state, read_weights
from labelfree_core.scratch import prefix

DESCRIPTIONS = ("rdf.yaml", "bioimageio.yaml")
CARD_KEY = "labelfree"
_LARGEST_TEXT = 1_000_000
_MICROMETRES = {"micrometer": 1.0, "nanometer": 1e-3, "millimeter": 1e3}
_HARMLESS = {"ensure_dtype"}

Table = Mapping[Any, Any]


def read_package(path: str | Path, *, name: str | None = None) -> tuple[ModelCard, State]:
    """
    Read a package of format 0.5, zipped or as a folder.

    Parameters
    ----------
    path : path
        The zip file, or the folder that holds ``rdf.yaml``.
    name : str, optional
        The person's own name of the file, where *path* is a temporary one.

    Returns
    -------
    card : ModelCard
    state : dict of tensors

    Raises
    ------
    ModelError
        If the package is damaged, of another format, or its network is not known here.

    References
    ----------
    .. [1] The format's description, https://bioimage.io/docs/
    """
    place = Path(path)
    name = name or place.name
    rdf = _read_description(place, name)
    weights = _weights_entry(rdf, name)
    content = _content(place, str(weights["source"]), name)
    if weights.get("sha256") and hashlib.sha256(content).hexdigest() != weights["sha256"]:
        raise ModelError(
            f"The weights in {name} do not have the hash that its rdf.yaml names: one of them was changed. "
            "Download the package again."
        )
    own = _own_card(rdf, name)
    with _scratch(content, name) as file:
        kind = identify(file)
        if kind is Kind.SAFETENSORS:
            layout = Layout(dict(read_weights(file)[0].items()), "safetensors", {})
        else:
            layout = find_layout(load_tensors(file, kind, name=name), name)
        if own is None:
            card, state = describe(layout, name)
            card = _from_description(card, rdf, name)
        else:
            tensors = {key: value for key, value in layout.state.items() if isinstance(value, Tensor)}
            card, state = own, checked_state(tensors, skeleton(own), name=name)
    return replace(card, id=model_id(name, hashlib.sha256(content).hexdigest()), sha256=""), state


@contextmanager
def _scratch(content: bytes, name: str) -> Iterator[Path]:
    """Put the weights into a file of their own for as long as they are read."""
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix=prefix("package")))
            file = Path(folder) / "weights"
            file.write_bytes(content)
        except OSError as problem:
            raise ModelError(
                f"{name} can't be unpacked ({reason(problem)}). Free some disk space and add it again."
            ) from problem
        yield file


def _read_description(place: Path, name: str) -> Table:
    content = b""
    for description in DESCRIPTIONS:
        try:
            content = _content(place, description, name, most=_LARGEST_TEXT)
            break
        except FileNotFoundError:
            continue
    try:
        rdf = yaml.safe_load(content)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as problem:
        line = (str(problem).splitlines() or ["unreadable"])[0][:120]
        raise ModelError(
            f"The rdf.yaml of {name} is not valid YAML ({line}). Download the package again."
        ) from None
    if not isinstance(rdf, dict) or rdf.get("type") != "model":
        raise refusal(name, "a BioImage.IO package of something that is no model")
    version = str(rdf.get("format_version", "unknown"))[:20]
    if not version.startswith("0.5"):
        raise refusal(name, f"a BioImage.IO package of format {version}, and 0.5 is read")
    return rdf


def _weights_entry(rdf: Table, name: str) -> Table:
    weights = rdf.get("weights")
    entries = weights if isinstance(weights, dict) else {}
    for key in ("pytorch_state_dict", "safetensors"):
        entry = entries.get(key)
        if isinstance(entry, dict) and isinstance(entry.get("source"), str):
            return entry
    there = ", ".join(str(key)[:40] for key in list(entries)[:6]) or "none"
    raise refusal(
        name,
        f"a BioImage.IO package whose weights are {there}; these are programs of their own and can't be "
        "compared with a known network, pytorch_state_dict can",
    )


def _content(place: Path, source: str, name: str, *, most: int = LARGEST_WEIGHTS_BYTES) -> bytes:
    """Read one file of the package; never one outside of it."""
    if "://" in source:
        raise ModelError(
            f"The weights of {name} are not in the package but at another address, and nothing is "
            "fetched from there. Download the package with everything in it."
        )
    parts = source.replace("\\", "/").split("/")
    if ".." in parts or parts[0] == "" or ":" in parts[0]:
        raise refusal(name, "a package that names a file outside of itself, as no honest one does")
    if place.is_dir():
        return _content_of_folder(place, source, name, most)
    members = checked_members(place)
    found = [key for key in members if key == source or (key.count("/") == 1 and key.endswith(f"/{source}"))]
    if not found:
        if source in DESCRIPTIONS:
            raise FileNotFoundError(source)
        raise ModelError(f"{name} lacks the file '{source[:80]}' that its rdf.yaml names. Download it again.")
    return read_member(place, members[found[0]], most=most)


def _content_of_folder(place: Path, source: str, name: str, most: int) -> bytes:
    file = place / source
    try:
        if not file.resolve().is_relative_to(place.resolve()):
            raise refusal(name, "a package that names a file outside of itself, as no honest one does")
        if file.stat().st_size > most:
            raise refusal(name, f"a package whose '{source[:80]}' has {file.stat().st_size:,} bytes")
        return file.read_bytes()
    except FileNotFoundError:
        if source in DESCRIPTIONS:
            raise
        raise ModelError(
            f"{name} lacks the file '{source[:80]}' that its rdf.yaml names. Get it again."
        ) from None
    except (OSError, RuntimeError) as problem:
        raise ModelError(
            f"'{source[:80]}' of {name} can't be read ({problem}). Check the folder."
        ) from problem


def _own_card(rdf: Table, name: str) -> ModelCard | None:
    config = rdf.get("config")
    own = config.get(CARD_KEY) if isinstance(config, dict) else None
    text = own.get("card") if isinstance(own, dict) else None
    return parse_card(text, name=f"The card in {name}") if isinstance(text, str) else None


def _from_description(card: ModelCard, rdf: Table, name: str) -> ModelCard:
    inputs = rdf.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise refusal(
            name, "a BioImage.IO model with several inputs, and one image is all that is given here"
        )
    size = _voxel_size(inputs[0].get("axes"), card.ndim, name)
    unknown = "The package does not say the voxel size of its training."
    limits = ("Imported from a package: its score was not checked here.", *(() if size else (unknown,)))
    licence = _line(rdf.get("license")) or card.licence
    return replace(
        card,
        title=_line(rdf.get("name")) or card.title,
        voxel_size_um=size,
        steps=(*(("resize",) if size else ()), *_preprocessing(inputs[0].get("preprocessing"), name)),
        training=f"{card.training} {_line(rdf.get('description'))}".strip(),
        licence=licence,
        citation=_citation(rdf.get("cite")) or card.citation,
        limits=limits,
    )


def _voxel_size(axes: object, ndim: int, name: str) -> tuple[float, ...] | None:
    table = (
        {str(axis.get("id")): axis for axis in axes if isinstance(axis, dict)}
        if isinstance(axes, list)
        else {}
    )
    order = [key for key in table if key in ("z", "y", "x")]
    if order != list("zyx"[-ndim:]):
        raise ModelError(
            f"The input of {name} has the axes {', '.join(key[:20] for key in table) or 'none'}; this "
            f"network needs batch, channel, {', '.join('zyx'[-ndim:])}. The package contradicts its weights."
        )
    sizes = []
    for key in order:
        scale, unit = table[key].get("scale"), str(table[key].get("unit"))
        if not isinstance(scale, (int, float)) or unit not in _MICROMETRES or not 1e-4 < scale < 1e4:
            return None
        sizes.append(float(scale) * _MICROMETRES[unit])
    return tuple(sizes)


def _preprocessing(found: object, name: str) -> tuple[str, ...]:
    steps = []
    for item in found if isinstance(found, list) else []:
        step = str(item.get("id", "") if isinstance(item, dict) else item)[:60]
        if step == "zero_mean_unit_variance":
            steps.append("standardise")
        elif step not in _HARMLESS:
            raise ModelError(
                f"{name} asks for the preprocessing '{step}', which is not known here, and without it "
                "the network would see other images than in its training. Known is zero_mean_unit_variance."
            )
    return tuple(dict.fromkeys(steps))


def _citation(cite: object) -> str:
    entries = [item for item in cite if isinstance(item, dict)] if isinstance(cite, list) else []
    texts = [
        f"{_line(item.get('text'))} {_line(item.get('doi') or item.get('url'))}".strip() for item in entries
    ]
    return " ".join(texts[:5])


def _line(value: object) -> str:
    """Bring text from outside to one line of bounded length."""
    return re.sub(r"\s+", " ", str(value)).strip()[:500] if isinstance(value, (str, int, float)) else ""
