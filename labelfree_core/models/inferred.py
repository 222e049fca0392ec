"""What an imported file does not say outright: its network from the shapes, its sizes from the factors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from labelfree_core.errors import ModelError
from labelfree_core.models.card import NOT_STATED, ModelCard
from labelfree_core.models.transforms_parser import Preparation

if TYPE_CHECKING:
    from torch import Tensor

_FIRST = "net_recurse.sub_2conv_more.conv1.weight"
_LAST = "conv_out.weight"
# Published factors, the pixel they belong to and what is known of it: each ends at 0.29 um.
_KNOWN_FACTORS = {
    0.37241: "for pixels of 0.108 um",
    0.29655: "for pixels of 0.086 um (63x objective)",
    0.5931: "for pixels of about 0.172 um (DIC; the pixel is itself inferred)",
}
_PUBLISHED_UM = 0.29
# How the published trainings call their data sets, and how people call the structure.
_STRUCTURES = {
    "lamin_b1": "lamin B1",
    "fibrillarin": "fibrillarin",
    "alpha_tubulin": "alpha tubulin",
    "beta_actin": "beta actin",
    "membrane": "membrane",
    "tom20": "TOM20",
    "sec61": "SEC61B",
    "myosin": "myosin IIB",
    "zo1": "ZO1",
    "st6gal1": "ST6GAL1",
    "desmoplakin": "desmoplakin",
    "dna": "DNA",
}


def first_card(tensors: Mapping[str, Tensor], name: str) -> ModelCard:
    """Read the published network's arguments off its tensors; the preparation is not known yet."""
    first, last = tuple(tensors[_FIRST].shape), tuple(tensors[_LAST].shape)
    ndim = len(last) - 2
    if ndim not in (2, 3) or len(first) != len(last):
        raise ModelError(
            f"{name}: '{_LAST}' has the shape {last}; planes need 4 axes there and z-stacks 5. "
            "Choose a checkpoint of the published network."
        )
    depth = max(key.count("sub_u.") for key in tensors)
    network: dict[str, object] = {"n_in": first[1], "n_out": last[0], "mult_chan": first[0], "depth": depth}
    return ModelCard(
        id="imported",
        title=name,
        structure=NOT_STATED,
        modality="transmitted light",
        ndim=ndim,
        architecture="fnet",
        network=network,
        steps=("standardise",),
        licence="Not stated in the file; ask whoever made it.",
    )


def with_preparation(card: ModelCard, options: Preparation | None) -> ModelCard:
    """Add how the image is prepared, and say in the limits what of it was inferred."""
    limits = ["Imported from a file: nothing is known here about its score on images it never saw."]
    if options is None:
        limits.append(
            "No train_options.json came with it: the image is standardised and not resized, an assumption. "
            "The published networks were trained at 0.29 um in every direction."
        )
        return replace(card, limits=(*card.limits, *limits))
    size, why = _voxel_size(options.zoom)
    limits.append(why)
    if "standardise" not in options.steps:
        limits.append("Its options ask for no standardisation: raw intensities go into the network.")
    if options.notes:
        limits.append(f"Left out, because sizes are fitted for every network: {', '.join(options.notes)}.")
    words = options.told.lower()
    structure = next((said for key, said in _STRUCTURES.items() if key in re.sub(r"[\s-]", "_", words)), "")
    if structure:
        limits.append(f"That it shows {structure} was read off the names of its training folders.")
    dic = bool(re.search(r"(?<![a-z])dic(?![a-z])", words)) or (
        options.zoom is not None and 0.5931 in options.zoom
    )
    told = f" Its options say: {options.told}." if options.told else ""
    return replace(
        card,
        title=f"{structure} ({card.title})" if structure else card.title,
        structure=structure or card.structure,
        modality="DIC" if dic else card.modality,
        steps=options.steps,
        zoom=options.zoom,
        voxel_size_um=size,
        training=f"{card.training} The preparation was read from its train_options.json.{told}",
        limits=(*card.limits, *limits),
    )


def _voxel_size(zoom: tuple[float, ...] | None) -> tuple[tuple[float, ...] | None, str]:
    if zoom is None:
        return None, "Its options ask for no resizing, and the voxel size of its training is not known."
    plane = zoom[-2:]
    known = _KNOWN_FACTORS.get(plane[0]) if plane[0] == plane[1] and set(zoom[:-2]) <= {1.0} else None
    if known is None:
        return None, f"The voxel size of its training is not known: the factors {zoom} are no published ones."
    return (_PUBLISHED_UM,) * len(zoom), (
        f"The voxel size of {_PUBLISHED_UM} um was inferred from the published factor {plane[0]:g}, {known}"
        + (" and planes 0.29 um apart." if len(zoom) == 3 else ".")
    )
