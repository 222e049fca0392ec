"""The samples that ship: small, marked as simulated, and made again by their own command."""

import numpy as np
import pytest

from labelfree_core.images.reading import open_image
from labelfree_core.images.samples import samples
from labelfree_core.images.writing import read_provenance
from labelfree_core.simulation.samples import SPECS, catalogue, write_sample


@pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample.id)
def test_a_sample_is_small_marked_as_simulated_and_has_its_sizes(sample):
    assert sample.path.stat().st_size < 2_000_000
    assert sample.simulated
    assert read_provenance(sample.path)["simulated"] is True
    file = open_image(sample.path)
    assert file.voxel_size_um.y == pytest.approx(file.voxel_size_um.x)
    assert "H3342" in file.channel_names


def test_the_list_beside_the_samples_is_the_one_their_command_writes():
    listed = samples()[0].path.with_name("samples.toml")
    assert listed.read_text(encoding="utf-8") == catalogue()


def test_every_sample_is_there():
    assert [sample.id for sample in samples()] == [spec.id for spec in SPECS]


@pytest.mark.slow
def test_a_sample_is_made_again_of_the_same_cells(tmp_path):
    pytest.importorskip("waveorder", reason="simulating needs the simulation extra (waveorder)")
    spec = next(spec for spec in SPECS if spec.id == "colony")
    shipped = next(sample for sample in samples() if sample.id == spec.id)
    made, kept = open_image(write_sample(spec, tmp_path)), open_image(shipped.path)
    for name in kept.channel_names:
        now = made.read(channel=made.channel_index(name)).voxels.astype(float)
        then = kept.read(channel=kept.channel_index(name)).voxels.astype(float)
        assert now.shape == then.shape
        # Bit for bit on one machine. Another processor rounds a Fourier transform differently, and a draw of
        # the camera's noise may then fall to the other side.
        assert np.abs(now - then).max() <= 20
        assert (now != then).mean() < 0.02
