"""Every format opens by its headers, says what it holds, and reads no more than it is asked for."""

import resource
import tracemalloc

import hypothesis.strategies as st
import numpy as np
import pytest
import tifffile
from hypothesis import given
from PIL import Image

from labelfree_core.errors import ImageError
from labelfree_core.images.layout import to_um
from labelfree_core.images.reading import LUMINANCE, open_image, thumbnail
from labelfree_core.images.stack import ImageStack
from labelfree_core.images.text import file_name, plain_text
from labelfree_core.images.writing import encode_stack

STACK = np.random.default_rng(0).integers(0, 60_000, (3, 2, 24, 32)).astype(np.uint16)
OME = {
    "axes": "ZCYX",
    "Channel": {"Name": ["Bright_100", "DNA"]},
    "PhysicalSizeX": 108.33,
    "PhysicalSizeXUnit": "nm",
    "PhysicalSizeY": 0.00010833,
    "PhysicalSizeYUnit": "mm",
    "PhysicalSizeZ": 0.29,
}


@pytest.mark.parametrize(
    ("options", "axes", "kind"),
    [
        ({"ome": True, "metadata": OME}, "ZCYX", "OME-TIFF"),
        ({"ome": True, "metadata": OME, "compression": "zlib"}, "ZCYX", "OME-TIFF"),
        ({"ome": True, "metadata": OME, "bigtiff": True, "byteorder": ">"}, "ZCYX", "OME-TIFF (BigTIFF)"),
        ({"ome": True, "metadata": OME, "tile": (16, 16), "compression": "lzw"}, "ZCYX", "OME-TIFF"),
        ({"imagej": True, "metadata": {"axes": "ZCYX"}}, "ZCYX", "ImageJ TIFF"),
        ({"bigtiff": True, "metadata": {"axes": "ZCYX"}}, "ZCYX", "TIFF (BigTIFF)"),
        ({"compression": "zstd", "metadata": {"axes": "TCYX"}}, "TCYX", "TIFF"),
    ],
)
def test_a_channel_reads_as_written_in_every_dialect_of_tiff(save, options, axes, kind):
    path = save(STACK, photometric="minisblack", **options)
    file = open_image(path)
    assert (file.axes, file.shape, file.format) == (axes, STACK.shape, kind)
    stack = file.read(channel=1, axes="ZCYX")
    np.testing.assert_array_equal(stack.voxels, STACK[:, 1])
    assert stack.voxels.dtype == np.uint16
    assert len(stack.origin.sha256) == 64
    look = file.read(channel=1, axes="ZCYX", planes=slice(1, 2))
    np.testing.assert_array_equal(look.voxels, STACK[1:2, 1])


def test_ome_names_and_sizes_are_read_in_their_units(save):
    file = open_image(save(STACK, ome=True, metadata=OME, photometric="minisblack"))
    assert file.channel_names == ("Bright_100", "DNA")
    size = file.voxel_size_um
    assert (size.z, size.y, size.x) == (0.29, 0.10833, 0.10833)
    assert file.read(channel=0).voxel_size_um == (0.29, 0.10833, 0.10833)


def test_imagej_names_and_sizes_are_read(save):
    meta = {"axes": "ZCYX", "spacing": 0.29, "unit": "um", "Labels": ["BF", "DNA"] * 3}
    file = open_image(save(STACK, imagej=True, resolution=(1 / 0.108, 1 / 0.108), metadata=meta))
    assert file.channel_names == ("BF", "DNA")
    assert file.voxel_size_um.z == 0.29
    assert file.voxel_size_um.x == pytest.approx(0.108, rel=1e-4)


@pytest.mark.parametrize(
    ("resolution", "unit", "size", "words"),
    [
        ((72, 72), "INCH", None, "72 dpi"),
        ((25400, 25400), "INCH", None, "25400 dpi"),
        ((92592.6, 92592.6), "CENTIMETER", 0.108, "resolution tags"),
        ((1, 1), "NONE", None, "states no voxel size"),
    ],
)
def test_a_printing_resolution_is_no_pixel_size(save, resolution, unit, size, words):
    file = open_image(save(STACK[0, 0], resolution=resolution, resolutionunit=unit))
    assert file.voxel_size_um.x == (None if size is None else pytest.approx(size, rel=1e-3))
    assert words in file.voxel_size_um.source


@pytest.mark.parametrize(
    ("value", "unit"), [("0", "um"), ("-1", "um"), ("nan", "um"), ("1", "pixel"), ("x", "um")]
)
def test_a_length_that_is_none_is_none(value, unit):
    assert to_um(value, unit) is None


def test_a_pyramid_is_read_at_full_resolution(tmp_path):
    plane = np.random.default_rng(0).integers(0, 255, (128, 96)).astype(np.uint8)
    for name, options in (("ome", {"subifds": 1}), ("plain", {})):
        path = tmp_path / f"{name}.tif"
        with tifffile.TiffWriter(path, ome=name == "ome") as writer:
            writer.write(plane, tile=(32, 32), **options)
            writer.write(plane[::2, ::2], tile=(32, 32), subfiletype=1)
        np.testing.assert_array_equal(open_image(path).read().voxels, plane)


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_a_colour_picture_asks_which_channel_and_offers_luminance(tmp_path, kind):
    colour = np.zeros((32, 48, 3), np.uint8)
    colour[..., 1] = 200
    path = tmp_path / f"image.{kind}"
    Image.fromarray(colour).save(path)
    file = open_image(path)
    assert file.axes == "YXS"
    with pytest.raises(ImageError, match=r"3 channels: 0 red, 1 green, 2 blue. Choose one or luminance"):
        file.read()
    assert abs(int(file.read(channel=1).voxels.mean()) - 200) <= 2
    assert file.read(channel=LUMINANCE).voxels.mean() == pytest.approx(0.587 * 200, abs=2)
    assert (file.channel_index("Green"), file.channel_index("luminance")) == (1, LUMINANCE)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_grey_png_reads_as_written(tmp_path, dtype):
    plane = (np.arange(32 * 48).reshape(32, 48) * 40 % np.iinfo(dtype).max).astype(dtype)
    Image.fromarray(plane).save(tmp_path / "plane.png")
    np.testing.assert_array_equal(open_image(tmp_path / "plane.png").read().voxels, plane)


def test_colour_tiff_reads_by_channel(save):
    colour = np.random.default_rng(0).integers(0, 255, (4, 32, 48, 3)).astype(np.uint8)
    file = open_image(save(colour, photometric="rgb", metadata={"axes": "ZYXS"}))
    np.testing.assert_array_equal(file.read(channel=2).voxels, colour[..., 2])


def test_an_array_file_reads_once_its_axes_are_stated(tmp_path):
    np.save(tmp_path / "a.npy", STACK[:, 0].astype(">u2"))
    file = open_image(tmp_path / "a.npy")
    with pytest.raises(ImageError, match="does not say whether its 3 planes are z, time or channels"):
        file.read()
    np.testing.assert_array_equal(file.read(axes="ZYX").voxels, STACK[:, 0])


@pytest.mark.parametrize("dtype", ["u1", "i2", ">u2", "f2", ">f4", "f8", "u4", "?"])
def test_any_real_dtype_and_byte_order_reads(save, dtype):
    voxels = (STACK[:, 0] % 100).astype(dtype)
    order = ">" if dtype.startswith(">") else "<"
    file = open_image(save(voxels, byteorder=order, photometric="minisblack", metadata={"axes": "ZYX"}))
    np.testing.assert_array_equal(file.read().voxels, voxels)


def test_time_points_are_chosen_and_axes_can_be_corrected(save):
    path = save(STACK[:, 0], imagej=True, metadata={"axes": "TYX"})
    file = open_image(path)
    np.testing.assert_array_equal(file.read(time=2).voxels, STACK[2, 0])
    np.testing.assert_array_equal(file.read(axes="ZYX").voxels, STACK[:, 0])
    with pytest.raises(ImageError, match="3 time points"):
        file.read(time=3)
    with pytest.raises(ImageError, match="do not fit"):
        file.read(axes="ZCYX")


def test_several_channels_are_never_guessed(save):
    file = open_image(save(STACK, ome=True, metadata=OME, photometric="minisblack"))
    with pytest.raises(ImageError, match=r"2 channels: 0 Bright_100, 1 DNA\. Choose one"):
        file.read()
    with pytest.raises(ImageError, match="there is no channel 7"):
        file.read(channel=7)


def test_channels_are_found_by_name_in_any_case_or_by_number(save):
    file = open_image(save(STACK, ome=True, metadata=OME, photometric="minisblack"))
    assert [file.channel_index(n) for n in ("bright_100", "DNA", "bright", "1")] == [0, 1, 0, 1]
    with pytest.raises(ImageError, match="it has 0 Bright_100, 1 DNA"):
        file.channel_index("Hoechst")


def test_sixty_channels_open_and_read(save):
    many = np.random.default_rng(0).integers(0, 255, (60, 20, 20)).astype(np.uint8)
    file = open_image(save(many, ome=True, metadata={"axes": "CYX"}, photometric="minisblack"))
    np.testing.assert_array_equal(file.read(channel=59).voxels, many[59])
    with pytest.raises(ImageError, match="and 48 more"):
        file.read()


def test_one_plane_of_two_gigabytes_takes_the_memory_of_one_plane(tmp_path):
    path = tmp_path / "large.tif"
    planes, side = 1024, 1024
    # A sparse file: the header says 2 GB, the disk holds a few kilobytes.
    tifffile.memmap(path, shape=(planes, side, side), dtype=np.uint16, metadata={"axes": "ZYX"}).flush()
    assert path.stat().st_size > 2_000_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tracemalloc.start()
    stack = open_image(path).read(planes=slice(500, 501))
    picture = thumbnail(open_image(path), 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert stack.shape == (1, side, side)
    assert max(picture.shape) <= 256
    assert peak < 300_000_000
    assert grown < 500_000_000


def test_the_same_holds_for_packed_pages(tmp_path):
    path = tmp_path / "packed.tif"
    plane = np.random.default_rng(0).integers(0, 255, (512, 512)).astype(np.uint8)
    tifffile.imwrite(path, np.stack([plane] * 60), compression="zlib", metadata={"axes": "ZYX"})
    file = open_image(path)
    tracemalloc.start()
    np.testing.assert_array_equal(file.read(planes=slice(7, 8)).voxels[0], plane)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * plane.nbytes


def shape_or_sentence(path):
    try:
        return open_image(path).shape
    except ImageError as problem:
        return str(problem)


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("writer", ["ours", "tifffile"])
def test_a_stack_that_was_cut_off_is_never_taken_for_fewer_planes(tmp_path, writer, bigtiff):
    path = tmp_path / "cut.ome.tif"
    if writer == "ours":
        path.write_bytes(encode_stack(ImageStack(STACK[:, 0], (0.3, 0.1, 0.1))))
    else:
        planes = np.random.default_rng(0).integers(0, 60_000, (6, 40, 40)).astype(np.uint16)
        tifffile.imwrite(
            path, planes, ome=True, compression="zlib", bigtiff=bigtiff, metadata={"axes": "ZYX"}
        )
    whole = path.read_bytes()
    shape = open_image(path).shape
    for end in range(200, len(whole) - 1, 97):
        path.write_bytes(whole[:end])
        found = shape_or_sentence(path)
        assert found == shape or "cut off" in found or "no page" in found


def test_a_huge_plane_is_looked_at_in_the_memory_of_a_part(tmp_path):
    path = tmp_path / "huge.tif"
    side = 12_000  # 144 million pixels, far more than a look may take
    tifffile.memmap(path, shape=(side, side), dtype=np.uint8).flush()
    tracemalloc.start()
    picture = thumbnail(open_image(path), 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert max(picture.shape) <= 256
    assert peak < 4 * side * side  # one copy of it in float32


def test_an_image_larger_than_the_free_memory_is_refused_with_both_sizes(tmp_path, monkeypatch):
    monkeypatch.setattr("labelfree_core.images.tiffpage.free_bytes", lambda: 1_000)
    tifffile.imwrite(tmp_path / "a.tif", STACK, photometric="minisblack", metadata={"axes": "ZCYX"})
    with pytest.raises(ImageError, match=r"GB of memory and 1e-06 GB are free"):
        open_image(tmp_path / "a.tif").read(channel=0)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("empty.tif", b"", "is empty"),
        ("words.tif", b"cells,count\n1,2\n", "no image that is known here"),
        ("table.tif", b"PK\x03\x04 and so on, longer", "a ZIP archive or spreadsheet"),
        ("field.czi", b"ZISRAWFILE and so on, longer", "is a Zeiss CZI file"),
        ("cut.tif", b"II*\x00\x08\x00", "can't be read: it is damaged, cut off"),
        ("cut.png", b"\x89PNG\r\n\x1a\n", "picture can't be read"),
        ("cut.npy", b"\x93NUMPY\x01\x00", "NumPy file can't be read"),
    ],
)
def test_what_is_no_image_is_refused_by_what_it_is(tmp_path, name, data, words):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ImageError, match=words) as refusal:
        open_image(tmp_path / name)
    assert name in str(refusal.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.tif", tmp_path, "a\0b.tif"):
        with pytest.raises(ImageError, match="There is no file"):
            open_image(path)


def test_objects_in_an_array_file_are_never_unpickled(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ImageError, match="Python objects"):
        open_image(tmp_path / "a.npy")


def test_a_file_never_reaches_for_its_neighbours(tmp_path, save):
    secret = save(STACK[:1, 0] * 0 + 42, name="secret.tif", photometric="minisblack")
    path = save(STACK, name="set.ome.tif", ome=True, metadata=OME, photometric="minisblack")
    data = path.read_bytes()
    start = data.index(b"<TiffData")
    end = data.index(b"/>", start) + 2
    named = b'<TiffData IFD="0"><UUID FileName="secret.tif">urn:1</UUID></TiffData>'
    # The rest of the text gives way, so that no offset moves.
    xml_end = data.index(b"</OME>") + 6
    text = data[data.index(b"<?xml") : xml_end]
    grown = text.replace(data[start:end], named)
    shorter = grown.replace(
        b' xsi:schemaLocation="http://www.openmicroscopy.org/Schemas/OME/2016-06 '
        b'http://www.openmicroscopy.org/Schemas/OME/2016-06/ome.xsd"',
        b"",
    )
    path.write_bytes(data.replace(text, shorter.ljust(len(text))))
    file = open_image(path)
    assert any("set of several files" in note for note in file.notes)
    assert secret.exists()
    assert file.shape != (1, 24, 32)


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\a\\b.tif", "b.tif"),
        ("<script>alert(1)</script>.tif", "script_.tif"),
        ("![x](http://e.vil/p.png)", "p.png)"),
        ("a\u202egnp.tif", "agnp.tif"),
        ("a\nb\x00.tif", "a b.tif"),
        ("", "image"),
    ],
)
def test_names_with_tricks_become_harmless(given_name, shown):
    assert file_name(given_name) == shown


@given(st.text(max_size=400))
def test_no_text_of_a_file_can_act_in_a_page(text):
    shown = plain_text(text)
    assert len(shown) <= 120
    assert not set(shown) & set("<>[]{}`|$\\\n\r\t\0")


def test_a_picture_of_a_channel_is_small_and_grey(save):
    picture = thumbnail(
        open_image(save(STACK, ome=True, metadata=OME, photometric="minisblack")), 0, size_px=16
    )
    assert picture.dtype == np.uint8
    assert max(picture.shape) <= 16
    assert picture.max() == 255
