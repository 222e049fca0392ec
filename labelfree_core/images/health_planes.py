"""Checks along z: empty and repeated planes, focus, drift, too few planes."""

from __future__ import annotations

import hashlib
import itertools
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import fft

from labelfree_core.images.filters import Planes, row_medians
from labelfree_core.images.finding import Finding, graded
from labelfree_core.images.stack import ImageStack
from labelfree_core.images.thumbnails import spread

# The published 3-D network halves every axis four times.
_PLANES_OF_A_NETWORK = 16
_WINDOW_PX = 384
_DRIFT_PLANES = 25
# Planes from good microscopes have 3 % and more; an image enlarged or far out of focus has next to none.
_HARDLY_SHARP = 0.02
Wave = npt.NDArray[np.complex64]


def empty(stack: ImageStack) -> Finding:
    """Planes that hold one value only, or no numbers at all."""
    voxels = stack.voxels if stack.voxels.ndim == 3 else stack.voxels[None]
    dead = tuple(z for z, plane in enumerate(voxels) if _dead(plane))
    if len(dead) == len(voxels):
        return Finding(
            "empty",
            "severe",
            f"Every plane is one constant value ({_first(voxels):.4g}): there is no image.",
            "Nothing can be predicted.",
            "Choose the transmitted-light channel; the shutter may have been closed in this one.",
            dead,
        )
    if not dead:
        return Finding("empty", "ok", "No plane is empty.")
    return Finding(
        "empty",
        "warning",
        f"{len(dead)} of {len(voxels)} planes hold no image ({_ranges(dead)}).",
        "Around them a 3-D network sees an edge that is not there.",
        "Leave these planes out, or copy the file again: the recording may have stopped early.",
        dead,
    )


def duplicates(stack: ImageStack) -> Finding:
    """Planes that equal an earlier one to the last bit."""
    alike: dict[bytes, list[int]] = {}
    for z, plane in enumerate(stack.voxels):
        if not _dead(plane):
            alike.setdefault(plane[::16, ::16].tobytes(), []).append(z)
    # Only planes that equal another one at a glance are compared to the last bit.
    twice = sorted(z for planes in alike.values() if len(planes) > 1 for z in _copies(stack.voxels, planes))
    if not twice:
        return Finding("duplicate planes", "ok", "No plane is the copy of another.")
    level = "severe" if len(twice) > len(stack.voxels) / 2 else "warning"
    return Finding(
        "duplicate planes",
        level,
        f"{len(twice)} of {len(stack.voxels)} planes are exact copies of earlier ones "
        f"({_ranges(tuple(twice))}).",
        "The z axis is stretched there; a 3-D network predicts shapes that are too tall.",
        "Check the z drive and the export; leave the copies out.",
        tuple(twice),
    )


def _copies(voxels: npt.NDArray[np.generic], planes: list[int]) -> list[int]:
    """Those of *planes* that equal an earlier one of them."""
    seen, twice = set(), []
    for z in planes:
        digest = hashlib.blake2b(np.ascontiguousarray(voxels[z]).data, digest_size=16).digest()
        if digest in seen:
            twice.append(z)
        seen.add(digest)
    return twice


def few_planes(stack: ImageStack) -> Finding:
    """Fewer planes than a 3-D network works on."""
    count = len(stack.voxels)
    step = stack.voxel_size_um[0] if stack.voxel_size_um else None
    depth = f" ({count * step:.1f} um)" if step else ""
    if count >= _PLANES_OF_A_NETWORK:
        return Finding("planes", "ok", f"{count} planes{depth} are enough for a 3-D model.")
    return Finding(
        "planes",
        "warning" if count < 8 else "note",
        f"The stack has {count} planes{depth}; 3-D models see {_PLANES_OF_A_NETWORK} or more at their own "
        "spacing.",
        "Missing planes are filled by reflection, so the top and the bottom of cells are invented.",
        "Record more planes above and below the cells, or use a 2-D model on the sharpest plane.",
    )


def spectra(stack: ImageStack) -> dict[int, Wave]:
    """Spectra of the planes that both :func:`focus` and :func:`sideways_drift` look at."""
    if stack.voxels.ndim == 2:
        return {}
    chosen = spread(len(stack.voxels), _DRIFT_PLANES)
    return {z: _wave(_window(stack.voxels[z])) for z in chosen if not _dead(stack.voxels[z])}


def focus(stack: ImageStack, spectra: dict[int, Wave]) -> Finding:
    """Which planes hold fine detail, or whether a single plane does."""
    voxels = stack.voxels if stack.voxels.ndim == 3 else stack.voxels[None]
    detail = detail_of(voxels, spectra)
    best = float(detail.max())
    if best < _HARDLY_SHARP:
        return Finding(
            "focus",
            "warning" if best < 0.2 * _HARDLY_SHARP else "note",
            f"No plane holds much fine detail: {best:.1%} of the contrast is finer than about 8 pixels.",
            "Out of focus, a network predicts smooth blobs in wrong places.",
            "Focus on the cells, or check that the image was not enlarged or smoothed.",
        )
    if len(voxels) == 1:
        return Finding("focus", "ok", f"The plane holds fine detail ({best:.0%} of its contrast).")
    sharp = tuple(int(z) for z in np.flatnonzero(detail >= detail.min() + 0.5 * (best - detail.min())))
    if best < 1.3 * float(detail.min()):
        return Finding("focus", "ok", "All planes are about equally sharp.", planes=sharp)
    edge = int(detail.argmax()) in (0, len(voxels) - 1) and len(voxels) >= 5
    if edge:
        return Finding(
            "focus",
            "note",
            f"The sharpest plane is at the end of the stack (plane {int(detail.argmax())} of "
            f"0-{len(voxels) - 1}).",
            "Part of the cells may lie outside the stack, where nothing can be predicted.",
            "Record the stack so that the cells are in its middle.",
            sharp,
        )
    return Finding("focus", "ok", f"The sharpest planes are {_ranges(sharp)}.", planes=sharp)


def detail_of(
    voxels: npt.NDArray[np.generic], spectra: dict[int, Wave] | None = None
) -> npt.NDArray[np.float64]:
    """Return how much fine detail each plane of (Z, Y, X) holds, see :func:`fine_detail`."""
    known = spectra or {}
    waves = (known[z] if z in known else _wave(_window(plane)) for z, plane in enumerate(voxels))
    return np.array([fine_detail(wave, _window_shape(voxels)) for wave in waves])


def lamp_drift(stack: ImageStack) -> Finding:
    """Brightness that changes along z."""
    means = np.array([float(np.nanmean(p[::4, ::4], dtype=np.float64)) for p in stack.voxels if not _dead(p)])
    change = float((means.max() - means.min()) / max(abs(means.mean()), 1e-12)) if len(means) else 0.0
    level = graded(change, note=0.1, warning=0.3, severe=2.0)
    if level == "ok":
        return Finding("brightness along z", "ok", f"Planes differ in brightness by {change:.0%}.")
    return Finding(
        "brightness along z",
        level,
        f"Planes differ in brightness by {change:.0%}.",
        "One scale for the whole stack makes planes too dark or too bright for the network.",
        "Keep lamp and exposure constant; a model that flattens the image first suffers least.",
    )


def sideways_drift(stack: ImageStack, spectra: dict[int, Wave]) -> Finding:
    """How far the image wanders in Y and X from the first plane to the last."""
    shape = _window_shape(stack.voxels)
    even = (_evened(wave) for wave in spectra.values())
    steps = [_shift(a, b, shape) for a, b in itertools.pairwise(even)]
    path = np.cumsum(steps, axis=0) if steps else np.zeros((1, 2))
    far = float(np.hypot(*path.T).max())
    pixel = stack.voxel_size_um[-1] if stack.voxel_size_um else None
    size = f" ({far * pixel:.1f} um)" if pixel else ""
    level = graded(far, note=4.0, warning=10.0, severe=1e9)
    if level == "ok":
        return Finding("z-drift", "ok", f"The planes lie on each other to within {max(far, 0.5):.1f} pixels.")
    return Finding(
        "z-drift",
        level,
        f"From plane to plane the image wanders sideways, by {far:.0f} pixels{size} in all.",
        "Cells lean; a 3-D network, which learned upright ones, predicts less well.",
        "Let the stage settle between planes, or align the stack (Fiji: Plugins > Registration > StackReg).",
    )


def fine_detail(wave: Wave, shape: tuple[int, int]) -> float:
    """
    Share of a plane's contrast finer than about 8 pixels and above its pixel noise, 0 to 1.

    Noise is alike at all frequencies, so the highest ones, beyond what optics passes, give its level.

    Parameters
    ----------
    wave : complex64 array
        Spectrum of a plane.
    shape : tuple of int
        (Y, X) of that plane in pixels.
    """
    power = (wave.real**2 + wave.imag**2).ravel()
    noisy, fine, coarse = _bands(shape)
    noise = row_medians(power[noisy][None])
    above = np.maximum(power - noise, 0)
    of_fine, of_coarse = float(above @ fine), float(above @ coarse)
    whole = of_fine + of_coarse
    return of_fine / whole if whole > 0 else 0.0


def _wave(plane: npt.NDArray[np.float32]) -> Wave:
    """Spectrum of a plane."""
    return fft.rfft2((plane - plane.mean()) * _soft(plane.shape))


@lru_cache(maxsize=4)
def _soft(shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Weights that let a plane fade out at its edges."""
    soft = np.hanning(shape[0])[:, None] * np.hanning(shape[1])
    return soft.astype(np.float32)


@lru_cache(maxsize=4)
def _bands(shape: tuple[int, int]) -> tuple[npt.NDArray[np.intp], Planes, Planes]:
    """Places in a spectrum that hold noise alone; 1 where detail is finer than 8 pixels; 1 where coarser."""
    radius = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])).ravel()  # cycles a pixel
    fine, coarse = (radius > 0.125) & (radius < 0.4), (radius > 0.01) & (radius <= 0.125)
    return np.flatnonzero(radius > 0.45), fine.astype(np.float32), coarse.astype(np.float32)


def _evened(wave: Wave) -> Wave:
    """Spectrum half-way between plain and phase correlation: robust to noise, sharp enough for a pixel."""
    weights = 1 / np.sqrt(np.sqrt(np.maximum(wave.real**2 + wave.imag**2, 1e-12)))
    even = np.empty_like(wave)
    # Part by part: numpy is slow with a complex number and a real one.
    np.multiply(wave.real, weights, out=even.real)
    np.multiply(wave.imag, weights, out=even.imag)
    return even


def _shift(a: Wave, b: Wave, shape: tuple[int, int]) -> tuple[float, float]:
    """Shift in pixels from one plane to the next by their evened spectra; none where the peak is unsure."""
    peak = fft.irfft2(np.conj(a) * b, s=shape, overwrite_x=True)
    y, x = np.unravel_index(int(peak.argmax()), peak.shape)
    if peak[y, x] < 6 * peak.std():
        return 0.0, 0.0
    height, width = peak.shape
    shift = (float((y + height // 2) % height - height // 2), float((x + width // 2) % width - width // 2))
    # A jump of a sixth of the window between planes is another image, not a drift.
    return shift if np.hypot(*shift) < min(height, width) / 6 else (0.0, 0.0)


def _window(plane: npt.NDArray[np.generic]) -> npt.NDArray[np.float32]:
    """The middle of a plane, at full resolution."""
    y, x = ((n - min(n, _WINDOW_PX)) // 2 for n in plane.shape)
    window = plane[y : y + _WINDOW_PX, x : x + _WINDOW_PX].astype(np.float32)
    return np.nan_to_num(window) if plane.dtype.kind == "f" else window


def _window_shape(voxels: npt.NDArray[np.generic]) -> tuple[int, int]:
    height, width = (min(n, _WINDOW_PX) for n in voxels.shape[-2:])
    return height, width


def _dead(plane: npt.NDArray[np.generic]) -> bool:
    first = plane.flat[0]
    if plane.dtype.kind == "f" and not np.isfinite(plane).any():
        return True
    # A glance at a few pixels settles nearly all planes.
    return bool((plane[::16, ::16] == first).all() and (plane == first).all())


def _first(voxels: npt.NDArray[np.generic]) -> float:
    return float(np.asarray(voxels.flat[0], dtype=np.float64))


def _ranges(planes: tuple[int, ...]) -> str:
    """``planes 3 to 5, 9``."""
    parts: list[list[int]] = []
    for z in planes:
        if parts and z == parts[-1][1] + 1:
            parts[-1][1] = z
        else:
            parts.append([z, z])
    shown = [f"{a}" if a == b else f"{a} to {b}" for a, b in parts[:8]]
    return f"plane{'s' * (len(planes) > 1)} {', '.join(shown)}" + (" ..." if len(parts) > 8 else "")
