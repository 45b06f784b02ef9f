"""How long a call of one implementation may take, and how much memory its process may hold."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

CALL_LIMIT = 120.0
"""Seconds that a single call may take; a correct one takes milliseconds, compiling a second."""

GIB = 1 << 30

LEAST_MEMORY = 2.0
"""GiB. What XLA compiles for a correct layer in a whole run takes up to half of it."""

_CGROUP = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def fair_share() -> int:
    """Return half of the machine's memory in bytes, shared among the workers of pytest-xdist.

    At least ``LEAST_MEMORY``; the container's limit counts, where there is one.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return max(round(LEAST_MEMORY * GIB), machine_memory() // (2 * workers))


def machine_memory() -> int:
    """Return the bytes of memory that all processes may hold together, 0 if that is unknown."""
    known = [_number(path) for path in _CGROUP]
    if {"SC_PHYS_PAGES", "SC_PAGE_SIZE"} <= os.sysconf_names.keys():
        known.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min((number for number in known if number > 0), default=0)


def resident(process: int) -> int:
    """Return the bytes of memory that a process holds; 0 where the system does not tell.

    Not the size of its address space, of which frameworks reserve far more than they use.
    """
    try:
        pages = Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


@dataclass(frozen=True, slots=True)
class Limits:
    """What an implementation may take.

    ``seconds`` for a single call; ``memory`` in bytes, beyond what its process held before it
    was asked for anything.
    """

    seconds: float = CALL_LIMIT
    memory: int = field(default_factory=fair_share)


def _number(path: Path) -> int:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0  # no such limit, or "max"
