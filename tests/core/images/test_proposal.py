"""Proposals carry a reason and a confidence, names first, then what the voxels look like."""

import numpy as np
import pytest
from scipy import ndimage

from labelfree_core.images.names import role_by_name
from labelfree_core.images.proposal import propose
from labelfree_core.images.reading import LUMINANCE, open_image


@pytest.mark.parametrize(
    ("name", "role", "structure"),
    [
        ("Bright_100", "transmitted", "bright-field"),
        ("TL_100x", "transmitted", "transmitted light"),
        ("BF", "transmitted", "bright-field"),
        ("DIC", "transmitted", "DIC"),
        ("Phase", "transmitted", "phase contrast"),
        ("T-PMT", "transmitted", "transmitted light"),
        ("trans", "transmitted", "transmitted light"),
        ("H3342", "stain", "DNA"),
        ("Hoechst 33342", "stain", "DNA"),
        ("DAPI", "stain", "DNA"),
        ("CMDRP", "stain", "membrane"),
        ("EGFP", "stain", ""),
        ("Alexa 488", "stain", ""),
        ("LMNB1-mEGFP", "stain", "lamin B1"),
        ("TOMM20", "stain", "mitochondria"),
        ("SEG_DNA", "segmentation", "DNA"),
        ("SEG_Memb (complete cells only)", "segmentation", "membrane"),
        ("", "unknown", ""),
        ("Channel 3", "unknown", ""),
        ("transfected", "unknown", ""),
    ],
)
def test_a_name_tells_what_a_channel_shows(name, role, structure):
    found = role_by_name(0, name)
    assert (found.role, found.structure) == (role, structure)
    assert found.reason


def _field(cells, names):
    """Bright-field, a stain and painted labels of one simulated field, as (Z, C, Y, X)."""
    bright = cells((6, 96, 128))
    random = np.random.default_rng(3)
    blobs = ndimage.gaussian_filter((random.random((96, 128)) > 0.997).astype(float), 5)
    stain = np.stack([random.poisson(100 + 3000 * blobs / blobs.max())] * 6)
    labels = np.stack([ndimage.label(blobs > blobs.max() / 3)[0]] * 6)
    order = {"Bright_100": bright, "EGFP": stain, "SEG_DNA": labels}
    return np.stack([order[name] for name in names], axis=1).astype(np.uint16)


@pytest.mark.parametrize("names", [("Bright_100", "EGFP", "SEG_DNA"), ("EGFP", "SEG_DNA", "Bright_100")])
@pytest.mark.parametrize("named", [True, False])
def test_transmitted_light_is_found_wherever_it_is_named_or_not(save, cells, names, named):
    meta = {"axes": "ZCYX"} | ({"Channel": {"Name": list(names)}} if named else {})
    file = open_image(save(_field(cells, names), ome=True, metadata=meta, photometric="minisblack"))
    found = propose(file)
    assert found.axes.value == "ZCYX"
    assert found.transmitted_channel.value == names.index("Bright_100")
    assert found.transmitted_channel.confidence > (0.9 if named else 0.5)
    assert found.observed_channels[0].value == names.index("EGFP")
    assert {r.role for r in found.roles} == {"transmitted", "stain", "segmentation"}


def test_two_transmitted_channels_are_said(save, cells):
    both = np.stack([cells((4, 64, 64)), cells((4, 64, 64))], axis=1)
    meta = {"axes": "ZCYX", "Channel": {"Name": ["TL 20x", "Bright_100"]}}
    found = propose(open_image(save(both, ome=True, metadata=meta, photometric="minisblack")))
    assert "it could also be channel" in found.transmitted_channel.reason
    assert found.transmitted_channel.confidence < 0.6


def test_a_z_stack_saved_as_time_is_recognised(save, cells):
    found = propose(open_image(save(cells((15, 96, 128)), imagej=True, metadata={"axes": "TYX"})))
    assert found.axes.value == "ZYX"
    assert "a z-stack saved as T" in found.axes.reason
    assert found.axes.confidence < 0.95


def test_a_time_series_in_one_focus_stays_one(save, cells):
    frames = np.stack([cells((1, 96, 128), focus=False)[0]] * 12)
    frames = np.random.default_rng(0).poisson(frames).astype(np.uint16)
    found = propose(open_image(save(frames, imagej=True, metadata={"axes": "TYX"})))
    assert found.axes.value == "TYX"


def test_pages_without_a_word_are_proposed_as_z(save, cells):
    found = propose(open_image(save(cells((15, 96, 128)), photometric="minisblack", metadata=None)))
    assert found.axes.value == "ZYX"
    assert "does not name its axes" in found.axes.reason
    assert found.voxel_size_um.value is None
    assert found.voxel_size_um.confidence == 0


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((9, 40, 50), "ZYX"),
        ((40, 50, 3), "YXS"),
        ((9, 2, 40, 50), "ZCYX"),
        ((3, 20, 40, 50), "CZYX"),
        ((40, 50), "YX"),
    ],
)
def test_an_array_without_axes_gets_a_cautious_proposal(tmp_path, shape, axes):
    np.save(tmp_path / "a.npy", np.random.default_rng(0).integers(0, 99, shape).astype(np.uint8))
    found = propose(open_image(tmp_path / "a.npy"))
    assert found.axes.value == axes
    assert found.axes.confidence <= 0.8


def test_a_colour_picture_is_proposed_as_luminance(save):
    colour = np.random.default_rng(0).integers(0, 255, (40, 50, 3)).astype(np.uint8)
    assert propose(open_image(save(colour, photometric="rgb"))).transmitted_channel.value == LUMINANCE


def test_sixty_channels_and_empty_ones_get_a_proposal(save):
    many = np.random.default_rng(0).integers(0, 255, (60, 20, 20)).astype(np.uint8)
    many[0] = 0
    found = propose(open_image(save(many, ome=True, metadata={"axes": "CYX"}, photometric="minisblack")))
    assert len(found.roles) == 60
    assert found.roles[0].reason == "it is empty"


@pytest.mark.parametrize("shape", [(1, 40), (40, 1), (1, 1), (3, 1, 40), (2, 2)])
def test_slivers_of_an_image_get_a_proposal(save, shape):
    voxels = np.random.default_rng(0).integers(0, 99, shape).astype(np.uint8)
    assert propose(open_image(save(voxels, photometric="minisblack", metadata=None))).axes.value


@pytest.mark.parametrize(
    ("size", "words"),
    [(1.0, "exactly 1 um"), (0.000108, "if the number is in mm"), (108.0, "if the number is in nm")],
)
def test_an_improbable_voxel_size_is_questioned(save, size, words):
    meta = {"axes": "ZYX", "PhysicalSizeX": size, "PhysicalSizeY": size, "PhysicalSizeZ": 1.0}
    found = propose(open_image(save(np.zeros((3, 20, 20), np.uint8), ome=True, metadata=meta)))
    assert words in found.voxel_size_um.reason
    assert found.voxel_size_um.confidence < 0.5


@pytest.mark.parametrize("name", ["AICS-11_409", "AICS-12_881", "AICS-13_319_left"])
def test_the_real_stacks_are_understood(real_pairs, name):
    path = real_pairs / "brightfield3d" / f"{name}.ome.tif"
    if not path.is_file():
        pytest.skip(f"{path.name} is not among the real image pairs here")
    file = open_image(path)
    found = propose(file)
    assert file.channel_names[found.transmitted_channel.value] == "Bright_100"
    assert found.axes.value == "ZCYX"
    assert found.voxel_size_um.value[0] == 0.29
    assert {r.structure for r in found.roles} >= {"DNA", "membrane", "bright-field"}


def painted(shape=(4, 64, 64), cell=20, nucleus=8):
    """Labels of two complete cells and of their nuclei."""
    y, x = np.indices(shape[1:])
    cells, nuclei = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    for number, (cy, cx) in enumerate(((20, 20), (44, 44)), start=1):
        distance = np.hypot(y - cy, x - cx)
        cells[:, distance < cell / 2] = number
        nuclei[:, distance < nucleus / 2] = number
    return cells, nuclei


@pytest.mark.parametrize(
    ("names", "confidence"),
    [
        (("SEG_DNA", "SEG_Memb"), 0.8),
        (("SEG_DNA (complete cells only)", "SEG_Memb (complete cells only)"), 0.95),
        (("nuclei mask", "cell mask"), 0.8),
    ],
)
def test_nuclei_of_complete_cells_are_known_inside_them_only(write_ome, tmp_path, names, confidence):
    cells, nuclei = painted()
    path = write_ome(tmp_path / "a.ome.tif", {names[0]: nuclei, names[1]: cells}, None)
    found = propose(open_image(path)).regions
    assert (found[0].value, found[0].confidence) == (1, confidence)
    assert names[1] in found[0].reason
    assert "elsewhere nobody looked" in found[0].reason


def test_a_region_that_the_voxels_contradict_is_not_proposed(write_ome, tmp_path):
    cells, nuclei = painted()
    path = tmp_path / "a.ome.tif"
    thin = np.where(ndimage.binary_erosion(cells > 0, iterations=1), 0, cells).astype(np.uint8)
    for cell in (thin, np.full_like(cells, 3)):
        write_ome(path, {"SEG_DNA": nuclei, "SEG_Memb": cell}, None)
        assert propose(open_image(path)).regions == {}


def test_a_stain_is_known_everywhere(write_ome, tmp_path):
    cells, nuclei = painted()
    path = write_ome(tmp_path / "a.ome.tif", {"H3342": nuclei, "SEG_Memb": cells}, None)
    assert propose(open_image(path)).regions == {}
