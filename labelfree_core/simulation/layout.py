"""Where cells are: their territories, borders, heights and who is dividing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelfree_core.simulation.fields import Grid, Volume, smooth_noise

# Periods around the rim of a spread cell at which it bulges.
_ORDERS = (2, 3, 4, 5, 7)
Labels = npt.NDArray[np.int32]
STAGES = ("prophase", "prometaphase", "metaphase", "anaphase", "telophase")


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: centre (y, x), radius and height in micrometres, stage of division ("" = interphase)."""

    centre_um: tuple[float, float]
    radius_um: float
    height_um: float
    stretch: float
    angle: float
    lobes: tuple[tuple[float, float], ...]
    stage: str


@dataclass(frozen=True, slots=True, eq=False)
class Territories:
    """
    Who owns each voxel.

    ``labels`` is 0 in the medium and i + 1 in cell i; ``border_um`` the distance to the
    nearest lateral border, ``depth_um`` the distance to the nearest surface of any kind
    (positive inside a cell, negative in the medium); ``base_um`` is where the cells stand.
    """

    labels: npt.NDArray[np.int32]
    border_um: Volume
    depth_um: Volume
    base_um: float


def _stage(rng: np.random.Generator, share: float) -> str:
    return str(rng.choice(STAGES)) if rng.random() < share else ""


def place_colony(rng: np.random.Generator, grid: Grid, mitotic: float, height_um: float) -> list[Cell]:
    """Fill the field with touching cells on a jittered hexagonal lattice, sometimes with a free edge."""
    _, height, width = grid.extent_um
    step = rng.uniform(13.0, 17.0)
    edge = rng.uniform(0.55, 0.9) if rng.random() < 0.25 else 2.0
    cells = []
    for row, y in enumerate(np.arange(-step / 2, height + step, step * 0.87)):
        for x in np.arange(-step / 2, width + step, step) + (row % 2) * step / 2:
            jitter = rng.normal(0, 0.17 * step, 2)
            tall = float(height_um * rng.uniform(0.82, 1.15))
            cell = Cell(
                centre_um=(float(y + jitter[0]), float(x + jitter[1])),
                radius_um=float(step * rng.uniform(0.42, 0.62)),
                height_um=tall,
                stretch=float(rng.uniform(1.0, 1.35)),
                angle=float(rng.uniform(0, np.pi)),
                lobes=(),
                stage=_stage(rng, mitotic),
            )
            if (x + 6 * np.sin(y / 13)) / width < edge:
                cells.append(cell)
    return cells


def place_sparse(rng: np.random.Generator, grid: Grid, mitotic: float, height_um: float) -> list[Cell]:
    """Scatter single spread cells, some of them in touch."""
    _, height, width = grid.extent_um
    cells: list[Cell] = []
    for _ in range(int(height * width / 55)):
        centre = (float(rng.uniform(0, height)), float(rng.uniform(0, width)))
        apart = rng.uniform(17, 32)
        if any(np.hypot(centre[0] - c.centre_um[0], centre[1] - c.centre_um[1]) < apart for c in cells):
            continue
        stage = _stage(rng, mitotic)
        rounded = stage not in ("", "prophase")
        lobes = tuple(
            (float(rng.normal(0, 0.22 / k**0.4)), float(rng.uniform(0, 2 * np.pi))) for k in (2, 3, 4, 5, 7)
        )
        cells.append(
            Cell(
                centre_um=centre,
                radius_um=float(rng.uniform(7, 8.5) if rounded else rng.uniform(11, 17)),
                height_um=float(height_um * (1.3 if rounded else rng.uniform(0.65, 1.0))),
                stretch=float(rng.uniform(1.0, 1.1) if rounded else rng.uniform(1.0, 2.0)),
                angle=float(rng.uniform(0, np.pi)),
                lobes=() if rounded else lobes,
                stage=stage,
            )
        )
    return cells


def _radial(cell: Cell, dy: Volume, dx: Volume) -> tuple[Volume, Volume]:
    """Distance from the centre, and the cell's radius in that direction, both in the cell's own stretch."""
    along = np.float32(np.cos(cell.angle)) * dx + np.float32(np.sin(cell.angle)) * dy
    across = np.float32(np.cos(cell.angle)) * dy - np.float32(np.sin(cell.angle)) * dx
    root = np.float32(np.sqrt(cell.stretch))
    along, across = along / root, across * root
    distance = np.sqrt(along**2 + across**2)
    if not cell.lobes:
        return distance, np.full_like(distance, cell.radius_um)
    theta = np.arctan2(across, along)
    edge = np.ones_like(distance)
    for order, (size, phase) in zip(_ORDERS, cell.lobes, strict=True):
        edge += np.float32(size) * np.cos(order * theta + np.float32(phase))
    return distance, np.clip(edge, 0.35, 1.9) * np.float32(cell.radius_um)


def _lateral(
    rng: np.random.Generator, grid: Grid, cells: list[Cell]
) -> tuple[Volume, Volume, npt.NDArray[np.int32]]:
    """Smallest and second smallest (distance - radius) of any cell, and whose the smallest is."""
    z, y, x = grid.axes_um()
    warp_y = y + np.float32(0.9) * smooth_noise(rng, grid, 4.0)
    warp_x = x + np.float32(0.9) * smooth_noise(rng, grid, 4.0)
    best = np.full(grid.shape, 60, np.float32)
    second = best.copy()
    owner = np.zeros(grid.shape, np.int32)
    middle = grid.extent_um[0] / 2
    for index, cell in enumerate(cells):
        lean = rng.normal(0, 0.13, 2)
        reach = (1e3, *(2 * [max(22.0, 2.2 * cell.radius_um * cell.stretch)]))
        at = grid.window((middle, *cell.centre_um), reach)
        if best[at].size == 0:
            continue
        dy = (
            warp_y[at] - np.float32(cell.centre_um[0]) - np.float32(lean[0]) * (z[at[0]] - np.float32(middle))
        )
        dx = (
            warp_x[at] - np.float32(cell.centre_um[1]) - np.float32(lean[1]) * (z[at[0]] - np.float32(middle))
        )
        distance, edge = _radial(cell, dy, dx)
        distance = distance - edge
        nearer = distance < best[at]
        second[at] = np.where(nearer, best[at], np.minimum(second[at], distance))
        owner[at] = np.where(nearer, np.int32(index + 1), owner[at])
        best[at] = np.where(nearer, distance, best[at])
    return best, second, owner


def _tops(grid: Grid, cells: list[Cell], spread: bool) -> Volume:
    """Height of the apical surface above the base, (Y, X): a fried egg if *spread*, else a low dome."""
    plane = Grid((1, *grid.shape[1:]), grid.voxel_size_um)
    _, y, x = plane.axes_um()
    total = np.zeros((1, *grid.shape[1:]), np.float32)
    weight = np.full_like(total, 1e-3)
    for cell in cells:
        at = plane.window((0, *cell.centre_um), (1e3, 30, 30))
        dy, dx = y[:, at[1]] - np.float32(cell.centre_um[0]), x[:, :, at[2]] - np.float32(cell.centre_um[1])
        square = (dy**2 + dx**2) / np.float32((0.75 * cell.radius_um) ** 2)
        if spread:
            egg = np.float32(cell.height_um) * (np.float32(0.13) + np.float32(0.87) * np.exp(-square))
            total[at] = np.maximum(total[at], egg)
        else:
            bell = np.exp(-square / 2)
            total[at] += np.float32(cell.height_um) * bell
            weight[at] += bell
    return total[0] if spread else (total / weight)[0]


def own_voxels(rng: np.random.Generator, grid: Grid, cells: list[Cell], *, spread: bool) -> Territories:
    """
    Give every voxel to a cell or to the medium.

    Parameters
    ----------
    rng : numpy.random.Generator
        Bends borders and surfaces.
    grid : Grid
        Voxels to fill.
    cells : list of Cell
        From :func:`place_colony` or :func:`place_sparse`.
    spread : bool
        Whether cells end at their own radius (sparse) or at their neighbours (confluent).

    Returns
    -------
    territories : Territories
    """
    z, _, _ = grid.axes_um()
    base = float(rng.uniform(0.18, 0.28)) * grid.extent_um[0]
    best, second, owner = _lateral(rng, grid, cells)
    border = (second - best) / 2
    limit = -best * np.float32(0.8) if spread else np.float32(4.0) - best
    border = np.minimum(border, limit)
    top = np.float32(base) + _tops(grid, cells, spread)
    dome = np.float32(0.86) + np.float32(0.14) * np.tanh(np.clip(border, 0, None) / np.float32(2.5))
    ripple = np.float32(0.25) * smooth_noise(rng, grid, 3.0)
    surface = np.float32(base) + (top[None] - np.float32(base)) * dome + ripple - z
    depth = np.minimum(
        np.minimum(surface, z - np.float32(base) + ripple * np.float32(0.4)),
        np.maximum(limit, 0.4) if not spread else limit,
    )
    depth = np.where(limit > 0, np.minimum(depth, np.maximum(border, 0.0) + 0.15), np.minimum(depth, limit))
    labels = np.where(depth > 0, owner, 0).astype(np.int32)
    return Territories(labels, border.astype(np.float32), depth.astype(np.float32), base)
