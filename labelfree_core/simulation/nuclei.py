"""Nuclei, nucleoli and the chromosomes of dividing cells, each as a signed distance or a filled volume."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelfree_core.simulation.fields import Grid, Volume, filled, smooth_noise
from labelfree_core.simulation.layout import Cell, Territories


@dataclass(frozen=True, slots=True, eq=False)
class Nuclei:
    """
    What is inside the nuclei of a scene.

    ``depth_um`` is the signed distance to the nuclear envelope (positive inside),
    ``nucleoli`` and ``chromosomes`` are filled fractions, ``labels`` i + 1 in the nucleus or the
    chromosomes of cell i, ``spindle`` the clear region of dividing cells, ``threads`` how far chromatin has
    condensed inside an intact nucleus (prophase).
    """

    depth_um: Volume
    nucleoli: Volume
    chromosomes: Volume
    labels: npt.NDArray[np.int32]
    spindle: Volume
    threads: Volume


def _rotation(rng: np.random.Generator, tilt: float) -> npt.NDArray[np.float32]:
    """Rows are the nucleus' own axes (short, middle, long) in (z, y, x)."""
    turn, lean, way = rng.uniform(0, 2 * np.pi), rng.normal(0, tilt), rng.uniform(0, 2 * np.pi)
    short = np.array([np.cos(lean), np.sin(lean) * np.sin(way), np.sin(lean) * np.cos(way)])
    middle = np.cross(short, [0.0, np.sin(turn), np.cos(turn)])
    middle /= np.linalg.norm(middle)
    return np.stack([short, middle, np.cross(short, middle)]).astype(np.float32)


def _offsets(grid: Grid, at: tuple[slice, slice, slice], centre: npt.NDArray[np.floating]) -> list[Volume]:
    axes = grid.axes_um()
    return [
        np.take(axis, np.arange(s.start, s.stop), axis=k) - np.float32(c)
        for k, (axis, s, c) in enumerate(zip(axes, at, centre, strict=True))
    ]


def _capsules(
    grid: Grid, at: tuple[slice, slice, slice], rods: npt.NDArray[np.floating], radius: float
) -> Volume:
    """Signed distance (positive inside) to the union of rods given as (n, 2, 3) end points in micrometres."""
    nearest = np.full(tuple(s.stop - s.start for s in at), 99, np.float32)
    for start, end in rods:
        along = (end - start).astype(np.float32)
        z, y, x = _offsets(grid, at, start)
        share = np.clip((z * along[0] + y * along[1] + x * along[2]) / max(float(along @ along), 1e-6), 0, 1)
        gap = (z - share * along[0]) ** 2 + (y - share * along[1]) ** 2 + (x - share * along[2]) ** 2
        np.minimum(nearest, gap, out=nearest)
    return np.float32(radius) - np.sqrt(nearest)


def chromosome_rods(rng: np.random.Generator, stage: str) -> npt.NDArray[np.float64]:
    """
    Place 46 chromosomes of a dividing cell around the origin.

    Parameters
    ----------
    rng : numpy.random.Generator
        Its state decides the arrangement.
    stage : str
        ``"prometaphase"``, ``"metaphase"``, ``"anaphase"`` or ``"telophase"``.

    Returns
    -------
    rods : float64 array, shape (n, 2, 3), micrometres
        End points in (pole-to-pole, across, across) axes.
    """
    count = 46
    turn = rng.uniform(0, 2 * np.pi, count)
    if stage == "prometaphase":
        reach = rng.uniform(1.2, 3.8, count)
        middle = np.stack([rng.normal(0, 1.5, count), reach * np.cos(turn), reach * np.sin(turn)], 1)
        arm = rng.normal(0, 1.0, (count, 3))
    else:
        reach = {"metaphase": 3.7, "anaphase": 3.1, "telophase": 2.5}[stage] * np.sqrt(rng.random(count))
        middle = np.stack([rng.normal(0, 0.22, count), reach * np.cos(turn), reach * np.sin(turn)], 1)
        arm = rng.normal(0, 0.6, (count, 3)) * [1.3, 1, 1] + 0.12 * middle * [0, 1, 1]
    arm *= (rng.uniform(0.5, 1.2, count) / np.linalg.norm(arm, axis=1))[:, None]
    rods = np.stack([middle - arm, middle + arm], 1)
    if stage in ("anaphase", "telophase"):
        apart = rng.uniform(2.2, 3.8) if stage == "anaphase" else rng.uniform(4.3, 5.6)
        side = np.repeat([-1.0, 1.0], count)
        rods = np.concatenate([rods * [0.8, 1, 1], rods * [0.8, 1, 1]])
        bend = 0.09 if stage == "anaphase" else 0.14
        rods[..., 0] += side[:, None] * (apart - bend * (rods[..., 1] ** 2 + rods[..., 2] ** 2))
    return rods


class _Painter:
    """Collects the nuclei of one scene; lives only inside :func:`paint_nuclei`."""

    def __init__(self, rng: np.random.Generator, grid: Grid, territories: Territories) -> None:
        self.rng, self.grid, self.land = rng, grid, territories
        self.bumps = smooth_noise(rng, grid, 3.4)
        self.depth = np.full(grid.shape, -30, np.float32)
        self.nucleoli = np.zeros(grid.shape, np.float32)
        self.chromosomes = np.zeros(grid.shape, np.float32)
        self.labels = np.zeros(grid.shape, np.int32)
        self.spindle = np.zeros(grid.shape, np.float32)
        self.threads = np.zeros(grid.shape, np.float32)

    def interphase(self, cell: Cell, index: int) -> None:
        rng = self.rng
        tall = cell.height_um
        axes = np.array([min(rng.uniform(2.3, 4.3), 0.42 * tall), *rng.uniform(4.2, 6.2, 2)])
        axes[1] = max(axes[1], 0.62 * axes[2])
        free = max(tall - 2 * axes[0] - 0.8, 0.0)
        centre = np.array([self.land.base_um + axes[0] + 0.4 + free * rng.random(), *cell.centre_um])
        centre[1:] += rng.normal(0, 1.0, 2)
        at = self.grid.window(centre, axes.max() + 1.5)
        if self.depth[at].size == 0:
            return
        turn = _rotation(rng, 0.12)
        z, y, x = _offsets(self.grid, at, centre)
        own = [
            (row[0] * z + row[1] * y + row[2] * x) / np.float32(a) for row, a in zip(turn, axes, strict=True)
        ]
        radius = np.sqrt(own[0] ** 2 + own[1] ** 2 + own[2] ** 2)
        rough = np.float32(rng.uniform(0.03, 0.10)) * self.bumps[at]
        depth = (1 - radius + rough) * np.float32(axes.min() * 1.15)
        mine = self.land.labels[at] == index + 1
        depth = np.minimum(depth, np.where(mine, self.land.depth_um[at] - np.float32(0.5), np.float32(-1)))
        take = depth > self.depth[at]
        self.depth[at] = np.where(take, depth, self.depth[at])
        self.labels[at] = np.where(depth > 0, np.int32(index + 1), self.labels[at])
        if cell.stage == "prophase":
            self.threads[at] = np.maximum(self.threads[at], filled(depth, self.grid))
            return
        self._nucleoli(centre, axes, turn, depth, at)

    def _nucleoli(
        self,
        centre: npt.NDArray,
        axes: npt.NDArray,
        turn: npt.NDArray,
        depth: Volume,
        at: tuple[slice, slice, slice],
    ) -> None:
        rng = self.rng
        for _ in range(int(rng.choice([1, 2, 2, 3, 4]))):
            spot = rng.normal(0, 1, 3)
            spot *= rng.uniform(0, 0.5) / np.linalg.norm(spot)
            body = centre + (spot * axes) @ turn
            size = float(rng.uniform(0.8, 1.9))
            join = np.zeros(depth.shape, np.float32)
            for _ in range(int(rng.integers(1, 5))):
                z, y, x = _offsets(self.grid, at, body + rng.normal(0, 0.6 * size, 3) * [0.5, 1, 1])
                join += np.exp(-(z**2 + y**2 + x**2) / np.float32((0.8 * size) ** 2))
            inside = np.minimum(
                (join - np.float32(0.45)) * np.float32(size) + np.float32(0.12) * self.bumps[at],
                depth - np.float32(0.45),
            )
            self.nucleoli[at] = np.maximum(self.nucleoli[at], filled(inside, self.grid))

    def dividing(self, cell: Cell, index: int) -> None:
        rng = self.rng
        tall = min(cell.height_um, 0.6 * self.grid.extent_um[0])
        centre = np.array([self.land.base_um + 0.5 * tall, *cell.centre_um])
        at = self.grid.window(centre, 9.5)
        if self.depth[at].size == 0:
            return
        way, lean = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.25)
        pole = np.array([np.sin(lean), np.cos(lean) * np.sin(way), np.cos(lean) * np.cos(way)])
        across = np.cross(pole, [1.0, 0, 0])
        across /= np.linalg.norm(across)
        frame = np.stack([pole, across, np.cross(pole, across)])
        rods = chromosome_rods(rng, cell.stage) @ frame + centre
        squeeze = min(1.0, 0.40 * tall / 4.5)
        rods[..., 0] = centre[0] + (rods[..., 0] - centre[0]) * squeeze
        body = filled(_capsules(self.grid, at, rods, rng.uniform(0.45, 0.58)), self.grid)
        body *= self.land.labels[at] == index + 1
        self.chromosomes[at] = np.maximum(self.chromosomes[at], body)
        self.labels[at] = np.where(body > 0.5, np.int32(index + 1), self.labels[at])
        z, y, x = _offsets(self.grid, at, centre)
        self.spindle[at] = np.maximum(
            self.spindle[at], np.exp(-(((z**2 + y**2 + x**2) / np.float32(36)) ** 2))
        )


def paint_nuclei(rng: np.random.Generator, grid: Grid, cells: list[Cell], territories: Territories) -> Nuclei:
    """
    Put a nucleus, or the chromosomes of its division, into every cell.

    Parameters
    ----------
    rng : numpy.random.Generator
        Its state decides shapes, sizes and heights.
    grid : Grid
        Voxels to fill.
    cells : list of Cell
        Cell i owns label i + 1.
    territories : Territories
        A nucleus stays inside its own cell.

    Returns
    -------
    nuclei : Nuclei
    """
    painter = _Painter(rng, grid, territories)
    for index, cell in enumerate(cells):
        if cell.stage in ("", "prophase"):
            painter.interphase(cell, index)
        else:
            painter.dividing(cell, index)
    return Nuclei(
        painter.depth, painter.nucleoli, painter.chromosomes, painter.labels, painter.spindle, painter.threads
    )
