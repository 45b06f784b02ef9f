"""One command as a separate process, measured by the operating system."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_ADOPT_ORPHANS = 36
"""PR_SET_CHILD_SUBREAPER of Linux."""


class Measured(NamedTuple):
    """Seconds on the clock, processor seconds and peak MB with children, and what was printed."""

    wall: float
    cpu: float
    memory: float
    text: str


def measure_command(command: list[str], cache: Path) -> Measured:
    """Run a command that keeps its compiled programs below ``cache``; leave if it fails.

    A violation is a result of ``conformance``, and exit code 1 of anything else an error.
    """
    environment = os.environ | {"XDG_CACHE_HOME": str(cache)}
    with tempfile.TemporaryFile("w+") as output:
        started = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        usages = []
        for pid, status, usage in _wait_for_all():
            usages.append(usage)
            if pid == process.pid:
                wall = time.perf_counter() - started
                process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode not in ({0, 1} if command[1:3] == ["-m", "conformance"] else {0}):
        sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{text}")
    cpu = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    return Measured(wall, cpu, max(usage.ru_maxrss for usage in usages) / 1024, text)


def _wait_for_all() -> Iterator[tuple[int, int, resource.struct_rusage]]:
    """Yield how each child ended, and on Linux each process that a child has left behind.

    Those that judge are forked by a process that ends after the command.
    """
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_ADOPT_ORPHANS, 1, 0, 0, 0)
    with suppress(ChildProcessError):
        while True:
            yield os.wait4(-1, 0)


def wait_for_orphans() -> None:
    """Wait for all processes that earlier children have left behind."""
    for _ in _wait_for_all():
        pass


def machine() -> str:
    """Return what the figures were taken on."""
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
