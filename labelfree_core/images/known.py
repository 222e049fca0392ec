"""Where a segmentation says something: labels of complete cells are silent about all the others."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from labelfree_core.images.choice import Choice
from labelfree_core.images.names import ChannelRole

Look = Callable[[int], npt.NDArray[np.float32]]

_CELLS = re.compile(r"memb|(?<![a-z])cells?(?![a-z])|cytoplasm", re.I)
_COMPLETE = re.compile(r"complete|whole cells", re.I)
# Nuclei lie inside their cells; a few voxels of painted labels may stick out.
_INSIDE = 0.95
# A region that covers everything limits nothing.
_FIELD = 0.98


def propose_regions(roles: Sequence[ChannelRole], look: Look) -> dict[int, Choice]:
    """
    For each segmentation that is known inside cells only, propose the channel that marks those cells.

    Parameters
    ----------
    roles : sequence of ChannelRole
    look : callable
        Returns some planes of a channel, (N, Y, X); asked for likely channels only.

    Returns
    -------
    regions : dict of int to Choice
        From the segmented channel to the channel that is above zero where it is known.

    Examples
    --------
    >>> from labelfree_core.images.names import role_by_name
    >>> roles = [role_by_name(i, name) for i, name in enumerate(("SEG_DNA", "SEG_Memb"))]
    >>> distance = np.hypot(*np.indices((9, 9)) - 4.0)[None]
    >>> found = propose_regions(roles, lambda n: np.float32(distance < (2, 4)[n]))
    >>> found[0].value, found[0].confidence
    (1, 0.8)
    """
    painted = [role for role in roles if role.role == "segmentation"]
    cells = [role for role in painted if _CELLS.search(role.name) and role.structure != "DNA"]
    regions: dict[int, Choice] = {}
    for role in painted:
        if role.structure != "DNA":
            continue
        for cell in cells:
            found = _region(role, cell, look)
            if found is not None:
                regions[role.index] = found
                break
    return regions


def _region(labels: ChannelRole, cell: ChannelRole, look: Look) -> Choice | None:
    """Propose *cell* as the region of *labels* where the voxels do not contradict it."""
    marked, inside = look(labels.index) > 0, look(cell.index) > 0
    if not marked.any() or inside.mean() > _FIELD or float(inside[marked].mean()) < _INSIDE:
        return None
    named = _COMPLETE.search(labels.name) or _COMPLETE.search(cell.name)
    reason = f"'{labels.name}' marks nuclei only inside the cells of '{cell.name}'; elsewhere nobody looked"
    return Choice(cell.index, reason, 0.95 if named else 0.8)
