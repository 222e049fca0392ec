"""Transmitted light and fluorescence of a phantom, by the transfer functions of waveorder."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import fft

from labelfree_core.errors import LabelFreeError
from labelfree_core.simulation.cells import MEDIUM_INDEX
from labelfree_core.simulation.fields import Volume

if TYPE_CHECKING:
    from torch import Tensor

MODES = ("bright-field", "phase contrast", "DIC")
Kernel = npt.NDArray[np.complex64]
# Points of a transfer function across; its kernel spans this many voxels and is embedded in the whole field.
_ACROSS = 64
# Behind a pinhole next to no light comes from further away than half of this; without one it does.
_CONFOCAL_UM = 9.2


@dataclass(frozen=True, slots=True)
class Transmitted:
    """
    A transmitted-light microscope.

    ``mode`` one of :data:`MODES`, ``na`` of the objective and ``na_condenser``, ``wavelength_um`` in
    vacuum, ``spherical_waves`` of primary spherical aberration at the pupil's edge, ``tilt`` of the
    illumination in radians, ``shear_um`` and ``bias`` (radians) of DIC, ``angle`` of tilt and shear,
    ``absorption`` the imaginary refractive index of living cells on average: what they absorb and, far more,
    what structures smaller than a voxel scatter past the objective.
    """

    mode: str = "bright-field"
    na: float = 1.25
    na_condenser: float = 0.5
    wavelength_um: float = 0.6
    spherical_waves: float = 0.0
    tilt: float = 0.0
    shear_um: float = 0.25
    bias: float = 1.2
    angle: float = 0.7
    absorption: float = 0.0005

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise LabelFreeError(
                f"There is no transmitted light called {self.mode!r}; choose one of {', '.join(MODES)}."
            )


@dataclass(frozen=True, slots=True)
class Fluorescence:
    """A fluorescence microscope: ``na``, emission ``wavelength_um``, pinhole in um (0 = widefield)."""

    na: float = 1.25
    wavelength_um: float = 0.52
    pinhole_um: float = 0.3


def _fine(
    shape: tuple[int, int, int], size_um: tuple[float, float, float], reach: tuple[float, float]
) -> tuple:
    """Sampling fine enough for the kernel: factors (z, yx), shape and voxel size."""
    factor_z = int(np.ceil(size_um[0] / reach[0]))
    factor = int(np.ceil(size_um[1] / reach[1]))
    fine = (shape[0] * factor_z, _ACROSS * factor, _ACROSS * factor)
    return fine, size_um[0] / factor_z, size_um[1] / factor


def _pupils(fyy: Tensor, fxx: Tensor, light: Transmitted, na: float) -> tuple[Tensor, Tensor]:
    """Amplitude of the lamp in the condenser's pupil, and what the objective's pupil does to the light."""
    import torch
    from waveorder import optics

    radial = torch.sqrt(fyy**2 + fxx**2)
    lamp = optics.generate_tilted_pupil(
        fxx, fyy, light.na_condenser, light.wavelength_um, MEDIUM_INDEX, light.tilt, light.angle
    )
    rho = radial * light.wavelength_um / na
    phase = 2 * np.pi * light.spherical_waves * (6 * rho**4 - 6 * rho**2 + 1)
    pupil = optics.generate_pupil(radial, na, light.wavelength_um) * torch.exp(1j * phase)
    if light.mode == "phase contrast":
        ring = light.wavelength_um * radial / light.na_condenser
        lamp = ((ring > 0.82) & (ring < 1.0)).to(torch.float32)
        plate = (ring > 0.76) & (ring < 1.06)
        quarter_wave = 0.4 * torch.exp(torch.tensor(-0.5j * np.pi))
        pupil = pupil * torch.where(plate, quarter_wave, torch.tensor(1.0 + 0j))
    elif light.mode == "DIC":
        along = fyy * np.sin(light.angle) + fxx * np.cos(light.angle)
        pupil = pupil * torch.sin(light.bias / 2 + np.pi * light.shear_um * along)
    return lamp, pupil.to(torch.complex64)


@lru_cache(maxsize=8)
def _transmitted_kernel(
    depth: int, size_um: tuple[float, float, float], light: Transmitted
) -> tuple[Kernel, Kernel]:
    """Transfer functions of phase and absorption, shape (depth, 64, 64)."""
    import torch
    from waveorder import optics, sampling, util

    shape = (depth, _ACROSS, _ACROSS)
    reach = (
        sampling.axial_nyquist(light.wavelength_um, light.na, MEDIUM_INDEX),
        sampling.transverse_nyquist(light.wavelength_um, light.na_condenser, light.na),
    )
    fine, z_um, yx_um = _fine(shape, size_um, reach)
    fyy, fxx = util.generate_frequencies(fine[1:], yx_um)
    radial = torch.sqrt(fyy**2 + fxx**2)
    heights = torch.fft.ifftshift((torch.arange(fine[0]) - fine[0] // 2) * z_um)
    in_medium = light.wavelength_um / MEDIUM_INDEX
    na = min(light.na, 0.98 * MEDIUM_INDEX)
    aperture = optics.generate_pupil(radial, na, light.wavelength_um)
    travel = optics.generate_propagation_kernel(radial, aperture, in_medium, heights)
    green = optics.generate_greens_function_z(radial, aperture, in_medium, heights, axially_even=False)
    lamp, pupil = _pupils(fyy, fxx, light, na)
    phase_tf, loss_tf = optics.compute_weak_object_transfer_function_3D(
        lamp, lamp, pupil, travel, green, z_um
    )
    return tuple(
        sampling.nd_fourier_central_cuboid(t, shape).numpy().astype(np.complex64) for t in (phase_tf, loss_tf)
    )


def _support(depth: int, size_um: tuple[float, float, float], pinhole_um: float) -> tuple[int, int]:
    """Voxels (z, yx) on which the transfer function of a stain is computed: fewer behind a pinhole."""
    if not pinhole_um:
        return depth, _ACROSS
    planes, across = (2 * int(np.ceil(_CONFOCAL_UM / (2 * size))) for size in size_um[:2])
    return min(depth, planes), min(across, _ACROSS)


@lru_cache(maxsize=12)
def _fluorescence_kernel(
    support: tuple[int, int], size_um: tuple[float, float, float], light: Fluorescence
) -> Kernel:
    """Transfer function of a stain on a *support* of (z, yx) voxels."""
    from waveorder.models import isotropic_fluorescent_thick_3d

    return isotropic_fluorescent_thick_3d.calculate_transfer_function(
        (support[0], support[1], support[1]),
        size_um[1],
        size_um[0],
        light.wavelength_um,
        0,
        MEDIUM_INDEX,
        min(light.na, 0.98 * MEDIUM_INDEX),
        light.pinhole_um or None,
    ).numpy()


def _halves(small: int, wide: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where the two halves of a kernel around its first voxel lie, in itself and in a wider field."""
    size = min(small, wide)
    ahead, behind = size - size // 2, size // 2
    return (slice(0, ahead), slice(0, ahead)), (slice(small - behind, None), slice(wide - behind, None))


def _through(volume: Volume, kernel: Kernel) -> Volume:
    """Apply a transfer function given on a small field to a larger one, by its kernel in space."""
    small = fft.ifftn(kernel, axes=(0, 1, 2)).real.astype(np.float32)
    wide = np.zeros(volume.shape, np.float32)
    halves = [_halves(small.shape[axis], wide.shape[axis]) for axis in range(3)]
    for z, y, x in itertools.product(*halves):
        wide[z[1], y[1], x[1]] = small[z[0], y[0], x[0]]
    spectrum = fft.rfftn(volume) * fft.rfftn(wide)
    return fft.irfftn(spectrum, s=volume.shape).astype(np.float32)


def transmit(
    index: Volume,
    voxel_size_um: tuple[float, float, float],
    light: Transmitted,
    *,
    loss: Volume | None = None,
) -> Volume:
    """
    Image cells by partially coherent transmitted light (weak objects).

    Parameters
    ----------
    index : float32 array, shape (Z, Y, X)
        Refractive index; the medium is 1.337.
    voxel_size_um : tuple of float, micrometres
        (z, y, x), y and x equal.
    light : Transmitted
        The microscope.
    loss : float32 array, shape (Z, Y, X), or None
        Light lost in each voxel, in units of ``light.absorption``; None for none.

    Returns
    -------
    intensity : float32 array, shape (Z, Y, X)
        1 where nothing is.

    References
    ----------
    .. [1] Streibl (1985), J. Opt. Soc. Am. A 2:121; Soto et al. (2017), Opt. Express 25:15699.
    """
    wave = np.float32((2 * np.pi / light.wavelength_um) ** 2)
    phase_tf, loss_tf = _transmitted_kernel(index.shape[0], voxel_size_um, light)
    light_change = _through((index**2 - np.float32(MEDIUM_INDEX**2)) * wave, phase_tf)
    if loss is not None and light.absorption:
        # Of the index squared; in the library's sign a positive imaginary part would give light.
        lost = np.float32(2 * MEDIUM_INDEX * light.absorption) * wave * loss
        light_change -= _through(lost, loss_tf)
    return np.clip(1 + light_change, 0.02, None).astype(np.float32)


def fluoresce(dye: Volume, voxel_size_um: tuple[float, float, float], light: Fluorescence) -> Volume:
    """
    Blur a dye concentration as a fluorescence microscope does; the sum of light is kept.

    Parameters
    ----------
    dye : float32 array, shape (Z, Y, X)
        Relative concentration.
    voxel_size_um : tuple of float, micrometres
        (z, y, x), y and x equal.
    light : Fluorescence
        The microscope.

    Returns
    -------
    intensity : float32 array, shape (Z, Y, X)
    """
    support = _support(dye.shape[0], voxel_size_um, light.pinhole_um)
    kernel = _fluorescence_kernel(support, voxel_size_um, light)
    return np.clip(_through(dye, kernel / kernel[0, 0, 0]), 0, None).astype(np.float32)


def draw_light(rng: np.random.Generator, mode: str, hard: bool) -> Transmitted:
    """
    Draw a microscope; *hard* allows strong aberration and oblique light.

    Objective, lamp, aberration and tilt have the ranges of real microscopes. Condenser and absorption are a
    fit to the spectra and the likeness of planes of real stacks; docs/simulation.md says what it stands for.
    """
    stray = 2.5 if hard else 1.0
    return Transmitted(
        mode=mode,
        na=float(rng.uniform(0.95, 1.25)),
        na_condenser=float(rng.uniform(0.45, 0.55)),
        wavelength_um=float(rng.uniform(0.53, 0.66)),
        spherical_waves=float(stray * rng.normal(0, 0.06)),
        tilt=float(abs(stray * rng.normal(0, 0.03))),
        angle=float(rng.uniform(0, 2 * np.pi)),
        absorption=float(rng.uniform(0.0004, 0.0006)),
    )
