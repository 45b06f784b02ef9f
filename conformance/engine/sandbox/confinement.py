"""What a worker is denied and what ends with it, where the system allows it without privileges."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

MARK = "CONFORMANCE_WORKER"
"""The environment variable by which the processes that a worker has started are recognized."""

SAFE_PATH, OURS = "PYTHONSAFEPATH", "conformance"
"""The variable that keeps the working folder off ``sys.path``, and the value set here."""

IS_LINUX = sys.platform.startswith("linux")
"""Whether there are prctl, /proc and frameworks that can be forked."""
_DEATH_SIGNAL, _SET_DUMPABLE, _DROP_FROM_BOUNDING_SET, _NO_NEW_PRIVILEGES = 1, 4, 24, 38
"""Options of prctl."""

_CAPABILITIES = (16, 17, 19, 21)
"""What a worker of root does without: modules of the kernel, raw memory, ptrace, administration."""

_VERSION_3 = 0x20080522
"""Of the structures of capget and capset."""

_ROUNDS = 20
"""How often to look again for processes that were being started while others were killed."""

_ROOT = str(Path(__file__).parents[3])
"""The folder of the suite's packages."""

_START = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); import conformance; del sys.path[0]; "
    "from runpy import run_module; run_module(sys.argv.pop(1), None, '__main__', True)"
)


def command_of(module: str) -> list[str]:
    """Return the command that runs a module of this suite, whatever is in the working folder."""
    return [sys.executable, "-P", "-c", _START, _ROOT, module]


def worker_command(interpreter: str = "") -> list[str]:
    """Return the command that runs a worker; its heartbeat is to be added.

    Args:
        interpreter: That of another environment, which needs no package of this one; empty for
            this interpreter.
    """
    if not interpreter:
        return command_of("conformance.engine.sandbox")
    script = str(Path(__file__).with_name("other_environment.py"))
    return [interpreter, "-P", script, _ROOT, _metadata()]


def _metadata() -> str:
    """Return the folder with the metadata of this suite, which has the registered names."""
    try:
        found = [each for each in files("batchnorm-conformance") or () if each.name == "METADATA"]
    except PackageNotFoundError:
        return ""
    return str(Path(str(found[0].locate())).parent) if found else ""


def environment(mark: str) -> dict[str, str]:
    """Return the environment of a worker, which is that of the user and a mark."""
    found = os.environ | {MARK: mark}
    if found.get(SAFE_PATH) == OURS:
        del found[SAFE_PATH]  # meant for the processes that judge, not for what a layer starts
    return found


def hide_memory(*, hidden: bool = True) -> None:
    """Let no other process of the same user read or write the memory of this one, or let them."""
    _prctl(_SET_DUMPABLE, int(not hidden))


def die_with_parent() -> None:
    """Ask Linux to kill this process with its parent; elsewhere the end of its input ends it."""
    _prctl(_DEATH_SIGNAL, signal.SIGKILL)


def drop_privileges() -> None:
    """Give up, for this process and all that it starts, what opens the memory of others."""
    _prctl(_NO_NEW_PRIVILEGES, 1)
    if not IS_LINUX or os.geteuid() != 0:
        return
    for capability in _CAPABILITIES:
        _prctl(_DROP_FROM_BOUNDING_SET, capability)
    libc, head = ctypes.CDLL(None), (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted and inheritable, in two halves
    if libc.capget(head, sets) == 0:
        kept = ~sum(1 << capability for capability in _CAPABILITIES) & 0xFFFFFFFF
        sets[:3] = [bits & kept for bits in sets[:3]]
        libc.capset(head, sets)


def _prctl(option: int, value: int) -> Any:
    if IS_LINUX:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def kill_group(leader: int, mark: str) -> None:
    """Kill a worker, its process group, and on Linux every process that inherited its mark.

    Args:
        leader: The worker, which leads its process group.
        mark: The value of ``MARK`` in the environment that it was started with.
    """
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
    for _ in range(_ROUNDS):
        found = _marked(f"{MARK}={mark}".encode())
        if not found:
            return
        for process in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.01)


def _marked(mark: bytes) -> list[int]:
    """Return the processes whose environment contains a text; none where there is no ``/proc``."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found
