"""What the OME-XML of a file says, read with care: it is written by strangers."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from xml.etree import ElementTree

from labelfree_core.errors import ImageError
from labelfree_core.images.layout import VoxelSize, to_um
from labelfree_core.images.text import plain_text

# Far above every instrument's files, far below what stops a machine.
_MOST_ELEMENTS = 300_000
_MOST_CHARACTERS = 64_000_000
_MOST_CHANNELS = 4096
_MOST_PLANES = 1_000_000


@dataclass(frozen=True, slots=True)
class OmeImage:
    """One ``Image`` element: planes along each axis, channels and voxel size."""

    sizes: dict[str, int]
    channel_names: tuple[str, ...]
    voxel_size_um: VoxelSize


@dataclass(frozen=True, slots=True)
class Ome:
    """The images of an OME-XML, and what this software wrote into its description."""

    images: tuple[OmeImage, ...] = ()
    provenance: dict[str, object] = field(default_factory=dict)


def parse_ome(xml: str, *, pages: int) -> Ome | None:
    """
    Read an OME-XML.

    Parameters
    ----------
    xml : str
        Text of the first page's description.
    pages : int
        How many pages the file has.

    Returns
    -------
    ome : Ome or None
        None where the text is no well-formed OME-XML.

    Raises
    ------
    ImageError
        If it declares entities, or claims more than any image holds.
    """
    _refuse_bombs(xml)
    try:
        root = ElementTree.fromstring(xml)
    except (ElementTree.ParseError, ValueError):
        return None
    images: list[OmeImage] = []
    provenance: dict[str, object] = {}
    for image in _children(root, "Image"):
        for text in _children(image, "Description"):
            provenance = provenance or parse_provenance(text.text or "")
        for pixels in _children(image, "Pixels"):
            images.append(_image(pixels, pages))
    _refuse_endless_modulo(root)
    return Ome(tuple(images), provenance)


def parse_provenance(text: str) -> dict[str, object]:
    """
    Return what this software wrote into a description; empty where somebody else wrote it.

    Examples
    --------
    >>> parse_provenance('{"labelfree": {"simulated": true}}')
    {'simulated': True}
    >>> parse_provenance("a microscope's own words")
    {}
    """
    if "labelfree" not in text:
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    inner = value.get("labelfree") if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


def _refuse_bombs(xml: str) -> None:
    head = xml[:100_000].upper()
    if "<!DOCTYPE" in head or "<!ENTITY" in xml.upper():
        raise ImageError(
            "The file's OME description declares entities, which no microscope writes; it will not be read. "
            "Open the image in Fiji and save it as a new TIFF."
        )
    elements = xml.count("<")
    if len(xml) > _MOST_CHARACTERS or elements > _MOST_ELEMENTS or xml.count("<Channel") > _MOST_CHANNELS:
        raise ImageError(
            f"The file's OME description has {elements} tags and {xml.count('<Channel')} channels; an image "
            "needs "
            f"far fewer (at most {_MOST_CHANNELS} channels). Open it in Fiji and save the channels you need."
        )


def _image(pixels: ElementTree.Element, pages: int) -> OmeImage:
    sizes = {axis: _whole(pixels.get(f"Size{axis}")) for axis in "TCZYX"}
    planes = math.prod(sizes[axis] for axis in "TCZ")
    claimed = 0
    for block in _children(pixels, "TiffData"):
        first, count = _whole(block.get("IFD", "0")), block.get("PlaneCount", block.get("NumPlanes"))
        number = _whole(count) if count is not None else (1 if block.get("IFD") else pages)
        claimed = max(claimed, first, number) + min(number, pages)
    if max(planes, claimed) > _MOST_PLANES or sizes["C"] > _MOST_CHANNELS:
        raise ImageError(
            f"The file's OME description claims {max(planes, claimed)} planes in {sizes['C']} channels, but "
            "the "
            f"file has {pages} pages; it is damaged or misleading. Export the image again from the "
            "microscope's "
            "software."
        )
    return OmeImage(sizes, _channel_names(pixels, sizes["C"]), _voxel_size(pixels))


def _channel_names(pixels: ElementTree.Element, count: int) -> tuple[str, ...]:
    names: list[str] = []
    for channel in _children(pixels, "Channel"):
        name = channel.get("Name") or channel.get("Fluor") or ""
        samples = max(1, _whole(channel.get("SamplesPerPixel", "1")))
        names += [plain_text(name)] * min(samples, count)
    return tuple(names[:count] + [""] * (count - len(names)))


def _voxel_size(pixels: ElementTree.Element) -> VoxelSize:
    sizes: dict[str, float | None] = {}
    unusable: list[str] = []
    for axis in "ZYX":
        text = pixels.get(f"PhysicalSize{axis}")
        unit = pixels.get(f"PhysicalSize{axis}Unit", "µm")
        sizes[axis] = to_um(text, unit) if text is not None else None
        if text is not None and sizes[axis] is None:
            unusable.append(plain_text(f"PhysicalSize{axis} = {text} {unit}", limit=60))
    source = "OME PhysicalSize" if any(sizes.values()) else "the OME description states no voxel size"
    if unusable:
        source += f"; {', '.join(unusable)} is no usable size"
    return VoxelSize(sizes["Z"], sizes["Y"], sizes["X"], source)


def _refuse_endless_modulo(root: ElementTree.Element) -> None:
    """Stop the library from counting the labels of a modulo axis by making them all."""
    for element in root.iter():
        if (
            isinstance(element.tag, str)
            and re.search(r"ModuloAlong[TCZ]$", element.tag)
            and "Start" in element.attrib
        ):
            try:
                start, stop, step = (float(element.get(k, "1")) for k in ("Start", "End", "Step"))
                count = (stop - start) / step
            except (ValueError, ZeroDivisionError):
                count = math.inf
            if not 0 <= count < _MOST_PLANES:
                raise ImageError(
                    "The file's OME description splits an axis into more parts than an image has; it is "
                    "damaged. "
                    "Export the image again from the microscope's software."
                )


def _children(element: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    """Children of that name in whatever version of the schema."""
    return [child for child in element if isinstance(child.tag, str) and child.tag.rsplit("}", 1)[-1] == name]


def _whole(text: str | None) -> int:
    try:
        return max(0, int((text or "0")[:20]))
    except ValueError:
        return 0
