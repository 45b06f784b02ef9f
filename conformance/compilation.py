"""Keeping compiled programs between runs and between workers."""

from __future__ import annotations

import os
from pathlib import Path


def cache_directory() -> Path:
    """Return where the suite keeps what can be made again, following the XDG convention."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "batchnorm-conformance"


def remember_compilations() -> None:
    """Turn on JAX's persistent compilation cache, unless the user has set it up.

    Nearly all of a cold run is spent compiling small programs, so both thresholds of the
    cache are zero. Must run before jax is imported, because jax reads these variables then.
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    directory = cache_directory() / "xla"
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # a home that cannot be written to costs time, not the answer
    os.environ |= {
        "JAX_COMPILATION_CACHE_DIR": str(directory),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
    }
