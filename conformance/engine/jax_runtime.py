"""Configures JAX: the compilation cache, host devices, and the release of programs."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any


def cache_directory() -> Path:
    """Return the directory of the suite's caches, by the XDG convention."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "batchnorm-conformance"


def _programs() -> Path:
    return cache_directory() / "xla"


def remember_compilations() -> None:
    """Turn on JAX's persistent compilation cache, unless the user has set it up.

    Nearly all of a cold run is spent compiling small programs, so both thresholds of the
    cache are zero. Must run before jax is imported, because jax reads these variables then.
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    directory = _programs()
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # a home that cannot be written to costs time, not the answer
    os.environ |= {
        "JAX_COMPILATION_CACHE_DIR": str(directory),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
    }


_REMEMBERING = {
    "jax_persistent_cache_min_compile_time_secs": 0.0,
    "jax_persistent_cache_min_entry_size_bytes": 0,
}


@contextmanager
def remembering_compilations() -> Iterator[None]:
    """Use the compilation cache for a while in a process that may have imported JAX already.

    Whatever the process does afterwards is compiled as it was before.
    """
    remember_compilations()
    jax: Any = sys.modules.get("jax")
    if jax is None or jax.config.jax_compilation_cache_dir:
        yield  # JAX reads the variables when it is imported, or has a cache
        return
    from jax.experimental.compilation_cache import compilation_cache  # noqa: PLC0415

    chosen = {"jax_compilation_cache_dir": str(_programs()), **_REMEMBERING}
    before = {name: getattr(jax.config, name) for name in chosen}
    try:
        for name, value in chosen.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()  # it may have found that there is none
        yield
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()


LIMIT = 256 * 2**20
"""Bytes that compiled programs may take between runs; a run of the default profile leaves 7 MB."""


def forget_old_compilations(limit: int = LIMIT) -> int:
    """Delete the programs used longest ago.

    JAX can bound its cache itself, but looks through all of it whenever it adds a program.

    Args:
        limit: Bytes that the rest may take.

    Returns:
        How many programs were deleted.
    """
    try:
        found = [(entry, entry.stat()) for entry in os.scandir(_programs()) if entry.is_file()]
    except OSError:
        return 0
    found.sort(key=lambda pair: max(pair[1].st_atime, pair[1].st_mtime))
    excess, deleted = sum(stat.st_size for _, stat in found) - limit, 0
    for entry, stat in found:
        if excess <= 0:
            break
        Path(entry.path).unlink(missing_ok=True)  # another run may have been faster
        excess -= stat.st_size
        deleted += 1
    return deleted


_MAPPINGS = Path("/proc/self/maps")
_MAPPINGS_ALLOWED = Path("/proc/sys/vm/max_map_count")


_PAUSE = 1.0
"""Seconds in which a process adds few mappings; counting them takes as long as some ten calls."""

_counted = -_PAUSE


def unload_programs_if_many(share: float = 0.4, pause: float = _PAUSE) -> bool:
    """Drop the compiled programs of this process if they use up the memory mappings.

    Each program takes some three memory mappings. A process that has judged hundreds of
    layers, or a few whose programs are large, runs into the limit: the next compilation fails for
    want of memory, for which the layer is not to blame, or ends the process.

    Args:
        share: The share of the mappings that Linux allows, from which on they are dropped.
        pause: Seconds after the last count in which they are not counted again.

    Returns:
        Whether they were dropped; other systems have no such limit.
    """
    global _counted  # noqa: PLW0603
    jax: Any = sys.modules.get("jax")
    if jax is None or time.monotonic() < _counted + pause:
        return False
    _counted = time.monotonic()
    try:
        allowed = int(_MAPPINGS_ALLOWED.read_text())
        taken = _MAPPINGS.read_bytes().count(b"\n")
    except (OSError, ValueError):
        return False
    if taken < share * allowed:
        return False
    jax.clear_caches()
    return True


HOST_DEVICES = 4
"""How many devices a host is presented as; on CPU they cost no time unless they are used."""

_FLAG = "xla_force_host_platform_device_count"


def offer_host_devices() -> None:
    """Let JAX present this host as several devices, unless the user has chosen a number.

    Must run before jax starts, because jax reads the variable then.
    """
    if _FLAG not in os.environ.get("XLA_FLAGS", ""):
        os.environ.setdefault("JAX_NUM_CPU_DEVICES", str(HOST_DEVICES))


def share_accelerators() -> None:
    """Let several processes use one accelerator: none is to take all of its memory at once.

    Must run before jax starts, because jax reads the variable then.
    """
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


_LOWERINGS = 64
"""How many programs are lowered in one context; it lives as long as any of them."""


def share_lowering_contexts() -> None:
    """Let JAX lower many programs in one MLIR context, instead of each in a context of its own.

    Making a context takes 2 ms, half of what a program costs that is in the compilation cache, and
    1 MB for as long as the program is there. JAX has no option for it, so a private function is
    replaced if it is there; what is lowered is the same. Only for processes of this suite.
    """
    try:
        from jax._src.interpreters import mlir  # noqa: PLC0415  imports jax

        make: Any = mlir.make_ir_context
    except (ImportError, AttributeError):
        return  # another version of JAX, which takes more time
    lowered, shared = count(), [make()]

    def make_ir_context() -> Any:
        if next(lowered) % _LOWERINGS == _LOWERINGS - 1:
            shared[0] = make()
        return shared[0]

    mlir.make_ir_context = make_ir_context


def keep_tracebacks_whole() -> None:
    """Leave JAX's own frames in the tracebacks of exceptions; removing them takes milliseconds.

    The suite reads of a traceback where the implementation raised, and a layer is to refuse many
    inputs. Only for processes of this suite.
    """
    import jax  # noqa: PLC0415

    jax.config.update("jax_traceback_filtering", "off")


_NEXT_PHASE = {
    "/jax/core/compile/jaxpr_trace_duration": 2,
    "/jax/core/compile/jaxpr_to_mlir_module_duration": 3,
    "/jax/core/compile/backend_compile_duration": 0,
}
"""What begins at the end of each step of compiling, by its place in the phases of a heartbeat."""


def report_phases(report: Callable[[int], None]) -> None:
    """Report whenever JAX has traced, lowered or compiled a program, and what it does next."""
    import jax  # noqa: PLC0415

    def listen(event: str, _: float, **__: object) -> None:
        if event in _NEXT_PHASE:
            report(_NEXT_PHASE[event])

    jax.monitoring.register_event_duration_secs_listener(listen)
