"""Model files from strangers, given to a real server through the page "Models"."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml

from labelfree_core.models.bioimageio_export import export_package
from labelfree_core.models.build import build
from labelfree_core.models.card import ModelCard
from labelfree_core.models.cardfile import format_card
from labelfree_core.models.store import save_model

from . import serving
from .serving import Server, Visitor, open_image, serve, visit
from .test_hostile_uploads import MARKUP, PAGES, check_page, check_sentence

CARD = ModelCard(
    id="tiny-3d",
    title="DNA: tiny",
    structure="DNA",
    modality="bright-field",
    ndim=3,
    architecture="fnet",
    network={"mult_chan": 2, "depth": 1},
    voxel_size_um=(0.29, 0.29, 0.29),
)


class Malice:
    """An object whose pickle would make a folder when it is opened."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.mkdir, (self.mark,)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(tmp_path_factory.mktemp("server")) as running:
        yield running


def torch_file(content: object) -> bytes:
    target = io.BytesIO()
    torch.save(content, target)
    return target.getvalue()


def package(folder: Path, changes: dict[str, object]) -> bytes:
    """A package of a small network whose card says something else than it should."""
    torch.manual_seed(0)
    made = save_model(folder / CARD.id, build(CARD).state_dict(), CARD)
    path = export_package(made, folder / "package.zip")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    rdf = yaml.safe_load(members["rdf.yaml"])
    text = format_card(CARD)
    for key, value in changes.items():
        text = text.replace(f"{key} = ", f"{key} = {value} # ")
    rdf["config"]["labelfree"]["card"] = text
    members["rdf.yaml"] = yaml.safe_dump(rdf).encode()
    return zipped(members)


def zipped(members: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target.getvalue()


def hostile(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents of files that no honest person has."""
    good = build(CARD).state_dict()
    mark = folder / "ran"
    yield "plain.p", pickle.dumps(Malice(mark))
    yield "torch.p", torch_file({"nn_module": "fnet_nn_3d", "nn_kwargs": {}, "nn_state": Malice(mark)})
    yield "slip.zip", zipped({"../../slip.txt": b"x", "rdf.yaml": b"type: model"})
    yield (
        "notfinite.p",
        torch_file(
            {
                "nn_module": "fnet_nn_3d",
                "nn_kwargs": {},
                "nn_state": {k: v * float("nan") for k, v in good.items()},
            }
        ),
    )
    large = {name: torch.zeros(1).expand(10**6, 10**6) for name in list(good)[:1]}
    yield (
        "oversize.p",
        torch_file({"nn_module": "fnet_nn_3d", "nn_kwargs": {}, "nn_state": {**good, **large}}),
    )
    yield "lies.zip", package(folder, {"ndim": "2"})
    yield "nolight.zip", package(folder, {"modality": '" "'})
    yield "endless.zip", package(folder, {"structure": f'"{"D" * 5000}"'})


def test_hostile_models_are_refused_with_a_sentence_and_run_nothing(server: Server, tmp_path: Path) -> None:
    async def story(visitor: Visitor) -> None:
        await visitor.arrive()
        await visitor.go("models")
        for name, content in hostile(tmp_path):
            (tmp_path / "upload").write_bytes(content)
            await visitor.upload(tmp_path / "upload", name)
            await visitor.press("Add")
            (said,) = visitor.complaints()
            check_sentence(said)
            assert name.replace(".", r"\.") in said or name in said, said
            files = [path for path in server.sessions[0].rglob("*") if path.is_file()]
            assert files == [], name

    visit(story, server.address, complains=True)
    assert not (tmp_path / "ran").exists()
    assert not list(server.work.rglob("slip.txt"))


def test_a_card_full_of_markup_is_shown_as_text_on_every_page(server: Server, tmp_path: Path) -> None:
    text = '"' + MARKUP.replace('"', "'") + '"'
    fields = dict.fromkeys(("title", "structure", "modality", "licence", "citation", "training"), text)
    content = package(tmp_path, {**fields, "units": text})
    (tmp_path / "upload").write_bytes(content)
    image = serving.cells(tmp_path / "cells.ome.tif")

    async def story(visitor: Visitor) -> None:
        await visitor.arrive()
        await open_image(visitor, image)
        await visitor.go("models")
        await visitor.upload(tmp_path / "upload", f"{MARKUP}.zip")
        await visitor.press("Add")
        assert visitor.complaints() == []
        for page in PAGES:
            await visitor.go(page)
            check_page(visitor)

    visit(story, server.address)
