"""How long a call of an implementation may take, and how much memory its worker may use."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

CALL_LIMIT = 120.0
"""Default limit for one call, in seconds; a correct one takes milliseconds, compiling a second."""

GIB = 1 << 30

LEAST_MEMORY = 2.0
"""Least default memory limit in GiB. The programs that XLA compiles for a correct layer in a whole
run take up to half of it."""

_CGROUP = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def fair_share(workers: int = 0) -> int:
    """Return the default memory limit of a worker in bytes.

    It is half of the machine's memory (or of the container's limit), divided by the number of
    processes that judge, but at least ``LEAST_MEMORY``.

    Args:
        workers: How many processes judge; 0 for the number of pytest-xdist workers.
    """
    workers = workers or int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return max(round(LEAST_MEMORY * GIB), machine_memory() // (2 * workers))


def machine_memory() -> int:
    """Return the bytes of memory that all processes may use together; 0 if unknown."""
    known = [_read_number(path) for path in _CGROUP]
    if {"SC_PHYS_PAGES", "SC_PAGE_SIZE"} <= os.sysconf_names.keys():
        known.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min((number for number in known if number > 0), default=0)


def free_memory() -> int:
    """Return the bytes of memory that are free, in a container those of it; 0 if unknown."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii")
        available = 1024 * int(lines.partition("MemAvailable:")[2].split()[0])
    except (OSError, IndexError, ValueError):
        return 0
    limit, used = _read_number(_CGROUP[0]), _read_number(_CGROUP[0].with_name("memory.current"))
    return min(available, max(1, limit - used)) if limit else available


def resident(process: int) -> int:
    """Return the resident memory of a process in bytes; 0 if unknown.

    The size of its address space would say little: frameworks reserve far more than they use.
    """
    try:
        pages = Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def peak_resident(process: int) -> int:
    """Return the largest resident memory that a process has had, in bytes; 0 if unknown."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace")
        return 1024 * int(status.partition("VmHWM:")[2].split()[0])
    except (OSError, IndexError, ValueError):
        return 0


def resident_of_group(leader: int) -> int:
    """Return the resident memory of the processes of a group, in bytes; 0 if unknown."""
    found = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        if int(fields[2]) == leader:
            found += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    return found


@dataclass(frozen=True, slots=True)
class Limits:
    """What a worker may use.

    Attributes:
        seconds: For a single call.
        memory: In bytes, beyond what the process used before its first request.
        ends: When nothing is waited for any more, in seconds since 1970; None for no limit.
    """

    seconds: float = CALL_LIMIT
    memory: int = field(default_factory=fair_share)
    ends: float | None = None

    @property
    def time_is_up(self) -> bool:
        """Whether nothing is waited for any more."""
        return self.ends is not None and time.time() > self.ends


def _read_number(path: Path) -> int:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0  # no such limit, or "max"
