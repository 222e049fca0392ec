"""How much memory is free, how much of it a prediction may take, and giving it back."""

from __future__ import annotations

import ctypes
import sys
from functools import lru_cache
from pathlib import Path

import psutil

from labelfree_core.settings import Settings

MIB = 2**20
# Fields of glibc's mallopt(3); the values are fixed by its ABI.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4


def free_memory(device: str = "cpu") -> int:
    """
    Bytes that a new computation could use on *device* without pushing anything out.

    Respects the limit of a container (cgroup v1 and v2), where the machine itself has more.
    """
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.mem_get_info()[0])
    available = int(psutil.virtual_memory().available)
    limits = [available, *(left for left in map(_cgroup_left, _cgroup_folders()) if left is not None)]
    return max(0, min(limits))


def budget(device: str = "cpu", memory_bytes: int | None = None, settings: Settings | None = None) -> int:
    """
    Bytes that one prediction may take beyond image and result.

    Parameters
    ----------
    device : str
        Where it runs.
    memory_bytes : int or None
        The person's own limit; it can't exceed what is free.
    settings : Settings or None
        The installation's limits; read from the environment if not given.
    """
    settings = settings or Settings.read()
    free = free_memory(device)
    allowed = int(free * settings.memory_share)
    if settings.memory_mib is not None:
        allowed = min(allowed, settings.memory_mib * MIB)
    return allowed if memory_bytes is None else min(memory_bytes, int(0.9 * free))


@lru_cache(maxsize=1)
def keep_large_buffers() -> bool:
    """
    Make glibc reuse large buffers, once a process; True where that is possible.

    A third of the processor time of an eager U-Net goes into mapping, zeroing and unmapping
    its activations. :func:`give_back` returns what is unused to the system afterwards.
    """
    libc = _glibc()
    if libc is None:
        return False
    done = (
        libc.mallopt(_MMAP_MAX, 0),
        libc.mallopt(_TRIM_THRESHOLD, 2**31 - 1),
        libc.mallopt(_TOP_PAD, 64 * MIB),
    )
    return all(done)


def give_back(device: str = "cpu") -> None:
    """Return unused memory of the allocators to the system or to other programs on the GPU."""
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)
    torch = sys.modules.get("torch")
    if torch is not None and device.startswith("cuda"):
        torch.cuda.empty_cache()
    if torch is not None and device.startswith("mps"):
        torch.mps.empty_cache()


@lru_cache(maxsize=1)
def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None


def _cgroup_folders() -> list[Path]:
    """Folders that may hold a memory limit for this process, innermost first."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    folders = []
    for line in lines:
        _, controllers, inside = line.split(":", 2)
        if controllers == "":
            folders += [Path("/sys/fs/cgroup") / inside.lstrip("/"), Path("/sys/fs/cgroup")]
        elif "memory" in controllers.split(","):
            root = Path("/sys/fs/cgroup/memory")
            folders += [root / inside.lstrip("/"), root]
    return folders


def _cgroup_left(folder: Path) -> int | None:
    """Bytes left under the limit in *folder*, None where there is no limit."""
    for limit_name, used_name in (
        ("memory.max", "memory.current"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        try:
            limit = int((folder / limit_name).read_text(encoding="utf-8"))
            used = int((folder / used_name).read_text(encoding="utf-8"))
        except (OSError, ValueError):  # no such file, or "max"
            continue
        if limit < 2**60:  # cgroup v1 writes a huge number for "no limit"
            return limit - used + _reclaimable(folder)
    return None


def _reclaimable(folder: Path) -> int:
    """File cache that the system gives up on request and still counts as used."""
    try:
        lines = (folder / "memory.stat").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    values = dict(line.split(maxsplit=1) for line in lines if " " in line)
    return int(values.get("total_inactive_file", values.get("inactive_file", 0)))
