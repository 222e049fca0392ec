"""From an upload, a sample or a folder to an open image with everything proposed that can be."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path
from typing import BinaryIO

from labelfree_core.errors import ImageError
from labelfree_core.images import samples
from labelfree_core.images.proposal import propose
from labelfree_core.images.reading import ImageFile, open_image
from labelfree_core.images.voxelsize import plausible
from labelfree_core.settings import Settings
from pages.components import room
from pages.components.session import Kind, Opened, Session

# Enough of the person's own file name for the reader to see the format.
LONGEST_SUFFIX = 12
OTHER_STAIN = "another stain"
SEGMENTATION = "segmentation"
OF_SEGMENTATION = "(segmentation)"


def open_path(work: Session, path: Path, name: str, *, sample: str = "") -> Opened:
    """
    Open a file by its headers, and take its proposals, or what this person said about the like before.

    Raises
    ------
    ImageError
        If it can't be read, or takes more memory than one person is allowed.
    """
    file = open_image(path, name=name)
    found = propose(file)
    stains = tuple(stain_of(role.role, role.structure) for role in found.roles)
    stains = _named(stains, sample)
    transmitted = found.transmitted_channel.value
    size = found.voxel_size_um.value
    axes, recalled, light = str(found.axes.value), False, ""
    known = work.remembered.get(Kind.of(file))
    if known is not None and _channels(file, known.axes) == len(known.stains):
        recalled = known != (axes, transmitted, stains, light)
        axes, transmitted, stains, light = known
        if axes != found.axes.value:
            size = file.voxel_size_um.for_axes("ZYX"[-_size_axes(file, axes) :])
    typed = work.remembered_sizes.get(Kind.of(file))
    again = typed is not None and _lacks_size(file, axes) and len(typed) == _size_axes(file, axes)
    opened = Opened(
        file=file,
        digest=file.sha256,
        axes=axes,
        proposal=found,
        transmitted=transmitted if isinstance(transmitted, int) else None,
        stains=stains,
        voxel_size_um=typed if again else size if isinstance(size, tuple) else None,
        sample=sample,
        recalled=recalled,
        size_recalled=again,
        light=light,
    )
    room.check(opened)
    return opened


def _size_axes(file: ImageFile, axes: str) -> int:
    """Count the axes that have a size: three in a z-stack."""
    return 3 if dict(zip(axes, file.shape, strict=True)).get("Z", 1) > 1 else 2


def _lacks_size(file: ImageFile, axes: str) -> bool:
    """Whether a file gives no voxel size, or one that can hardly be."""
    stated = file.voxel_size_um.for_axes("ZYX"[-_size_axes(file, axes) :])
    return stated is None or bool(plausible(stated))


def _channels(file: ImageFile, axes: str) -> int:
    """Count the channels of a file as a person reads its axes."""
    sizes = dict(zip(axes, file.shape, strict=False))
    return sizes.get("C", sizes.get("S", 1))


def store_upload(work: Session, upload: BinaryIO, name: str) -> Path:
    """
    Write an upload into the session's own folder, so that memory need not hold it.

    Raises
    ------
    ImageError
        If the disk is full, or this person has stored as much as the server allows one.
    """
    _check_room(work, upload)
    suffixes = "".join(Path(name).suffixes[-2:])[-LONGEST_SUFFIX:]
    path = work.path / f"{secrets.token_hex(8)}{suffixes if suffixes.isascii() else ''}"
    try:
        with path.open("xb") as target:
            shutil.copyfileobj(upload, target, 1 << 20)
    except OSError as problem:
        path.unlink(missing_ok=True)
        raise ImageError(
            f"The computer can't keep this file ({problem.strerror or 'the disk may be full'}). Free some "
            "disk space, or ask the owner of the server to, and try again."
        ) from problem
    return path


def _check_room(work: Session, upload: BinaryIO) -> None:
    stored = sum(path.stat().st_size for path in work.path.rglob("*") if path.is_file())
    size = upload.seek(0, os.SEEK_END)
    upload.seek(0)
    allowed = Settings.read().uploads_mib * 2**20
    if stored + size > allowed:
        raise ImageError(
            f"This file has {size / 1e6:.0f} MB and {stored / 1e6:.0f} MB of yours are stored already; this "
            f"server allows one person {allowed / 1e6:.0f} MB. Save what you need and begin anew in a new "
            "tab, or crop the image."
        )


def open_upload(work: Session, upload: BinaryIO, name: str) -> Opened:
    """Store an upload and open it; a file that is no image leaves nothing behind."""
    path = store_upload(work, upload, name)
    try:
        return open_path(work, path, name)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def open_sample(work: Session, sample: str) -> None:
    """Make a shipped sample the open image."""
    for known in samples.samples():
        if known.id == sample:
            work.show(open_path(work, known.path, known.path.name, sample=known.id))
            return
    names = ", ".join(known.id for known in samples.samples())
    raise ImageError(f"There is no sample '{sample[:80]}'; there are {names}. Pick one on the Start page.")


def _named(stains: tuple[str, ...], sample: str) -> tuple[str, ...]:
    """Name the stains of a shipped sample from its list, where the channel's name doesn't."""
    known = next((each.structures for each in samples.samples() if each.id == sample), ())
    rest = [structure for structure in known if structure not in stains]
    return tuple(rest.pop(0) if stain == OTHER_STAIN and rest else stain for stain in stains)


def stain_of(role: str, structure: str) -> str:
    """Word for what a channel shows, as the pages keep it; empty where it is no stain."""
    if role == "stain":
        return structure or OTHER_STAIN
    if role == "segmentation":
        return f"{structure} {OF_SEGMENTATION}" if structure else SEGMENTATION
    return ""
