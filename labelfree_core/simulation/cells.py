"""The phantom: refractive index and dye concentrations of the same cells, as separate volumes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelfree_core.simulation.fields import Grid, Volume, dots, filled, smooth_noise
from labelfree_core.simulation.layout import Cell, Territories, own_voxels, place_colony, place_sparse
from labelfree_core.simulation.nuclei import Nuclei, paint_nuclei

MEDIUM_INDEX = 1.337
# Granules, vesicles and lipid droplets: number per um3, radius from and to in um, index above cytoplasm.
_ORGANELLES = ((0.22, 0.12, 0.24, 0.06), (0.035, 0.25, 0.42, 0.055), (0.0025, 0.4, 0.75, 0.085))
Points = npt.NDArray[np.float64]
STRUCTURES = ("DNA", "membrane", "lamin B1", "nucleoli", "mitochondria")


@dataclass(frozen=True, slots=True)
class Recipe:
    """
    What kind of field to grow.

    ``spread`` single adherent cells instead of a confluent colony, ``height_um`` of the cells, ``mitotic``
    the share of dividing cells, ``dead`` the number of dead cells and ``debris`` of floating particles per
    10,000 square micrometres, ``granularity`` scales granules, mitochondria and lipid droplets.
    """

    spread: bool = False
    height_um: float = 8.0
    mitotic: float = 0.06
    dead: float = 1.0
    debris: float = 6.0
    granularity: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Phantom:
    """
    Cells before any microscope.

    ``index`` is the refractive index (Z, Y, X), ``loss`` the light lost in a voxel (1 on average in living
    cells, 0 in the medium), ``dyes`` the relative concentration of each stain of
    :data:`STRUCTURES`, ``cell_labels`` and ``nucleus_labels`` number the cells and ``stages`` names the
    stage of division of each (empty = interphase); ``base_um`` is the height of the glass.
    """

    grid: Grid
    index: Volume
    loss: Volume
    dyes: dict[str, Volume]
    cell_labels: npt.NDArray[np.int32]
    nucleus_labels: npt.NDArray[np.int32]
    stages: tuple[str, ...]
    base_um: float


def _walks(
    rng: np.random.Generator, starts: npt.NDArray, steps: int, step_um: float
) -> npt.NDArray[np.float64]:
    """Flat persistent random walks (n * steps, 3) from *starts*: the course of mitochondria."""
    angle = rng.uniform(0, 2 * np.pi, len(starts))
    height = starts[:, 0].copy()
    place, points = starts.copy(), []
    for _ in range(steps):
        angle = angle + rng.normal(0, 0.25, len(starts))
        height = rng.normal(0, 0.25, len(starts)) * step_um
        place = place + np.stack([height, step_um * np.sin(angle), step_um * np.cos(angle)], 1)
        points.append(place)
    return np.concatenate(points)


def _keep(
    grid: Grid, points: npt.NDArray, chance: Volume, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Keep each point with the probability that *chance* gives at its place; none outside the grid."""
    index = np.floor(points / np.asarray(grid.voxel_size_um)).astype(int)
    inside = np.all((index >= 0) & (index < grid.shape), axis=1)
    points, index = points[inside], index[inside]
    return points[rng.random(len(points)) < chance[tuple(index.T)]]


def _scatter(rng: np.random.Generator, grid: Grid, per_um3: float, chance: Volume) -> Points:
    count = int(per_um3 * np.prod(grid.extent_um))
    return _keep(grid, rng.random((count, 3)) * grid.extent_um, chance, rng)


def _organelles(rng: np.random.Generator, grid: Grid, recipe: Recipe, where: Volume) -> tuple[Volume, Volume]:
    """Refractive index of granules, droplets and mitochondria, and the mitochondrial dye."""
    amount = recipe.granularity
    extra = np.zeros(grid.shape, np.float32)
    for per_um3, low, high, contrast in _ORGANELLES:
        points = _scatter(rng, grid, per_um3 * amount, where)
        radius = rng.uniform(low, high, len(points))
        extra += dots(grid, points, 4 / 3 * np.pi * radius**3 * contrast, 0.6 * high)
    starts = _scatter(rng, grid, 0.012 * amount, where)
    course = _keep(grid, _walks(rng, starts, 22, 0.16), where, rng)
    dye = dots(grid, course, 0.16 * np.pi * 0.22**2, 0.16)
    extra += np.float32(0.022) * dye
    return extra, dye


def _litter(rng: np.random.Generator, grid: Grid, recipe: Recipe, base_um: float) -> tuple[Volume, Volume]:
    """Refractive index and DNA of dead cells and floating debris."""
    area = grid.extent_um[1] * grid.extent_um[2] / 1e4
    index, dna = np.zeros(grid.shape, np.float32), np.zeros(grid.shape, np.float32)
    z, y, x = grid.axes_um()
    bumps = smooth_noise(rng, grid, 1.6)
    for _ in range(int(rng.poisson(recipe.dead * area))):
        size = float(rng.uniform(2.6, 4.4))
        centre = rng.random(3) * grid.extent_um
        centre[0] = base_um + recipe.height_um * rng.uniform(0.6, 1.2)
        at = grid.window(centre, size + 2)
        gap = [
            axis - np.float32(c)
            for axis, c in zip((z[at[0]], y[:, at[1]], x[:, :, at[2]]), centre, strict=True)
        ]
        radius = np.sqrt(gap[0] ** 2 + gap[1] ** 2 + gap[2] ** 2)
        body = filled(np.float32(size) - radius + np.float32(0.5) * bumps[at], grid)
        index[at] = np.maximum(index[at], body * (np.float32(0.032) + np.float32(0.01) * bumps[at]))
        clumps = filled(np.float32(0.62 * size) - radius + bumps[at], grid) * (bumps[at] > 0)
        index[at] += np.float32(0.02) * clumps
        dna[at] = np.maximum(dna[at], np.float32(2.2) * clumps)
    count = int(rng.poisson(recipe.debris * area))
    points = rng.random((count, 3)) * grid.extent_um
    radius = rng.uniform(0.2, 0.6, count)
    index += dots(grid, points, 4 / 3 * np.pi * radius**3 * rng.choice([0.09, 0.06, -0.02], count), 0.4)
    return index, dna


def _stains(
    rng: np.random.Generator, grid: Grid, land: Territories, nuclei: Nuclei, body: Volume
) -> dict[str, Volume]:
    """Relative dye concentrations of DNA, membrane, lamin B1 and nucleoli."""
    fine, coarse = smooth_noise(rng, grid, 0.55), smooth_noise(rng, grid, 1.5)
    nucleus = filled(nuclei.depth_um, grid)
    rim = np.exp(-(((nuclei.depth_um - np.float32(0.25)) / np.float32(0.45)) ** 2)) * nucleus
    chromatin = np.clip(1 + 0.28 * fine + 0.30 * coarse + 0.35 * rim, 0.15, None)
    threads = np.clip(np.float32(2.6) - np.float32(3.2) * np.abs(fine + np.float32(0.5) * coarse), 0.15, 2.6)
    chromatin = chromatin * (1 - nuclei.threads) + threads * nuclei.threads
    dna = (
        nucleus * chromatin * (1 - np.float32(0.72) * nuclei.nucleoli) + np.float32(3.0) * nuclei.chromosomes
    )
    intact = 1 - np.float32(0.55) * nuclei.threads
    lamin = (
        np.exp(-0.5 * (nuclei.depth_um / np.float32(0.2)) ** 2)
        * np.clip(1 + 0.25 * coarse, 0.2, None)
        * intact
    )
    folds = np.exp(-((coarse / np.float32(0.09)) ** 2)) * filled(
        np.float32(1.0) - np.abs(nuclei.depth_um - 1), grid
    )
    lamin = lamin + np.float32(0.35) * folds * nucleus * (1 - nuclei.threads)
    lamin = lamin + np.float32(0.06) * nucleus + np.float32(0.10) * nuclei.spindle * body
    shell = np.exp(-0.5 * (land.depth_um / np.float32(0.2)) ** 2)
    lateral = np.exp(-0.5 * (land.border_um / np.float32(0.18)) ** 2) * body
    vesicles = np.clip(fine - np.float32(1.6), 0, None) * body * (1 - nucleus)
    sheet = np.maximum(lateral, np.float32(0.55) * shell) * np.clip(1 + 0.25 * coarse, 0.3, None)
    membrane = sheet + np.float32(0.35) * vesicles + np.float32(0.03) * body
    fibres = np.clip(1 + 0.4 * fine, 0.2, None)
    nucleoli = (
        nuclei.nucleoli * fibres + np.float32(0.05) * nucleus + np.float32(0.07) * nuclei.spindle * body
    )
    return {
        "DNA": dna + np.float32(0.015) * body,
        "membrane": membrane,
        "lamin B1": lamin,
        "nucleoli": nucleoli,
    }


def _refraction(
    rng: np.random.Generator, grid: Grid, nuclei: Nuclei, body: Volume, stains: dict[str, Volume]
) -> Volume:
    """Refractive index above the medium of cytoplasm, nucleus, nucleoli, chromosomes and membranes."""
    cytoplasm, inside = rng.uniform(0.022, 0.030), rng.uniform(0.017, 0.026)
    nucleus = filled(nuclei.depth_um, grid)
    grain = smooth_noise(rng, grid, 0.6)
    slow = smooth_noise(rng, grid, 2.5)
    plasm = np.float32(cytoplasm) + np.float32(0.0020) * grain + np.float32(0.0045) * slow
    plasm = plasm * (1 - np.float32(0.06) * nuclei.spindle)
    dna = np.minimum(stains["DNA"], 3)
    core = np.float32(inside) + np.float32(0.0030) * (dna - 1) + np.float32(0.0008) * grain
    core = core * (1 - nuclei.nucleoli) + np.float32(rng.uniform(0.034, 0.044)) * nuclei.nucleoli
    index = (plasm * (1 - nucleus) + core * nucleus) * body
    index += np.float32(0.018) * nuclei.chromosomes
    index += np.float32(0.009) * np.minimum(stains["lamin B1"], 1.5) + np.float32(0.006) * np.minimum(
        stains["membrane"], 1.5
    )
    return index


def _lost(rng: np.random.Generator, grid: Grid, body: Volume, litter: Volume) -> Volume:
    """Light lost to what is smaller than a voxel: uneven over 1 to 4 um, and in nuclei as around them."""
    texture = np.float32(0.83) * smooth_noise(rng, grid, 1.2) + np.float32(0.55) * smooth_noise(
        rng, grid, 3.0
    )
    # 0.77 is the mean of a normal variate plus 0.6, cut at 0.
    cells = body * np.clip(texture + np.float32(0.6), 0, None) / np.float32(0.77)
    return cells + np.clip(litter, 0, None) / np.float32(0.03)


def grow(rng: np.random.Generator, grid: Grid, recipe: Recipe) -> Phantom:
    """
    Grow one field of cells.

    Parameters
    ----------
    rng : numpy.random.Generator
        One state gives one field, bit for bit.
    grid : Grid
        Voxels to fill.
    recipe : Recipe
        Kind of field.

    Returns
    -------
    phantom : Phantom
        Refractive index, dyes and labels of the same cells.
    """
    place = place_sparse if recipe.spread else place_colony
    cells: list[Cell] = place(rng, grid, recipe.mitotic, recipe.height_um)
    land = own_voxels(rng, grid, cells, spread=recipe.spread)
    nuclei = paint_nuclei(rng, grid, cells, land)
    body = filled(land.depth_um, grid)
    stains = _stains(rng, grid, land, nuclei, body)
    index = _refraction(rng, grid, nuclei, body, stains)
    around = np.clip(np.float32(1.15) - np.abs(nuclei.depth_um + np.float32(1.5)) / np.float32(7), 0.12, 1)
    free = body * (nuclei.depth_um < -0.3) * around * (1 - np.float32(0.9) * nuclei.spindle)
    extra, stains["mitochondria"] = _organelles(rng, grid, recipe, free)
    litter, fragments = _litter(rng, grid, recipe, land.base_um)
    stains["DNA"] = stains["DNA"] + fragments
    # Overlapping dots add up; nothing in a cell is denser than fat.
    index = np.float32(MEDIUM_INDEX) + np.clip(index + extra + litter, -0.02, 0.13)
    dyes = {name: stains[name].astype(np.float32) for name in STRUCTURES}
    stages = tuple(cell.stage for cell in cells)
    loss = _lost(rng, grid, body, litter)
    return Phantom(
        grid, index.astype(np.float32), loss, dyes, land.labels, nuclei.labels, stages, land.base_um
    )
