"""The optics agree with the library they use, and with what a microscope does."""

import numpy as np
import pytest

from labelfree_core.errors import LabelFreeError
from labelfree_core.simulation.degrade import Camera, Stray, expose, light_faults

pytest.importorskip("waveorder", reason="simulating needs the simulation extra (waveorder)")

from labelfree_core.simulation import optics

SIZE_UM = (0.29, 0.29, 0.29)
pytestmark = pytest.mark.filterwarnings("ignore")


def dot(index: float = 1.345) -> np.ndarray:
    volume = np.full((24, 64, 64), optics.MEDIUM_INDEX, np.float32)
    volume[11:13, 31:33, 31:33] = index
    return volume


def test_bright_field_is_the_models_of_waveorder():
    from waveorder.models import phase_thick_3d

    light = optics.Transmitted(na=1.1, na_condenser=0.5, absorption=0.0)
    expected, _ = phase_thick_3d.calculate_transfer_function(
        (24, 64, 64), 0.29, 0.29, light.wavelength_um, 0, optics.MEDIUM_INDEX, 0.5, 1.1
    )
    ours, _ = optics._transmitted_kernel(24, SIZE_UM, light)
    np.testing.assert_allclose(ours, expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("mode", optics.MODES)
def test_nothing_in_the_light_leaves_it_as_it_was(mode):
    empty = np.full((16, 64, 64), optics.MEDIUM_INDEX, np.float32)
    np.testing.assert_allclose(optics.transmit(empty, SIZE_UM, optics.Transmitted(mode=mode)), 1, atol=1e-5)


def test_a_phase_object_turns_its_contrast_through_focus():
    image = optics.transmit(dot(), SIZE_UM, optics.Transmitted(absorption=0.0)) - 1
    axis = image[:, 31:33, 31:33].mean(axis=(1, 2))
    assert axis[6:11].sum() * axis[13:18].sum() < 0


def test_a_field_larger_than_the_kernel_gives_the_same_image():
    small = optics.transmit(dot(), SIZE_UM, optics.Transmitted())
    padded = np.pad(dot(), ((0, 0), (32, 32), (32, 32)), constant_values=optics.MEDIUM_INDEX)
    large = optics.transmit(padded, SIZE_UM, optics.Transmitted())
    np.testing.assert_allclose(large[:, 52:76, 52:76], small[:, 20:44, 20:44], atol=1e-3)


def test_fluorescence_keeps_the_sum_of_light_and_a_pinhole_sharpens():
    dye = np.zeros((24, 64, 64), np.float32)
    dye[12, 32, 32] = 1
    wide = optics.fluoresce(dye, SIZE_UM, optics.Fluorescence(pinhole_um=0.0))
    sharp = optics.fluoresce(dye, SIZE_UM, optics.Fluorescence(pinhole_um=0.25))
    assert wide.sum() == pytest.approx(1, abs=0.05)
    assert sharp[12, 32, 32] > wide[12, 32, 32]


def test_a_confocal_stain_on_the_small_support_is_that_of_the_full_transfer_function():
    rng = np.random.default_rng(3)
    dye = np.zeros((46, 96, 96), np.float32)
    dye[tuple(rng.integers(8, n - 8, 60) for n in dye.shape)] = 1  # dots, and a nucleus to be filled
    dye[18:28, 40:70, 30:60] += 0.5
    light = optics.Fluorescence(na=1.1, wavelength_um=0.46, pinhole_um=0.4)
    assert optics._support(46, SIZE_UM, light.pinhole_um) == (32, 32)
    full = optics._fluorescence_kernel((46, 64), SIZE_UM, light)
    expected = optics._through(dye, full / full[0, 0, 0])
    ours = optics.fluoresce(dye, SIZE_UM, light)
    assert np.corrcoef(ours.ravel(), expected.ravel())[0, 1] >= 0.999
    assert np.abs(ours - expected).max() < 0.02 * expected.max()


def test_a_widefield_stain_keeps_the_full_support_as_its_light_reaches_far():
    assert optics._support(46, SIZE_UM, 0.0) == (46, 64)


def test_light_that_is_lost_darkens_and_never_brightens():
    light = optics.Transmitted(absorption=0.001)
    empty = np.full((24, 64, 64), optics.MEDIUM_INDEX, np.float32)
    loss = np.zeros_like(empty)
    loss[8:16, 24:40, 24:40] = 1
    image = optics.transmit(empty, SIZE_UM, light, loss=loss)
    # Beer's law over 8 planes: exp(-4 pi / wavelength * 0.001 * 2.32 um), blurred by the condenser's cone.
    assert 0.95 < image[11, 30:34, 30:34].mean() < 0.97
    assert image.mean() < 1
    assert image.max() < 1.005


def test_an_unknown_microscope_is_refused():
    with pytest.raises(LabelFreeError, match="choose one of bright-field"):
        optics.Transmitted(mode="x-ray")


def test_the_camera_has_the_noise_it_states():
    rng = np.random.default_rng(1)
    camera = Camera(electrons=1000, read_noise=2, gain=2, offset=100)
    counts = expose(rng, np.ones((40, 50, 50), np.float32), camera).astype(float)
    assert counts.mean() == pytest.approx(2100, rel=0.01)
    assert counts.std() == pytest.approx(2 * np.sqrt(1004), rel=0.02)


def test_an_eight_bit_camera_clips():
    counts = expose(np.random.default_rng(1), np.full((4, 8, 8), 9, np.float32), Camera(gain=1.0, bits=8))
    assert counts.dtype == np.uint8
    assert (counts == 255).all()


def test_faults_leave_the_stack_of_the_caller_untouched():
    stack = np.ones((4, 40, 40), np.float32)
    faulty = light_faults(np.random.default_rng(2), stack, Stray(shading=0.1, dust=3, drift_px=0.5))
    assert (stack == 1).all()
    assert faulty.std() > 0.01
