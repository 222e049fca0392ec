"""
What a model file is, told from its bytes and never from its name.

Nothing is unpacked and nothing of the file is run here; a file that can't be a model is
refused with a sentence that says what it is.
"""

from __future__ import annotations

import zipfile
from enum import Enum
from pathlib import Path

from labelfree_core.errors import ModelError
from labelfree_core.models.files import reason

LARGEST_FILE_BYTES = 2_000_000_000
NEEDED = (
    "needed is a model.p of the published network, a .safetensors file of it, "
    "or a BioImage.IO package with such weights"
)
# The first pickle of every torch file from before version 1.6 is this number.
_TORCH_MAGIC = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
_MOST_MEMBERS = 5000
_HEAD = 1024


class Kind(Enum):
    """Files that are opened."""

    TORCH_ZIP = "torch file"
    TORCH_OLD = "torch file of the container before version 1.6"
    SAFETENSORS = "safetensors file"
    BIOIMAGEIO = "BioImage.IO package"


# What else people bring, by the first bytes.
_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras and TensorFlow save networks"),
    (b"GGUF", "a GGUF language model"),
    (b"\x1f\x8b", "a gzip archive; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive; unpack it first"),
    (b"Rar!", "a RAR archive; unpack it first"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself; fetch it with `git lfs pull`"),
    (b"II*\0", "a TIFF image"),
    (b"II+\0", "a TIFF image"),
    (b"MM\0*", "a TIFF image"),
    (b"MM\0+", "a TIFF image"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"%PDF", "a PDF document"),
)


def identify(path: Path) -> Kind:
    """
    Tell what kind of model file this is.

    Raises
    ------
    ModelError
        If it is none that is opened, saying what it is instead.
    """
    try:
        if not path.is_file():  # a pipe or a device would be read for ever
            raise ModelError(f"{path.name} is no file. Choose a model file that exists.")
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as problem:
        raise ModelError(
            f"{path.name} can't be read ({reason(problem)}). Choose a file that exists."
        ) from problem
    if size > LARGEST_FILE_BYTES:
        raise ModelError(
            f"{path.name} holds {size / 1e9:.1f} GB; model files of up to {LARGEST_FILE_BYTES / 1e9:.0f} GB "
            "are opened. Save the network without the rest."
        )
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _identify_zip(path)
    if head[:1] == b"\x80" and head[2 : 2 + len(_TORCH_MAGIC)] == _TORCH_MAGIC:
        return Kind.TORCH_OLD
    # Eight bytes of length, then the header in JSON.
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= size - 8:
        return Kind.SAFETENSORS
    raise refusal(path.name, _describe(head, path.name))


def refusal(name: str, what: str) -> ModelError:
    """Word the refusal of a file that is something else."""
    return ModelError(f"{name} is {what}; {NEEDED}.")


def checked_members(path: Path) -> dict[str, zipfile.ZipInfo]:
    """
    List a zip's members, if nothing about them can harm.

    Raises
    ------
    ModelError
        For names that leave their folder, passwords, members without end, or bombs.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError, EOFError) as problem:
        raise ModelError(
            f"{path.name} is a damaged zip file ({problem}). Download or export it again."
        ) from problem
    if len(members) > _MOST_MEMBERS:
        raise refusal(path.name, f"a zip file with {len(members)} members, more than a network has")
    for member in members:
        _check_member(member, path.name)
    total = sum(member.file_size for member in members)
    if total > LARGEST_FILE_BYTES:
        raise refusal(path.name, f"a zip file that unpacks to {total / 1e9:.1f} GB, far more than a network")
    return {member.filename: member for member in members}


def read_member(path: Path, member: zipfile.ZipInfo, *, most: int = LARGEST_FILE_BYTES) -> bytes:
    """Read one member of a zip into memory; never more bytes than the member claims."""
    if member.file_size > most:
        raise refusal(path.name, f"a zip file whose '{member.filename[:80]}' has {member.file_size:,} bytes")
    try:
        with zipfile.ZipFile(path) as archive, archive.open(member) as file:
            content = file.read(member.file_size + 1)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError, EOFError) as problem:
        raise ModelError(
            f"{path.name} is a damaged zip file ({problem}). Download or export it again."
        ) from problem
    if len(content) != member.file_size:
        raise ModelError(
            f"{path.name}: '{member.filename[:80]}' is not as long as it claims. Download it again."
        )
    return content


def _check_member(member: zipfile.ZipInfo, name: str) -> None:
    # ZipInfo has already turned the system's separator into "/".
    parts = member.filename.replace("\\", "/").split("/")
    if ".." in parts or parts[0] == "" or ":" in parts[0]:
        raise refusal(name, "a zip file with names that point outside of it, as no honest model has")
    if member.flag_bits & 1:
        raise refusal(name, "a zip file with a password; unpack it first")
    if member.file_size > 1_000_000 and member.file_size > 300 * max(member.compress_size, 1):
        raise refusal(name, f"a zip bomb ('{member.filename[:80]}' unpacks to {member.file_size:,} bytes)")


def _identify_zip(path: Path) -> Kind:
    members = checked_members(path)
    names = set(members)
    ends = {name.rsplit("/", 1)[-1] for name in names}
    if "rdf.yaml" in ends or "bioimageio.yaml" in ends:
        return Kind.BIOIMAGEIO
    if "constants.pkl" in ends or ("model.json" in ends and any("/code/" in name for name in names)):
        raise refusal(
            path.name,
            "a TorchScript program, which would run its author's code; save the network's state_dict()",
        )
    if "data.pkl" in ends:
        if any(member.compress_type != zipfile.ZIP_STORED for member in members.values()):
            raise refusal(path.name, "a torch file that was compressed, as torch never does; export it again")
        if sum(member.file_size for member in members.values()) > path.stat().st_size:
            raise refusal(path.name, "a torch file whose tensors claim more bytes than the file has")
        return Kind.TORCH_ZIP
    if "model.weights.h5" in ends:
        raise refusal(path.name, "a Keras network")
    if names and all(name.endswith(".npy") for name in names):
        raise refusal(path.name, "an archive of NumPy arrays")
    raise refusal(path.name, "a zip file that holds no model; if there is one inside, unpack it first")


def _describe(head: bytes, name: str) -> str:
    for start, what in _STARTS:
        if head.startswith(start):
            return what
    if not head:
        return "empty"
    if head[257:262] == b"ustar":
        return "a tar archive; unpack it first"
    if head[4:8] == b"TFL3":
        return "a TensorFlow Lite network"
    if head[:1] == b"\x80" and len(head) > 1 and head[1] <= 5:
        return (
            "a plain Python pickle, which would run its author's code when opened; "
            "save the network with torch.save(network.state_dict(), ...)"
        )
    # A protocol buffer whose first fields are the version and the name of the exporter.
    if (
        head[:1] == b"\x08"
        and len(head) > 3
        and head[1] <= 20
        and (head[2] == 0x12 or name.endswith(".onnx"))
    ):
        return "an ONNX network, whose layers can't be checked against the published ones"
    return _describe_text(head)


def _describe_text(head: bytes) -> str:
    start = head.lstrip()[:200].lower()
    if start.startswith((b"<!doctype", b"<html")):
        return "a web page, as servers send when a download link is dead"
    if start.startswith(b"{"):
        return "a JSON text; train_options.json goes beside the model.p and is read along with it"
    if b"\0" not in head:
        return "a text"
    return "no model file that is known, or a damaged one"
