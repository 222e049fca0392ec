"""Whatever a file claims: an image or one sentence, within 5 seconds and 500 MB."""

import struct
import sys
import time
import tracemalloc
import zlib
from io import BytesIO
from itertools import chain, islice
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from labelfree_core.errors import ImageError
from labelfree_core.images.proposal import propose
from labelfree_core.images.reading import open_image, thumbnail

sys.path.insert(0, str(Path(__file__).parent))
import hostile

SEEDS = hostile.seeds()
SECONDS, BYTES = 5.0, 500_000_000


def use(path):
    """Everything that a page does with a file; True where it gave an image."""
    try:
        file = open_image(path)
        found = propose(file)
        thumbnail(file, 0)
        file.read(channel=found.transmitted_channel.value or 0, axes=str(found.axes.value))
    except ImageError as refusal:
        text = str(refusal)
        assert 20 < len(text) < 700, text
        assert "Traceback" not in text
        assert "<" not in text, text
        return False
    return True


@pytest.fixture
def measured(tmp_path):
    """Use a file's bytes within the limits of time and memory."""

    def run(data, name):
        path = tmp_path / name
        path.write_bytes(data)
        # What the system counts holds the decoders' own memory too; elsewhere only Python's is known.
        before = hostile.forget_peak()
        if before is None:
            tracemalloc.start()
        start = time.process_time()  # others on the machine are not the file's fault
        try:
            return use(path)
        finally:
            seconds = time.process_time() - start
            if before is None:
                peak = tracemalloc.get_traced_memory()[1]
                tracemalloc.stop()
            else:
                peak = (hostile.peak_bytes() or before) - before
            assert seconds < SECONDS, f"{name} took {seconds:.1f} s"
            assert peak < BYTES, f"{name} took {peak / 1e6:.0f} MB"
            # Nothing else appears beside the file.
            assert [p.name for p in tmp_path.iterdir()] == [name]

    return run


def cases(name, *, flips):
    """Every way to break one seed."""
    data = SEEDS[name]
    headers = hostile.broken_headers(data) if data[:4] in (b"II*\0", b"MM\0*") else iter(())
    return chain(hostile.cut(data), headers, hostile.flipped(data, seed=len(name), count=flips))


@pytest.mark.parametrize("name", SEEDS)
def test_a_sound_file_gives_an_image(measured, name):
    assert measured(SEEDS[name], name)


@pytest.mark.parametrize("name", SEEDS)
def test_a_broken_file_gives_an_image_or_a_sentence(measured, name):
    everything = list(cases(name, flips=8))
    # An even selection of a few hundred; all of them are in the slow test.
    for data in islice(everything, 0, None, max(1, len(everything) // 14)):
        measured(data, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", SEEDS)
def test_every_broken_file_gives_an_image_or_a_sentence(measured, name):
    for data in cases(name, flips=300):
        measured(data, name)


@pytest.mark.parametrize("name", ["ome.ome.tif", "packed.ome.tif"])
def test_ome_xml_with_an_attribute_or_an_element_wrong_gives_an_image_or_a_sentence(measured, name):
    everything = list(hostile.broken_xml(SEEDS[name]))
    for data in islice(everything, 0, None, max(1, len(everything) // 40)):
        measured(data, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ome.ome.tif", "packed.ome.tif"])
def test_all_broken_ome_xml_gives_an_image_or_a_sentence(measured, name):
    for data in hostile.broken_xml(SEEDS[name]):
        measured(data, name)


@settings(max_examples=25)
@given(
    head=st.sampled_from(
        [b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"\x93NUMPY\1\0"]
    ),
    rest=st.binary(max_size=300),
)
def test_noise_behind_a_true_signature_gives_a_sentence(tmp_path_factory, head, rest):
    path = tmp_path_factory.mktemp("noise") / "noise.tif"
    path.write_bytes(head + rest)
    use(path)


def _ome(xml):
    buffer = BytesIO()
    tifffile.imwrite(buffer, np.arange(64, dtype=np.uint8).reshape(8, 8), description=xml, metadata=None)
    return buffer.getvalue()


_HEAD = '<?xml version="1.0"?>'
_OPEN = '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="I:0"><Pixels ID="P:0" '
_SIZES = 'DimensionOrder="XYZCT" Type="uint8" SizeX="8" SizeY="8" '
_PLANE = f'{_SIZES}SizeZ="1" SizeC="1" SizeT="1">'
_CLOSE = "</Pixels></Image></OME>"
_LAUGHS = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    ("xml", "words"),
    [
        (f'{_HEAD}<!DOCTYPE l [<!ENTITY a0 "h">{_LAUGHS}]>{_OPEN}{_PLANE}&a9;{_CLOSE}',
         "declares entities"),
        (f'{_HEAD}<!DOCTYPE l [<!ENTITY a0 SYSTEM "file:///etc/passwd">]>{_OPEN}{_PLANE}'
         f"&a0;{_CLOSE}", "declares entities"),
        (f'{_HEAD}{_OPEN}{_SIZES}SizeZ="1" SizeC="1000000" SizeT="1">{_CLOSE}', "1000000 channels"),
        (f'{_HEAD}{_OPEN}{_SIZES}SizeZ="1" SizeC="1000000" SizeT="1">{"<Channel/>" * 1_000_000}{_CLOSE}',
         "1000000 channels"),
        (f'{_HEAD}{_OPEN}{_SIZES}SizeZ="99999999" SizeC="9" SizeT="99999999"><TiffData/>{_CLOSE}', "claims"),
        (f'{_HEAD}{_OPEN}{_PLANE}<TiffData PlaneCount="999999999"/>{_CLOSE}', "claims"),
        (f'{_HEAD}{_OPEN}{_PLANE}{"<TiffData/>" * 310_000}{_CLOSE}', "far"),
        (f'{_HEAD}<OME xmlns="x">{"<Image>" * 50_000}', ""),
        (f'{_HEAD}{_OPEN}DimensionOrder="ZZZZZ" Type="complex" SizeX="-8" SizeY="eight">{_CLOSE}', ""),
        (f'{_HEAD}{_OPEN}{_PLANE}<TiffData IFD="9"><UUID FileName="../../etc/passwd">'
         f"urn:x</UUID></TiffData>{_CLOSE}", ""),
        (f'{_HEAD}{_OPEN}{_PLANE}<Channel Name="&lt;img src=x onerror=alert(1)&gt;"/>'
         f"<TiffData/>{_CLOSE}", ""),
        (f"{_HEAD}<OME", ""),
        ("OME \udcff".encode("utf-8", "surrogatepass").decode("latin-1"), ""),
    ],
    ids=range(13),
)  # fmt: skip
def test_hostile_ome_xml_gives_an_image_or_a_sentence(measured, tmp_path, xml, words):
    data = _ome(xml.encode("utf-8"))
    got = measured(data, "hostile.ome.tif")
    path = tmp_path / "hostile.ome.tif"
    if words:
        with pytest.raises(ImageError, match=words):
            open_image(path)
    elif got:
        assert not any(set(name) & set("<>") for name in open_image(path).channel_names)


def test_a_modulo_axis_of_endless_labels_is_refused(measured):
    modulo = (
        '<StructuredAnnotations><XMLAnnotation ID="A" Namespace="x/modulo"><Value><Modulo>'
        '<ModuloAlongT Type="lifetime" Start="0" End="1" Step="1e-12"/>'
        "</Modulo></Value></XMLAnnotation></StructuredAnnotations>"
    )
    xml = f"{_HEAD}{_OPEN}{_PLANE}<TiffData/></Pixels></Image>{modulo}</OME>"
    assert not measured(_ome(xml), "modulo.ome.tif")


def _chain(pages, back_to, *, big=False, order="<"):
    """A file of tiny pages, the last of which names an earlier one as the next."""
    places, data = [], bytearray(16 if big else 8)
    for _ in range(pages):
        places.append(len(data))
        tags = [(256, 4), (257, 4), (258, 8), (262, 1), (273, 8), (277, 1), (278, 4), (279, 16)]
        data += struct.pack(order + ("Q" if big else "H"), len(tags))
        for tag, value in tags:
            data += struct.pack(order + ("HHQQ" if big else "HHII"), tag, 4, 1, value)
        data += bytes(8 if big else 4)
    links = [*places[1:], places[back_to]]
    place = order + ("Q" if big else "I")
    for here, following in zip(places, links, strict=True):
        struct.pack_into(place, data, here + (8 + 8 * 20 if big else 2 + 8 * 12), following)
    mark = b"II" if order == "<" else b"MM"
    data[: 8 if big else 4] = mark + struct.pack(
        order + "HHH" if big else order + "H", *((43, 8, 0) if big else (42,))
    )
    struct.pack_into(place, data, 8 if big else 4, places[0])
    return bytes(data)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize(("pages", "back_to"), [(1, 0), (7, 3), (150, 149), (250, 120)])
def test_pages_in_a_circle_are_refused(measured, tmp_path, pages, back_to, big, order):
    assert not measured(_chain(pages, back_to, big=big, order=order), "circle.tif")
    with pytest.raises(ImageError, match="point in a circle"):
        open_image(tmp_path / "circle.tif")


def test_two_axes_without_a_meaning_are_told_apart(measured, tmp_path):
    buffer = BytesIO()
    stack = np.arange(3 * 2 * 24 * 32, dtype=np.uint16).reshape(3, 2, 24, 32)
    tifffile.imwrite(buffer, stack, photometric="minisblack")
    assert measured(buffer.getvalue(), "unknown.tif")
    assert open_image(tmp_path / "unknown.tif").axes == "QIYX"


@pytest.mark.parametrize("side", [70_000, 1_000_000])
def test_absurd_dimensions_are_refused(measured, side):
    data = bytearray(SEEDS["plain.tif"])
    for place, _, _ in hostile.entries(bytes(data))[1:]:
        if struct.unpack_from("<H", data, place)[0] in (256, 257, 278):
            data[place + 2 : place + 12] = struct.pack("<HII", 4, 1, side)
    assert not measured(bytes(data), "absurd.tif")


def test_a_decompression_bomb_is_refused(measured):
    buffer = BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(iter([zlib.compress(b"")]), shape=(40_000, 40_000), dtype=np.uint8, compression="zlib",
                     rowsperstrip=40_000)  # fmt: skip
    assert not measured(buffer.getvalue(), "bomb.tif")


def test_a_strip_that_unpacks_to_more_than_it_says_stays_small(measured):
    buffer = BytesIO()
    bomb = zlib.compress(bytes(200_000_000), 1)
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(iter([bomb]), shape=(16, 16), dtype=np.uint8, compression="zlib", rowsperstrip=16)
    measured(buffer.getvalue(), "inside.tif")


@pytest.mark.parametrize("side", [30_000, 2**31 - 1])
def test_a_png_bomb_is_refused(measured, side):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(bytes(10_000))) + chunk(b"IEND", b"")
    assert not measured(b"\x89PNG\r\n\x1a\n" + head + body, "bomb.png")


def test_a_jpeg_inside_a_tile_that_claims_more_than_the_tile_is_survived(measured):
    data = SEEDS["jpeg.tif"]
    start = data.index(b"\xff\xc0")
    grown = data[: start + 5] + struct.pack(">HH", 65_000, 65_000) + data[start + 9 :]
    measured(grown, "grown.tif")


@pytest.mark.parametrize("shape", [(10**9, 10**9), (2**62,), (-4, 8, 8), (0, 8, 8), (1,) * 30])
def test_an_array_file_that_lies_about_its_shape_is_refused(measured, shape):
    head = f"{{'descr': '<u2', 'fortran_order': False, 'shape': {shape!r}, }}".encode().ljust(245) + b"\n"
    assert not measured(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + bytes(64), "lies.npy")


def test_an_array_header_that_is_no_python_is_refused(measured):
    head = b"{'descr': '<u2', 'fortran_order': False, 'shape': (4, (20, 24), }".ljust(117) + b"\n"
    assert not measured(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + bytes(64), "open.npy")


def test_an_array_header_is_never_run(measured):
    head = b"__import__('pathlib').Path('ran').touch() or {}".ljust(117) + b"\n"
    assert not measured(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head, "runs.npy")


@pytest.mark.parametrize("dtype", ["c8", "c16", "S5", "M8[s]"])
def test_an_array_of_no_numbers_is_refused(tmp_path, dtype):
    np.save(tmp_path / "a.npy", np.zeros((4, 8, 8), dtype))
    with pytest.raises(ImageError, match="an image needs numbers"):
        open_image(tmp_path / "a.npy")


def test_tiles_without_data_read_as_black_or_are_refused(measured):
    data = bytearray(SEEDS["tiled.tif"])
    for place, _, count in hostile.entries(bytes(data)):
        if place > 4 and struct.unpack_from("<H", data, place)[0] == 325 and count > 1:
            start = struct.unpack_from("<I", data, place + 8)[0]
            data[start : start + 4] = bytes(4)
    measured(bytes(data), "sparse.tif")
