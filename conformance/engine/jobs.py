"""How many processes judge, where the user leaves that open."""

from __future__ import annotations

import os
from math import ceil
from pathlib import Path

from conformance.engine.sandbox.limits import free_memory

MEMORY_OF_ONE = 900 << 20
"""Bytes that one process that judges and its worker may take together."""

PAIRS_FOR_ONE = 12
"""Pairs of a requirement and an implementation, for fewer of which another process does not pay: it
compiles many of the same programs again."""

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def choose_jobs(jobs: str, pairs: int) -> int:
    """Return the number of processes that judge.

    Args:
        jobs: A number, or ``auto``.
        pairs: How many pairs there are to judge.
    """
    wanted = jobs_for(pairs, cores(), free_memory()) if jobs == "auto" else int(jobs)
    return max(1, min(wanted, pairs))


def jobs_for(pairs: int, cores: int, memory: int) -> int:
    """Return how many processes can work side by side and pay.

    Args:
        pairs: How many pairs there are to judge.
        cores: The number of cores.
        memory: Bytes that are free, half of which may be taken; 0 if unknown.
    """
    fitting = memory // 2 // MEMORY_OF_ONE if memory else cores
    return max(1, min(cores, fitting, ceil(pairs / PAIRS_FOR_ONE)))


def cores() -> int:
    """Return the number of cores that this process may use, also in a container."""
    if hasattr(os, "sched_getaffinity"):
        found = len(os.sched_getaffinity(0))
    else:
        found = os.cpu_count() or 1
    try:
        quota, period = _QUOTA.read_text(encoding="ascii").split()
        return max(1, min(found, ceil(int(quota) / int(period))))
    except (OSError, ValueError):
        return found  # no quota, or "max"
