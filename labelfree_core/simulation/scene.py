"""One seed, one scene: cells, a microscope, its images, and every truth behind them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import numpy.typing as npt

from labelfree_core.errors import LabelFreeError
from labelfree_core.simulation.cells import STRUCTURES, Phantom, Recipe, grow
from labelfree_core.simulation.degrade import Camera, Counts, Stray, draw_camera, expose, light_faults
from labelfree_core.simulation.fields import Grid, Volume
from labelfree_core.simulation.optics import Fluorescence, Transmitted, draw_light, fluoresce, transmit

KINDS = ("colony", "sparse", "mitotic", "hard")
_EMISSION_UM = {"DNA": 0.46, "membrane": 0.67, "lamin B1": 0.51, "nucleoli": 0.51, "mitochondria": 0.58}


@dataclass(frozen=True, slots=True)
class SceneSettings:
    """
    What to simulate; everything not given here is drawn from the seed.

    ``kind`` one of :data:`KINDS`, ``shape`` (Z, Y, X) of the images, ``voxel_size_um`` (z, y, x), ``mode``
    of the transmitted light, ``stains`` to image, ``bits`` 8 or 16, ``margin`` voxels (z, y, x) grown
    around the images so that out-of-focus light is right, ``light`` a microscope instead of a drawn one,
    ``contrast`` the factor on the contrast of the transmitted light: 1 is what the optics give, the default
    fits the real stacks of docs/simulation.md, which their source had stretched.
    """

    kind: str = "colony"
    shape: tuple[int, int, int] = (32, 224, 336)
    voxel_size_um: tuple[float, float, float] = (0.29, 0.29, 0.29)
    mode: str = "bright-field"
    stains: tuple[str, ...] = STRUCTURES
    bits: int = 16
    margin: tuple[int, int, int] = (7, 12, 12)
    light: Transmitted | None = None
    contrast: float = 1.35

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise LabelFreeError(
                f"There is no kind of scene called {self.kind!r}; choose one of {', '.join(KINDS)}."
            )
        if (
            len(self.shape) != 3
            or self.shape[0] < 1
            or min(self.shape[1:]) < 32
            or np.prod(self.shape) > 6.4e7
        ):
            raise LabelFreeError(
                f"A scene of {self.shape} voxels can't be simulated; give (Z, Y, X) with Y and X of at "
                "least 32 and at most 64 million voxels in all."
            )
        if not 0.05 <= self.contrast <= 20:
            raise LabelFreeError(
                f"A contrast of {self.contrast} is no microscope's; give 0.05 to 20, 1 as is."
            )
        unknown = [stain for stain in self.stains if stain not in STRUCTURES]
        if unknown:
            raise LabelFreeError(
                f"No stain is called {', '.join(unknown)}; choose one of {', '.join(STRUCTURES)}."
            )


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """
    A simulated field with all that is known about it, each volume (Z, Y, X).

    ``transmitted`` and ``stains`` are camera counts; ``clean_transmitted`` and ``clean_stains`` the same
    light without camera and noise; ``index`` the refractive index, ``dyes`` the concentrations before any
    microscope, ``cell_labels`` and ``nucleus_labels`` number the cells, ``stages`` says who divides.
    """

    seed: int
    settings: SceneSettings
    transmitted: Counts
    clean_transmitted: Volume
    stains: dict[str, Counts]
    clean_stains: dict[str, Volume]
    index: Volume
    dyes: dict[str, Volume]
    cell_labels: npt.NDArray[np.int32]
    nucleus_labels: npt.NDArray[np.int32]
    stages: tuple[str, ...]
    drawn: dict[str, object] = field(default_factory=dict)

    @property
    def voxel_size_um(self) -> tuple[float, float, float]:
        """(z, y, x) in micrometres."""
        return self.settings.voxel_size_um

    def provenance(self) -> dict[str, object]:
        """Return all that made the scene, ready for JSON."""
        return {"simulated": True, "seed": self.seed, "settings": asdict(self.settings), **self.drawn}


@dataclass(frozen=True, slots=True)
class _Microscope:
    """What takes the images of one scene; they lie *up* planes above the middle of what was grown."""

    light: Transmitted
    stray: Stray
    up: int
    fluorescence: Fluorescence

    def described(self) -> dict[str, object]:
        """Return its parts, ready for JSON."""
        return {
            "light": asdict(self.light),
            "stray": asdict(self.stray),
            "defocus_planes": self.up,
            "fluorescence": asdict(self.fluorescence),
        }


def draw_recipe(rng: np.random.Generator, settings: SceneSettings) -> Recipe:
    """Draw the cells of one kind of scene."""
    deep = settings.shape[0] * settings.voxel_size_um[0]
    recipe = Recipe(
        height_um=float(np.clip(rng.uniform(6.5, 10.5), 4.0, max(0.85 * deep, 4.0))),
        mitotic=float(rng.uniform(0.02, 0.10)),
        dead=float(rng.uniform(0, 2)),
        debris=float(rng.uniform(0, 12)),
        granularity=float(np.exp(rng.uniform(-0.7, 0.7))),
    )
    if settings.kind == "sparse":
        return replace(recipe, spread=True)
    if settings.kind == "mitotic":
        return replace(recipe, mitotic=0.35)
    if settings.kind == "hard":
        return replace(recipe, dead=6.0, debris=60.0, granularity=2.2)
    return recipe


def _faults(rng: np.random.Generator, hard: bool) -> Stray:
    scale = 3.0 if hard else 1.0
    return Stray(
        shading=float(scale * rng.uniform(0.005, 0.03)),
        dust=int(rng.integers(0, 4) * scale),
        drift_px=float(rng.uniform(0.1, 0.25) if hard else max(0.0, rng.uniform(-0.1, 0.05))),
        flicker=float(scale * rng.uniform(0.0005, 0.003)),
    )


def _defocus(rng: np.random.Generator, hard: bool) -> int:
    """Planes by which the image lies above the middle of what was grown."""
    return int(rng.integers(3, 6)) if hard else int(rng.integers(-2, 3))


def _stain_light(rng: np.random.Generator, given: Transmitted | None) -> Fluorescence:
    """A confocal or, behind the objective that was *given*, a widefield microscope."""
    if given is not None:
        return Fluorescence(na=given.na, pinhole_um=0.0)
    na = float(rng.uniform(1.0, 1.25))
    return Fluorescence(na=na, pinhole_um=float(rng.choice([0.0, 0.25, 0.4], p=[0.15, 0.5, 0.35])))


def _draw_microscope(rng: np.random.Generator, settings: SceneSettings) -> _Microscope:
    hard = settings.kind == "hard"
    light = draw_light(rng, settings.mode, hard) if settings.light is None else settings.light
    stray, up = _faults(rng, hard), _defocus(rng, hard)
    fluorescence = _stain_light(rng, settings.light)
    return _Microscope(light, stray, up, fluorescence)


def _crop(volume: npt.NDArray, settings: SceneSettings, up: int) -> npt.NDArray:
    margin, shape = settings.margin, settings.shape
    start = (int(np.clip(margin[0] + up, 0, volume.shape[0] - shape[0])), margin[1], margin[2])
    at = tuple(slice(a, a + n) for a, n in zip(start, shape, strict=True))
    return np.ascontiguousarray(volume[at])


def simulate(seed: int, settings: SceneSettings | None = None) -> Scene:
    """
    Grow a field of cells and take its images.

    Parameters
    ----------
    seed : int
        The same seed and settings give the same scene, bit for bit on the same machine and libraries.
    settings : SceneSettings or None
        None for a confluent colony in bright-field, 32 x 224 x 336 voxels of 0.29 um.

    Returns
    -------
    scene : Scene
        Images in camera counts and every truth behind them.

    Raises
    ------
    LabelFreeError
        If the settings can't be simulated.

    Examples
    --------
    >>> SceneSettings(kind="sparse", shape=(24, 96, 96)).mode
    'bright-field'
    """
    settings = SceneSettings() if settings is None else settings
    # Streams of their own: a change of one stain's noise must not move the cells.
    cells_rng, light_rng, camera_rng = (np.random.default_rng([seed, k]) for k in range(3))
    recipe = draw_recipe(cells_rng, settings)
    depth, height, width = (n + 2 * m for n, m in zip(settings.shape, settings.margin, strict=True))
    phantom = grow(cells_rng, Grid((depth, height, width), settings.voxel_size_um), recipe)
    microscope = _draw_microscope(light_rng, settings)
    return _photograph(camera_rng, seed, settings, (recipe, phantom, microscope))


def _photograph(
    rng: np.random.Generator,
    seed: int,
    settings: SceneSettings,
    what: tuple[Recipe, Phantom, _Microscope],
) -> Scene:
    """Take all images of a phantom, and cut every truth to their grid."""
    recipe, phantom, microscope = what
    camera = draw_camera(rng, settings.bits, transmitted=True)
    level = transmit(phantom.index, settings.voxel_size_um, microscope.light, loss=phantom.loss)
    level = np.clip(1 + np.float32(settings.contrast) * (level - 1), 0.02, None)

    def cut(volume: npt.NDArray) -> npt.NDArray:
        return _crop(volume, settings, microscope.up)

    clean = cut(level)
    transmitted = expose(rng, light_faults(rng, clean, microscope.stray), camera)
    clean_stains, stains, cameras = _take_stains(rng, phantom, settings, microscope.fluorescence, cut)
    cameras_used = {"camera": asdict(camera), "stain_cameras": cameras}
    return Scene(
        seed,
        settings,
        transmitted,
        clean,
        stains,
        clean_stains,
        cut(phantom.index),
        {name: cut(phantom.dyes[name]) for name in settings.stains},
        cut(phantom.cell_labels),
        cut(phantom.nucleus_labels),
        phantom.stages,
        {"recipe": asdict(recipe), **microscope.described(), **cameras_used},
    )


def _take_stains(
    rng: np.random.Generator,
    phantom: Phantom,
    settings: SceneSettings,
    optics: Fluorescence,
    cut: Callable[[npt.NDArray], npt.NDArray],
) -> tuple[dict[str, Volume], dict[str, Counts], dict[str, object]]:
    """Clean and noisy images of each stain asked for, and the cameras that took them."""
    clean: dict[str, Volume] = {}
    noisy: dict[str, Counts] = {}
    cameras: dict[str, object] = {}
    for name in settings.stains:
        camera: Camera = draw_camera(rng, settings.bits, transmitted=False)
        haze = float(rng.uniform(0.01, 0.06))
        light = fluoresce(
            phantom.dyes[name], settings.voxel_size_um, replace(optics, wavelength_um=_EMISSION_UM[name])
        )
        image = cut(light)
        image = image / max(float(np.percentile(image, 99.5)), 1e-3)
        clean[name] = image.astype(np.float32)
        noisy[name] = expose(rng, clean[name] + np.float32(haze), camera)
        cameras[name] = {**asdict(camera), "haze": haze}
    return clean, noisy, cameras
