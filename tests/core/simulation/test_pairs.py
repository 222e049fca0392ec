"""Simulated pairs for training: what a table names is in the files, in two and in three dimensions."""

import numpy as np
import pytest

from labelfree_core.images.reading import open_image
from labelfree_core.training.table import read_table

pytest.importorskip("waveorder", reason="simulating needs the simulation extra (waveorder)")

from labelfree_core.simulation import pairs

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "channel", "pixel_um"), [("brightfield", "Bright_20", 0.3112), ("phase", "Phase_20", 0.65)]
)
def test_planes_are_pairs_that_a_training_can_read(tmp_path, mode, channel, pixel_um):
    order = ["--structure", "DNA", "--train", "1", "--held-out", "0", "--mode", mode, "--planes"]
    assert pairs.main([str(tmp_path), *order]) == 0
    (row,) = read_table(tmp_path / "pairs.csv")
    assert (row.image_channel, row.target_channel, row.kind) == (channel, "DNA", "intensity")
    file = open_image(row.image)
    image = file.read(channel=file.channel_index(row.image_channel))
    dna = file.read(channel=file.channel_index("DNA"))
    assert image.voxels.ndim == 2
    assert image.voxel_size_um == pytest.approx((pixel_um, pixel_um))
    assert dna.voxels.shape == image.voxels.shape
    assert np.percentile(dna.voxels, 99.5) > 20 * np.percentile(dna.voxels, 20) >= 0
    assert len(read_table(tmp_path / "levels.csv")) == 4


def test_a_stack_in_dic_says_so_and_is_kept_when_it_is_there(tmp_path):
    order = [
        "--structure",
        "DNA",
        "--train",
        "1",
        "--held-out",
        "0",
        "--mode",
        "dic",
        "--size",
        "12",
        "64",
        "64",
    ]
    pairs.main([str(tmp_path), *order])
    scene = tmp_path / "scene_1000.ome.tif"
    assert open_image(scene).channel_names[0] == "DIC_100"
    written = scene.stat().st_mtime_ns
    pairs.main([str(tmp_path), *order])
    assert scene.stat().st_mtime_ns == written
