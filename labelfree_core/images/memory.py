"""How much memory an image may take."""

from __future__ import annotations

from pathlib import Path

_MOST_WITHOUT_KNOWLEDGE = 8_000_000_000


def free_bytes() -> int:
    """
    Memory that this process may still take: the machine's, or its container's where that is less.

    Where the system does not say (macOS, Windows), 8 GB.

    Examples
    --------
    >>> free_bytes() > 0
    True
    """
    free = _MOST_WITHOUT_KNOWLEDGE
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                free = int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        return free
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        used = Path("/sys/fs/cgroup/memory.current").read_text().strip()
    except OSError:
        return free
    return max(1, min(free, int(limit) - int(used))) if limit.isdigit() and used.isdigit() else free
