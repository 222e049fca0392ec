"""Files and models from strangers, given to a real server through its pages: a sentence each, and no more."""

from __future__ import annotations

import gzip
import pickle
import re
import struct
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import tifffile

from . import serving
from .serving import Server, Visitor, open_image, serve, visit

SOUND = "sound.ome.tif"
MARKUP = "<img src=x onerror=alert(1)>**bold** [x](javascript:alert(1)) ![x](http://127.0.0.1:9/x.png) $x^2$"
PAGES = ("predict", "compare", "trust", "masks", "untagged", "models", "train", "start")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return serving.cells(tmp_path_factory.mktemp("cells") / SOUND)


def tiff(voxels: np.ndarray, **options: object) -> bytes:
    target = BytesIO()
    tifffile.imwrite(target, voxels, **options)
    return target.getvalue()


def only_a_header(side: int) -> bytes:
    """A TIFF of one strip that claims so many pixels along each side, and holds none."""
    tags = [(256, 4, side), (257, 4, side), (258, 3, 16), (259, 3, 1), (262, 3, 1), (273, 4, 200)]
    tags += [(277, 3, 1), (278, 4, side), (279, 4, min(2 * side * side, 2**32 - 1))]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + entries + bytes(4)


def light() -> np.ndarray:
    return np.random.default_rng(0).integers(1000, 3000, (4, 40, 48)).astype(np.uint16)


def check_sentence(said: str) -> None:
    """Hold what a page says about a trouble against what a person can read."""
    assert "\n" not in said
    assert 20 < len(said) < 700
    assert said.rstrip().endswith((".", ")"))
    for word in ("Traceback", "Error(", "line ", "labelfree_core", "/tmp"):
        assert word not in said


def plain(text: str) -> str:
    """What is left to read when the marks against Markdown are taken away."""
    return re.sub(r"\\(.)", r"\1", text)


def unescaped(text: str) -> str:
    """What Markdown would act on."""
    return re.sub(r"\\.", "", text)


async def everything_still_works(visitor: Visitor) -> None:
    """Go through all pages: none of them breaks, and the image that was open still is."""
    for page in PAGES:
        await visitor.go(page)
        check_page(visitor)


def refused() -> Iterator[tuple[str, str, bytes]]:
    stack = tiff(light(), photometric="minisblack", metadata={"axes": "ZYX"})
    yield "empty", "empty.tif", b""
    yield "pickle", "innocent.tif", pickle.dumps({"a": 1})
    yield "header", "huge.tif", only_a_header(100_000)
    yield "script", "page.tif", b"<script>alert(1)</script>"
    yield "bomb", "bomb.tif", gzip.compress(bytes(50_000_000))
    yield "words", f"{MARKUP}.tif", b"no image"
    yield "path", "../../etc/passwd.tif", b"root:x:0:0"
    yield "long", f"{'n' * 250}.tif", b"no image"
    yield "right-to-left", "gnp\u202efit.\u0627\u0628\u062c 🧫.tif", b"no image"
    yield "cut in the header", "cut.tif", stack[:6]


@pytest.mark.parametrize(("name", "content"), [pytest.param(*case[1:], id=case[0]) for case in refused()])
def test_what_is_no_image_is_one_sentence_and_the_open_one_stays(
    server: Server, sound: Path, tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / "upload").write_bytes(content)

    async def story(visitor: Visitor) -> None:
        await visitor.arrive()
        await open_image(visitor, sound)
        await visitor.upload(tmp_path / "upload", name)
        (said,) = visitor.complaints()
        check_sentence(said)
        assert "](" not in unescaped(said)
        assert "<" not in unescaped(said)
        assert any(SOUND in plain(words) for words in visitor.words())
        for session in server.sessions:  # its own one, and those of earlier visitors
            assert len([path for path in session.rglob("*") if path.is_file()]) <= 1
        await everything_still_works(visitor)

    visit(story, server.address, complains=True)


def ome(voxels: np.ndarray, *, axes: str = "ZYX", **more: object) -> bytes:
    """An OME-TIFF with a voxel size, so that it can be predicted from."""
    sizes = {f"PhysicalSize{axis}": 0.29 for axis in "XYZ"}
    return tiff(voxels, ome=True, photometric="minisblack", metadata={"axes": axes, **sizes, **more})


def strange() -> Iterator[tuple[str, str, bytes]]:
    stack = light()
    whole = ome(stack)
    yield "cut in the voxels", "cut.ome.tif", whole[: len(whole) - stack.nbytes // 2]
    colour = np.random.default_rng(1).integers(0, 255, (64, 80, 3)).astype(np.uint8)
    whole = tiff(colour, photometric="rgb", compression="zlib", metadata=None)
    yield "cut in a colour", "cut-colour.tif", whole[: len(whole) // 2] + bytes(len(whole) // 2)
    yield "no numbers", "nan.ome.tif", ome(np.full((4, 40, 48), np.nan, np.float32))
    infinite = np.where(np.arange(48) < 20, np.inf, stack).astype(np.float32)
    yield "infinite", "inf.ome.tif", ome(infinite)
    yield "constant", "constant.ome.tif", ome(np.full((4, 40, 48), 7, np.uint16))
    names = {"Name": [f"Bright {MARKUP}", f"DNA {MARKUP}"]}
    named = ome(np.stack([stack, stack]), axes="CZYX", Channel=names, Description=MARKUP)
    yield "markup inside", "named.ome.tif", named
    yield "markup outside", f"{MARKUP}.tif", ome(stack)
    yield "one pixel", "pixel.ome.tif", ome(np.ones((1, 1), np.uint16), axes="YX")


@pytest.mark.parametrize(("name", "content"), [pytest.param(*case[1:], id=case[0]) for case in strange()])
def test_a_strange_image_breaks_no_page(server: Server, tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / "upload").write_bytes(content)

    async def story(visitor: Visitor) -> None:
        await visitor.arrive()
        await visitor.upload(tmp_path / "upload", name)
        check_page(visitor)
        await visitor.go("predict")
        if any(button.label == "Predict" and not button.disabled for button in buttons(visitor)):
            await visitor.press("Predict")
            await visitor.until(lambda: visitor.complaints() or shows_result(visitor), 120, "a result")
        for page in PAGES:
            await visitor.go(page)
            check_page(visitor)

    visit(story, server.address, complains=True)


def buttons(visitor: Visitor) -> list[object]:
    return [shown.button for shown in visitor.shown.values() if shown.WhichOneof("type") == "button"]


def shows_result(visitor: Visitor) -> bool:
    return any("Image (OME-TIFF)" in words for words in visitor.words())


def check_page(visitor: Visitor) -> None:
    """See that every complaint is a sentence, and that nothing on the page acts."""
    for said in visitor.complaints():
        check_sentence(said)
    for words in visitor.words():
        assert "javascript:" not in unescaped(words).replace(r"javascript\:", "")
        assert "![" not in unescaped(words)
        assert "<img" not in unescaped(words)
