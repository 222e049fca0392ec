"""What is written opens again with all it had, and appears whole or not at all."""

from io import BytesIO

import numpy as np
import pytest
import tifffile

from labelfree_core.errors import ImageError
from labelfree_core.images import writing
from labelfree_core.images.reading import open_image
from labelfree_core.images.stack import ImageStack, Origin

VOXELS = np.random.default_rng(0).normal(size=(4, 20, 30)).astype(np.float32)


@pytest.mark.parametrize("voxels", [VOXELS, VOXELS[0]])
def test_a_stack_comes_back_with_axes_sizes_and_history(tmp_path, voxels):
    size = (0.29, 0.108, 0.109)[-voxels.ndim :]
    origin = Origin(name="field <1>.tif", sha256="ab" * 32, simulated=True)
    path = tmp_path / "out.ome.tif"
    writing.write_stack(
        path, ImageStack(voxels, size, origin, "z-score"), provenance={"model": 'd"n&a', "µ": [1, None]}
    )
    file = open_image(path)
    assert file.simulated
    stack = file.read()
    np.testing.assert_array_equal(stack.voxels, voxels)
    assert stack.voxels.dtype == np.float32
    assert stack.voxel_size_um == size
    history = writing.read_provenance(path)
    assert history["model"] == 'd"n&a'
    assert history["µ"] == [1, None]
    assert (history["units"], history["source_sha256"], history["simulated"]) == ("z-score", "ab" * 32, True)


def test_a_mask_is_not_black_in_a_viewer(tmp_path):
    writing.write_mask(tmp_path / "mask.tif", VOXELS > 0, (0.3, 0.1, 0.1))
    written = tifffile.imread(tmp_path / "mask.tif")
    assert written.dtype == np.uint8
    np.testing.assert_array_equal(written, np.where(VOXELS > 0, 255, 0))
    assert open_image(tmp_path / "mask.tif").read().voxel_size_um == (0.3, 0.1, 0.1)


@pytest.mark.parametrize("voxels", [VOXELS, VOXELS[0]])
def test_channels_come_back_by_name(tmp_path, voxels):
    counts = (voxels * 100 + 1000).astype(np.uint16)
    size = (0.29, 0.1, 0.1)[-voxels.ndim :]
    writing.write_channels(
        tmp_path / "c.ome.tif", {"Bright": counts, "DNA": counts + 1}, size, provenance={"simulated": True}
    )
    file = open_image(tmp_path / "c.ome.tif")
    assert (file.channel_names, file.simulated) == (("Bright", "DNA"), True)
    stack = file.read(channel=file.channel_index("dna"))
    np.testing.assert_array_equal(stack.voxels, counts + 1)
    assert stack.voxel_size_um == size


def test_a_real_file_is_not_simulated_and_has_no_history(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", VOXELS[0])
    assert writing.read_provenance(tmp_path / "a.tif") == {}
    assert not open_image(tmp_path / "a.tif").simulated


def test_what_a_download_gives_is_what_a_file_holds(tmp_path):
    stack = ImageStack(VOXELS, (0.3, 0.1, 0.1))
    np.testing.assert_array_equal(tifffile.imread(BytesIO(writing.encode_stack(stack))), VOXELS)
    assert tifffile.imread(BytesIO(writing.encode_mask(VOXELS[0] > 0))).max() == 255


def test_unlike_channels_are_refused(tmp_path):
    with pytest.raises(ImageError, match="The channels differ: a "):
        writing.write_channels(tmp_path / "c.tif", {"a": VOXELS, "b": VOXELS[:2]})
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "out.tif"
    path.write_bytes(b"the old one")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing.os, "fsync", full)
    with pytest.raises(ImageError, match="No space left on device"):
        writing.write_bytes(path, b"the new one")
    assert path.read_bytes() == b"the old one"
    assert [p.name for p in tmp_path.iterdir()] == ["out.tif"]


def test_a_stop_in_mid_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "out.tif"
    path.write_bytes(b"the old one")

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(writing.os, "fsync", stop)
    with pytest.raises(KeyboardInterrupt):
        writing.write_bytes(path, b"the new one")
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"the old one"]


def test_a_missing_folder_is_said(tmp_path):
    with pytest.raises(ImageError, match="Choose a folder that exists"):
        writing.write_bytes(tmp_path / "none" / "out.tif", b"")
