"""Bounded memory of a test process."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

MAX_RESIDENT = 900 * 2**20
"""Bytes at which compiled programs are dropped; a fresh process has some 250 MiB."""

_STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Return the resident memory of this process; 0 where it cannot be read."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def release_programs() -> None:
    """Drop JAX's compiled and traced functions, and return the memory to the system.

    The programs are on disk as well, so a test that needs one again reads it from there.
    """
    jax = sys.modules.get("jax")
    if jax is not None:
        jax.clear_caches()
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)


@pytest.fixture(autouse=True)
def bounded_memory() -> Iterator[None]:
    """Release compiled programs after a test if the process has become large."""
    yield
    if resident_bytes() > MAX_RESIDENT:
        release_programs()
