"""Starts the processes of this suite: new interpreters, or forks of one that has imported enough.

A fork is ready after 10 ms, a new interpreter that imports JAX after 700. A process that is forked
is a fork server of ``multiprocessing``: each process has at most one. That of a process which
judges has imported frameworks, for its workers, and never an implementation; that of a process
which distributes work has imported what judges, and no framework.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import resource
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import forkserver, reduction, util
from multiprocessing.context import ForkServerContext, SpawnContext
from typing import Any, Protocol

from conformance.engine.jax_runtime import offer_host_devices, remember_compilations
from conformance.engine.sandbox.confinement import (
    IS_LINUX,
    MARK,
    OURS,
    SAFE_PATH,
    environment,
    hide_memory,
    worker_command,
)

_FRAMEWORKS = "conformance.engine.sandbox.fork_imports"
"""What the process that is forked for a worker imports."""

_LONGEST = 60
"""Characters that the path of the directory for temporary files may have: that of a socket may have
108 on Linux, and 104 elsewhere."""


class ProcessHandle(Protocol):
    """A process that was started."""

    pid: int

    def wait(self, timeout: float) -> int | None:
        """Return the exit code, negative for a signal; None if the process has not ended."""


@dataclass(frozen=True, slots=True)
class Started:
    """A worker that was started, and this process's ends of the pipes to it.

    Attributes:
        process: The process.
        reading: The descriptor to read replies from.
        writing: The descriptor to write requests to.
    """

    process: ProcessHandle
    reading: int
    writing: int


Start = Callable[[int, int, str], Started]
"""Starts a worker, given the descriptors for its errors and its heartbeat, and its mark."""


class _Spawned:
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process, self.pid = process, process.pid

    def wait(self, timeout: float) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout)
        return None


def spawn(errors: int, heartbeat: int, mark: str, interpreter: str = "") -> Started:
    """Start a worker in a new interpreter, this one or that of another environment."""
    requests, writing = os.pipe()
    reading, replies = os.pipe()
    process = subprocess.Popen(  # noqa: S603  this suite
        [*worker_command(interpreter), str(heartbeat)],
        stdin=requests,
        stdout=replies,
        stderr=errors,
        pass_fds=(heartbeat,),
        env=environment(mark),
        start_new_session=True,
    )
    os.close(requests)
    os.close(replies)
    return Started(_Spawned(process), reading, writing)


class _Forked:
    def __init__(self, process: Any) -> None:
        self._process, self.pid = process, process.pid

    def wait(self, timeout: float) -> int | None:
        self._process.join(timeout)
        code: int | None = self._process.exitcode
        return code


def process_context(preloaded: str) -> ForkServerContext | SpawnContext:
    """Return the context that starts processes of this suite most quickly.

    On Linux it is that of the process that is forked, which is started if it does not run, with
    the environment that this process has now. Elsewhere frameworks do not expect to be forked.

    Args:
        preloaded: The module that the process imports before it is forked.
    """
    if not IS_LINUX:
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([preloaded])
    _choose_short_directory()
    remember_compilations()
    offer_host_devices()
    before = os.environ.get(SAFE_PATH)
    os.environ[MARK] = _NO_MARK  # which a worker overwrites
    os.environ.setdefault(SAFE_PATH, OURS)
    try:
        forkserver.ensure_running()
    finally:
        del os.environ[MARK]
        if before is None:
            del os.environ[SAFE_PATH]
    return context


def _choose_short_directory() -> None:
    """Let ``multiprocessing`` put its socket into /tmp if the path in $TMPDIR would be too long."""
    before = tempfile.gettempdir()
    if len(before) > _LONGEST:
        tempfile.tempdir = "/tmp"  # noqa: S108  a new directory is made there
    try:
        util.get_temp_dir()
    finally:
        tempfile.tempdir = before


def fork(errors: int, heartbeat: int, mark: str) -> Started:
    """Start a worker in a fork of the process that has imported JAX."""
    requests, writing = os.pipe()
    reading, replies = os.pipe()
    ends = tuple(map(_Descriptor, (requests, replies, errors, heartbeat)))
    process = process_context(_FRAMEWORKS).Process(
        target=_run,
        args=(mark, *ends),
        daemon=True,  # this process does not wait for it at its end
    )
    process.start()
    os.close(requests)
    os.close(replies)
    return Started(_Forked(process), reading, writing)


start_quickly: Start = fork if IS_LINUX else spawn
"""Starts a worker in the quickest way that there is."""


class _Descriptor:
    """A file descriptor, which is another number in the process that it is sent to."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __reduce__(self) -> tuple[Callable[..., int], tuple[Any]]:
        return _detach, (reduction.DupFd(self._number),)


def _detach(sent: Any) -> int:
    number: int = sent.detach()
    return number


_NO_MARK = "0" * 16
"""The mark of the process that is forked, as long as that of any worker."""


def _run(mark: str, requests: int, replies: int, errors: int, heartbeat: int) -> None:
    """Become a worker."""
    from conformance.engine.sandbox.worker import main  # noqa: PLC0415  is imported already

    os.setsid()
    _overwrite_mark(mark)
    hide_memory(hidden=False)  # as a process that was spawned
    for descriptor, standard in zip((requests, replies, errors), range(3), strict=True):
        os.dup2(descriptor, standard)
    _close_all_but(heartbeat)
    if os.environ.get(SAFE_PATH) == OURS:
        del os.environ[SAFE_PATH]
    main(heartbeat)


def _close_all_but(kept: int) -> None:
    """Close what belongs to the process that was forked, but the standard streams and one file."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    os.closerange(3, kept)
    os.closerange(kept + 1, most if most != resource.RLIM_INFINITY else 1 << 20)


def _overwrite_mark(mark: str) -> None:
    """Replace the mark where the system shows it, which is the environment as at the start."""
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_void_p
    if place := getenv(MARK.encode()):
        ctypes.memmove(place, mark.encode(), min(len(mark), len(_NO_MARK)))
    os.environ[MARK] = mark  # for the processes that it starts
