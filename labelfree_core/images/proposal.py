"""
Propose what a file leaves open: axes, the transmitted-light channel, voxel size.

The rest of the core never guesses. What is proposed here carries its reason and a
confidence, and counts only when a person (or ``--yes``) accepts it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from labelfree_core.images.axes import propose_axes
from labelfree_core.images.choice import Choice
from labelfree_core.images.known import propose_regions
from labelfree_core.images.names import ChannelRole, role_by_name
from labelfree_core.images.reading import LUMINANCE, ImageFile
from labelfree_core.images.thumbnails import survey
from labelfree_core.images.voxelsize import plausible

__all__ = ["ChannelRole", "Choice", "Proposal", "propose"]

# More channels than this are not looked at one by one: names decide alone.
_MOST_LOOKED_AT = 16
_LOOK_PLANES = 5
_WINDOW_PX = 768


@dataclass(frozen=True, slots=True)
class Proposal:
    """
    What a file most likely holds.

    ``axes`` (str, for :meth:`ImageFile.read`), ``transmitted_channel`` (int, -1 for luminance, or None),
    ``observed_channels`` (int each, most useful first), ``voxel_size_um`` ((z, y, x) or (y, x) in
    micrometres, or None), ``roles``, one for each channel, and ``regions``: for a segmented channel that is
    known in a part of the field only, the channel that is above zero there.
    """

    axes: Choice
    transmitted_channel: Choice
    observed_channels: tuple[Choice, ...]
    voxel_size_um: Choice
    roles: tuple[ChannelRole, ...] = ()
    regions: dict[int, Choice] = field(default_factory=dict)


def propose(file: ImageFile) -> Proposal:
    """
    Propose axes, channels and voxel size of a file, each with its reason and a confidence from 0 to 1.

    Names decide first, then what the voxels look like.

    Parameters
    ----------
    file : ImageFile

    Returns
    -------
    proposal : Proposal

    Raises
    ------
    ImageError
        If the file can't be read.
    """
    axes = propose_axes(file)
    letters = str(axes.value)
    sizes = dict(zip(letters, file.shape, strict=True))
    if sizes.get("C", 1) == 1 and sizes.get("S", 1) >= 3:
        reason = "a colour image of transmitted light is grey; luminance uses all three colours"
        return Proposal(axes, Choice(LUMINANCE, reason, 0.7), (), _voxel_size(file, letters))
    roles = _roles(file, letters, sizes.get("C", sizes.get("S", 1)))
    regions = propose_regions(roles, lambda channel: survey(file, channel, planes=_LOOK_PLANES, axes=letters))
    return Proposal(axes, _transmitted(roles), _observed(roles), _voxel_size(file, letters), roles, regions)


def _roles(file: ImageFile, letters: str, count: int) -> tuple[ChannelRole, ...]:
    names = file.channel_names if len(file.channel_names) == count else ("",) * count
    roles = [role_by_name(index, name) for index, name in enumerate(names)]
    unknown = [role for role in roles if role.role == "unknown"]
    for role in unknown[:_MOST_LOOKED_AT]:
        planes = survey(file, role.index, planes=_LOOK_PLANES, axes=letters, window_px=_WINDOW_PX)
        kind, reason, confidence = _look(planes)
        roles[role.index] = replace(role, role=kind, reason=reason, confidence=confidence)
    return tuple(roles)


def _look(planes: npt.NDArray[np.float32]) -> tuple[str, str, float]:
    """Role, reason and confidence by the voxels alone."""
    finite = planes[np.isfinite(planes)]
    if finite.size == 0 or finite.min() == finite.max():
        return "unknown", "it is empty", 0.0
    along = planes if planes.shape[2] > 1 else planes.transpose(0, 2, 1)
    level = float((along[..., 1:] == along[..., :-1]).mean())
    values = np.unique(finite[:: max(1, finite.size // 200_000)]).size
    if (finite == np.round(finite)).all() and level > 0.9 and values < 2000 and _flat_objects(planes):
        return "segmentation", "most neighbouring pixels are exactly equal, like painted labels", 0.8
    low, middle, high = (float(v) for v in np.percentile(finite, (0.5, 50, 99.5)))
    place = (middle - low) / max(high - low, 1e-12)
    if place > 0.3:
        sure = min(0.85, 0.5 + 2 * (place - 0.3))
        return (
            "transmitted",
            "a bright, even background with darker and lighter detail, as lamp light gives",
            sure,
        )
    sure = min(0.8, 0.5 + 2 * (0.3 - place))
    return "stain", "a dark background with few bright places, as fluorescence gives", sure


def _flat_objects(planes: npt.NDArray[np.float32]) -> bool:
    """Whether the brighter parts are even inside, like labels, and not saturated or merely dark."""
    from scipy import ndimage  # here, because pages that ask for no guess start sooner without it

    plane = planes[len(planes) // 2]
    inside = ndimage.binary_erosion(plane > plane.min(), iterations=2)
    if inside.sum() < 20:
        return False
    edges = ndimage.maximum_filter(plane, 3) != ndimage.minimum_filter(plane, 3)
    return float(edges[inside].mean()) < 0.3


def _transmitted(roles: tuple[ChannelRole, ...]) -> Choice:
    found = [role for role in roles if role.role == "transmitted"]
    if not found:
        if len(roles) == 1:
            return Choice(0, f"it is the only channel, though {roles[0].reason}", 0.4)
        return Choice(None, "no channel has the name or the look of transmitted light; choose it", 0.0)
    best = max(found, key=lambda role: role.confidence)
    others = [role for role in found if role is not best and role.confidence > best.confidence - 0.1]
    if not others:
        return Choice(best.index, best.reason, best.confidence)
    which = ", ".join(f"{role.index} {role.name}".strip() for role in others)
    return Choice(best.index, f"{best.reason}; it could also be channel {which}", 0.55)


def _observed(roles: tuple[ChannelRole, ...]) -> tuple[Choice, ...]:
    """Stains first, then segmentations; named structures before unnamed."""
    useful = [role for role in roles if role.role in ("stain", "segmentation")]
    useful.sort(key=lambda role: (role.role != "stain", role.structure == "", role.index))
    return tuple(
        Choice(role.index, f"{role.structure or role.role}: {role.reason}", role.confidence)
        for role in useful
    )


def _voxel_size(file: ImageFile, letters: str) -> Choice:
    long = dict(zip(letters, file.shape, strict=True)).get("Z", 1) > 1
    size = file.voxel_size_um.for_axes("ZYX" if long else "YX")
    if size is None:
        lacking = "the distance between planes is missing; " if file.voxel_size_um.for_axes("YX") else ""
        return Choice(
            None, f"{lacking}{file.voxel_size_um.source}; type it from the microscope's settings", 0.0
        )
    doubt = plausible(size)
    if doubt:
        return Choice(size, f"{file.voxel_size_um.source}, but {doubt}", 0.3)
    sure = 0.6 if "resolution tags" in file.voxel_size_um.source else 0.95
    return Choice(size, file.voxel_size_um.source, sure)
