"""Axis detective: which axis of a file is z, time, channel or colour."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labelfree_core.images.choice import Choice
from labelfree_core.images.reading import ImageFile
from labelfree_core.images.thumbnails import every, stack_axis

_LOOK_PLANES = 12
_LOOK_PX = 256


def propose_axes(file: ImageFile) -> Choice:
    """
    Propose one letter for each axis of a file, for :meth:`ImageFile.read`.

    Parameters
    ----------
    file : ImageFile

    Returns
    -------
    axes : Choice
        ``value`` has the length of ``file.axes``.

    Raises
    ------
    ImageError
        If the file can't be read.
    """
    if file.format == "NumPy array":
        return _array_axes(file)
    unknown = [axis for axis in file.axes if axis not in "TCZYXS" and file.sizes[axis] > 1]
    if not unknown:
        return _stated(file)
    letters, reasons, sure = file.axes, [], 1.0
    for axis in unknown:
        meaning, reason, confidence = _meaning(file, axis, taken=letters)
        letters = letters.replace(axis, meaning)
        reasons.append(reason)
        sure = min(sure, confidence)
    return Choice(letters, f"the file does not name its axes; {'; '.join(reasons)}", sure)


def _stated(file: ImageFile) -> Choice:
    sizes = file.sizes
    said = Choice(file.axes, f"the {file.format} file states its axes", 0.95)
    times, planes, channels = sizes.get("T", 1), sizes.get("Z", 1), sizes.get("C", 1)
    if planes > 1 or max(times, channels) < 3:
        return said
    if times >= 3 and _focus_runs_through(_look(file, "T")):
        reason = (
            f"the file calls its {times} planes time points, but the focus runs through them as in a "
            "z-stack: "
            "a z-stack saved as T"
        )
        return Choice(file.axes.replace("T", "#").replace("Z", "T").replace("#", "Z"), reason, 0.7)
    if times < 3 and channels >= 6 and not any(file.channel_names):
        looks = _look(file, "C")
        if _neighbours_alike(looks) > 0.7:
            reason = f"{channels} channels without names, each like the next: a z-stack saved as C"
            return Choice(file.axes.replace("C", "#").replace("Z", "C").replace("#", "Z"), reason, 0.7)
    if times >= 3:
        return Choice(file.axes, f"the {file.format} file states {times} time points, all in one focus", 0.8)
    return said


def _array_axes(file: ImageFile) -> Choice:
    """A NumPy array names no axis; a last axis of 3 or 4 is colour, the one before the planes is z."""
    shape = file.shape
    letters = "YX"
    if len(shape) >= 3 and shape[-1] in (3, 4) and min(shape[-3:-1]) > 16:
        letters = "YXS"
    lead = shape[: len(shape) - len(letters)]
    if not lead:
        return Choice(letters, "an array of two axes is one plane" + ", in colour" * (letters == "YXS"), 0.8)
    # The shortest leading axis below 8 is channels, the longest z, another one time.
    order = sorted(range(len(lead)), key=lambda i: lead[i])
    names = dict.fromkeys(range(len(lead)), "T")
    names[order[-1]] = "Z"
    if len(lead) > 1 and lead[order[0]] <= 8:
        names[order[0]] = "C"
    used = [names[i] for i in range(len(lead))]
    if len(set(used)) < len(used):
        used = list("QTCZ"[-len(lead) :]) if len(lead) < 5 else list("QRPH"[: len(lead)])
    return Choice(
        "".join(used) + letters, "an array names no axes; the longest before the plane is taken for z", 0.5
    )


def _meaning(file: ImageFile, axis: str, *, taken: str) -> tuple[str, str, float]:
    """Letter, reason and confidence for an axis without a meaning."""
    count = file.sizes[axis]
    looks = _look(file, axis)
    alike = _neighbours_alike(looks)
    if count <= 6 and alike < 0.5 and "C" not in taken:
        return "C", f"its {count} planes differ like channels (correlation {alike:.2f})", 0.65
    if "Z" not in taken and (_focus_runs_through(looks) or "T" in taken):
        return "Z", f"the focus runs through its {count} planes as in a z-stack", 0.75
    if "Z" not in taken:
        return "Z", f"its {count} planes are taken for z; they could be time points", 0.5
    free = next(letter for letter in "TCQRPH" if letter not in taken)
    return free, f"its {count} planes are taken for {'time points' if free == 'T' else 'channels'}", 0.4


def _look(file: ImageFile, axis: str) -> npt.NDArray[np.float32]:
    """Evenly spaced planes along an axis, the middle of every other axis, thinned to a few pixels."""
    parts: dict[str, int | slice] = {a: n // 2 for a, n in file.sizes.items()}
    if axis != stack_axis(file.axes, file.shape) and "C" in parts and axis != "C":
        parts["C"] = 0
    if "S" in parts:
        parts["S"] = 0
    # Pixels side by side keep the grain by which focus is seen: a window of the middle.
    for side in "YX":
        start = max(0, (file.sizes[side] - _LOOK_PX) // 2)
        parts[side] = slice(start, start + _LOOK_PX)
    parts[axis] = every(file.sizes[axis], _LOOK_PLANES)
    kept = [a for a in file.axes if isinstance(parts[a], slice)]
    voxels = file.region(tuple(parts[a] for a in file.axes)).astype(np.float32)
    voxels = voxels.transpose([kept.index(a) for a in (axis, "Y", "X")])
    return np.nan_to_num(voxels, nan=0.0, posinf=0.0, neginf=0.0)


def _neighbours_alike(planes: npt.NDArray[np.float32]) -> float:
    """Median correlation of each plane with the next."""
    flat = planes.reshape(len(planes), -1).astype(np.float64)
    flat = flat - flat.mean(axis=1, keepdims=True)
    norm = np.sqrt((flat**2).sum(axis=1))
    products = (flat[1:] * flat[:-1]).sum(axis=1) / np.maximum(norm[1:] * norm[:-1], 1e-12)
    return float(np.median(products)) if len(products) else 0.0


def _focus_runs_through(planes: npt.NDArray[np.float32]) -> bool:
    """
    Whether contrast and sharpness change along the planes by far and smoothly, as in a z-stack.

    A time series keeps its focus; its contrast drifts by a few percent.
    """
    if len(planes) < 3:
        return False
    mean = planes.mean(axis=(1, 2))
    contrast = planes.std(axis=(1, 2)) / np.maximum(np.abs(mean), 1e-12)
    grain = np.diff(planes, axis=2).std(axis=(1, 2)) / np.maximum(planes.std(axis=(1, 2)), 1e-12)
    # The planes least alike: the ends of a stack may both be blurred and look the same.
    spread_out = 1 - float(np.corrcoef(planes.reshape(len(planes), -1)).min()) if contrast.min() > 0 else 0.0
    for course in (contrast, grain):
        span = float(course.max() - course.min()) / max(float(course.mean()), 1e-12)
        rough = float(np.abs(np.diff(course, 2)).sum()) / max(float(np.abs(np.diff(course)).sum()), 1e-12)
        if span > 0.25 and rough < 1.2 and spread_out > 0.1:
            return True
    return False
