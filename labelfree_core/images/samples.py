"""Sample images: those that ship, and real ones that are free to download from their own sources."""

from __future__ import annotations

import hashlib
import http.client
import secrets
import tomllib
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from labelfree_core.errors import ImageError
from labelfree_core.images.text import file_name

_FOLDER = Path(__file__).resolve().parent.parent / "samples"
_SECONDS = 30.0
_WORDS = ("id", "title", "sentence", "url", "source", "licence", "sha256")
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Sample:
    """
    An image that ships.

    ``id`` names it in addresses and on the command line, ``structures`` are the stains it carries
    beside the transmitted light, ``simulated`` says that no microscope took it, ``hard`` that models
    are known to fail on part of it.
    """

    id: str
    path: Path
    title: str
    sentence: str
    structures: tuple[str, ...] = ()
    simulated: bool = True
    hard: bool = False


@dataclass(frozen=True, slots=True)
class PublicSample:
    """A real image at its public source; ``size`` is in bytes, ``sha256`` of the whole file."""

    id: str
    title: str
    sentence: str
    url: str
    source: str
    licence: str
    size: int
    sha256: str


def samples(folder: Path | None = None) -> tuple[Sample, ...]:
    """
    List the images that ship, as ``samples.toml`` beside them describes them.

    Parameters
    ----------
    folder : Path or None
        None for the folder of this installation.

    Raises
    ------
    ImageError
        If the list can't be understood.
    """
    folder = _FOLDER if folder is None else folder
    found = []
    for entry in _entries(folder / "samples.toml", "sample"):
        path = folder / file_name(_text(entry, "file"))
        if path.is_file():
            structures = entry.get("structures", [])
            found.append(
                Sample(
                    id=path.name.split(".")[0],
                    path=path,
                    title=_text(entry, "title"),
                    sentence=_text(entry, "sentence"),
                    structures=tuple(str(s) for s in structures) if isinstance(structures, list) else (),
                    simulated=entry.get("simulated", True) is not False,
                    hard=entry.get("hard", False) is True,
                )
            )
    return tuple(found)


def public_samples(folder: Path | None = None) -> tuple[PublicSample, ...]:
    """
    List real images that anybody may fetch from their own sources; nothing is fetched here.

    Raises
    ------
    ImageError
        If the list can't be understood.
    """
    folder = _FOLDER if folder is None else folder
    return tuple(
        PublicSample(
            size=size if isinstance(size := entry.get("size"), int) else 0,
            **{
                key: _text(entry, key)
                for key in ("id", "title", "sentence", "url", "source", "licence", "sha256")
            },
        )
        for entry in _entries(folder / "public.toml", "sample")
    )


def fetch(sample: PublicSample, folder: str | Path, *, url: str | None = None) -> Path:
    """
    Download a public image, check it against its hash, and keep it.

    Parameters
    ----------
    sample : PublicSample
    folder : str or Path
        Where to keep it; a file that is there already and has the right hash is not fetched again.
    url : str or None
        Another place of the same file, e.g. a mirror inside the house.

    Returns
    -------
    path : Path

    Raises
    ------
    ImageError
        If there is no connection, or what comes is not the file that was promised.
    """
    address = sample.url if url is None else url
    if not address.startswith(("http://", "https://")):
        raise ImageError(f"{sample.title} can't be fetched from '{file_name(address)}'; give a web address.")
    target = Path(folder) / file_name(sample.url)
    if target.is_file() and _hash(target) == sample.sha256:
        return target
    part = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = _download(address, part, most=sample.size)
        if digest != sample.sha256:
            raise ImageError(
                f"What came for {sample.title} is not the file that was promised (its hash differs), so it "
                "was "
                f"deleted. It may have changed at its source, {sample.source}; look there."
            )
        part.replace(target)
    except (OSError, urllib.error.URLError, http.client.HTTPException) as problem:
        raise ImageError(
            f"{sample.title} can't be fetched: no answer from its source, or no room to keep it. Check the "
            "internet "
            "connection and try again, or open one of the samples that ship."
        ) from problem
    finally:
        part.unlink(missing_ok=True)
    return target


def _download(address: str, part: Path, *, most: int) -> str:
    """Store what an address gives, at most *most* bytes, and return its hash."""
    digest, count = hashlib.sha256(), 0
    request = urllib.request.Request(address, headers={"User-Agent": "labelfree"})
    with urllib.request.urlopen(request, timeout=_SECONDS) as answer, part.open("xb") as file:
        while block := answer.read(_BLOCK):
            count += len(block)
            if count > most:
                break
            digest.update(block)
            file.write(block)
    return digest.hexdigest() if count <= most else ""


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _entries(path: Path, key: str) -> list[Mapping[str, object]]:
    if not path.is_file():
        return []
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get(key, [])
    except (OSError, ValueError) as problem:
        raise ImageError(
            f"The list of samples {path.name} can't be read ({problem}). Install again."
        ) from problem
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _text(entry: Mapping[str, object], key: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        raise ImageError(f"An entry of the list of samples has no text for '{key}'. Install again.")
    return value
