"""How many visitors there is room for: what the host says, or what the memory at hand holds."""

from __future__ import annotations

import logging
import os
from pathlib import Path

_logger = logging.getLogger(__name__)

# Where nothing is known of the memory.
DEFAULT_MAX_VISITORS = 20
# MB: of a session with its photos, forked or started (26 and 94 after six answers, measured), and of a server
# with what it keeps ready.
_FORKED, _STARTED, _SERVER = 45, 110, 300
# More than 100 at once were not tried.
_MOST = 100


def read_max_visitors(*, forks: bool = False) -> int:
    """Return ``FASTCLF_MAX_VISITORS``, or as many as the memory holds where it is not a number above 0."""
    value = os.environ.get("FASTCLF_MAX_VISITORS", "")
    if value.strip().isdecimal() and int(value) > 0:
        return int(value)
    places = count_places(read_free_megabytes(), forks=forks)
    if value:
        _logger.warning(
            "FASTCLF_MAX_VISITORS is %r, which is no number above 0; %d are let in.", value, places
        )
    return places


def count_places(megabytes: float | None, *, forks: bool) -> int:
    """Return how many visitors a memory holds, one to a hundred; 20 where it is unknown."""
    if megabytes is None:
        return DEFAULT_MAX_VISITORS
    return max(1, min(_MOST, int((megabytes - _SERVER) / (_FORKED if forks else _STARTED))))


def read_free_megabytes(root: Path = Path("/")) -> float | None:
    """Return what a process may still take, by the machine and by its control group; None if nobody says."""
    found = [_read_available(root), *_read_group(root)]
    known = [number for number in found if number is not None]
    return min(known) / 2**20 if known else None


def _read_available(root: Path) -> float | None:
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
        return next(1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        return None


def _read_group(root: Path) -> list[float | None]:
    """Return what is left of the limits of a container, in the two ways that Linux has had."""
    group = root / "sys/fs/cgroup"
    files = (
        ("memory.max", "memory.current", "memory.stat"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),
    )
    return [_read_left(*(group / name for name in names)) for names in files]


def _read_left(limit: Path, used: Path, details: Path) -> float | None:
    try:
        # files that were read are kept as long as nobody needs the memory
        cached = [line.split() for line in details.read_text().splitlines()]
        idle = next((int(n) for name, n in cached if name in ("inactive_file", "total_inactive_file")), 0)
        return float(int(limit.read_text()) - int(used.read_text()) + idle)
    except (OSError, ValueError):
        return None  # there is no such group, or "max"
