"""Starts the processes of this suite: new interpreters, or forks of one that has imported enough.

There are two that are forked. That of ``multiprocessing`` has imported what judges, and no
framework: the processes that judge and that diagnose are forks of it. The other has imported
frameworks, for the workers of all of them (``fork_server.py``).
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import forkserver, util
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, SpawnContext
from types import ModuleType
from typing import Any, Protocol

from conformance.engine.jax_runtime import offer_host_devices, remember_compilations
from conformance.engine.sandbox.confinement import (
    IS_LINUX,
    OURS,
    SAFE_PATH,
    command_of,
    environment,
    worker_command,
)
from conformance.engine.sandbox.fork_server import LINE, NO_MARK

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
    """A process that was forked; the one that was forked waits for it, and writes its exit code."""

    def __init__(self, pid: int, status: Connection) -> None:
        self.pid, self._status = pid, status
        self._code: int | None = None

    def wait(self, timeout: float) -> int | None:
        if self._code is None and self._status.poll(timeout):
            with self._status:
                try:
                    self._code = self._status.recv()
                except EOFError:
                    self._code = -signal.SIGKILL  # with the process that was forked all forks end
        return self._code


class _Line:
    """The line to the process that is forked, which is started unless a line was handed over."""

    def __init__(self) -> None:
        self._line: socket.socket | None = None

    def get(self) -> socket.socket:
        if self._line is None:
            self._line, theirs = _packets()
            remember_compilations()
            offer_host_devices()
            process = subprocess.Popen(  # noqa: S603  this suite
                [*command_of("conformance.engine.sandbox.fork_server"), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env=environment(NO_MARK),
                start_new_session=True,
            )
            theirs.close()
            atexit.register(_end, process, self._line)
        return self._line

    def take(self, line: socket.socket | None) -> None:
        self._line = line


def _end(process: subprocess.Popen[bytes], line: socket.socket) -> None:
    line.close()
    process.kill()
    process.wait()


_LINE = _Line()


def _packets() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


@contextmanager
def line_for_another() -> Iterator[socket.socket | None]:
    """Yield what another process of this suite needs to fork workers; None where none is forked.

    It is an argument of the process, which gives it to ``fork_by``.
    """
    if not IS_LINUX:
        yield None
        return
    ours, theirs = _packets()
    with ours, theirs:
        socket.send_fds(_LINE.get(), [LINE], [theirs.fileno()])
        yield ours


def fork_by(line: socket.socket | None) -> None:
    """Let workers of this process be forked by the process that another one has started."""
    _LINE.take(line)


def fork(errors: int, heartbeat: int, mark: str) -> Started:
    """Start a worker in a fork of the process that has imported JAX."""
    requests, writing = os.pipe()
    reading, replies = os.pipe()
    status, theirs = multiprocessing.Pipe(duplex=False)
    ends = (requests, replies, errors, heartbeat, theirs.fileno())
    try:
        with theirs:
            socket.send_fds(_LINE.get(), [mark.encode()], ends)
        process = _Forked(status.recv(), status)
    except (OSError, EOFError):  # frameworks cannot be imported, as a new interpreter will say
        for unused in (reading, writing):
            os.close(unused)
        status.close()
        return spawn(errors, heartbeat, mark)
    finally:
        os.close(requests)
        os.close(replies)
    return Started(process, reading, writing)


start_quickly: Start = fork if IS_LINUX else spawn
"""Starts a worker in the quickest way that there is."""


def process_context(preloaded: str) -> ForkServerContext | SpawnContext:
    """Return the context that starts processes which judge or diagnose most quickly.

    On Linux they are forked, with the environment that this process had at the first call.
    Elsewhere frameworks do not expect to be forked.

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
    os.environ.setdefault(SAFE_PATH, OURS)
    try:
        forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ[SAFE_PATH]
    return context


def start_process(process: Any) -> None:
    """Start a process of ``multiprocessing`` where this one is now, without its main module.

    Otherwise the process would run the main module once more, and with it a script that calls
    ``conformance.judge`` outside of ``if __name__ == "__main__"``; and it would begin in the
    directory in which this one began.

    Args:
        process: A process of ``process_context``, not yet started.
    """
    module: Any = multiprocessing.process
    main, began_in = sys.modules["__main__"], module.ORIGINAL_DIR
    sys.modules["__main__"] = ModuleType("__main__")
    module.ORIGINAL_DIR = os.getcwd()  # noqa: PTH109  a text there
    try:
        process.start()
    finally:
        sys.modules["__main__"] = main
        module.ORIGINAL_DIR = began_in


def _choose_short_directory() -> None:
    """Let ``multiprocessing`` put its socket into /tmp if the path in $TMPDIR would be too long."""
    before = tempfile.gettempdir()
    if len(before) > _LONGEST:
        tempfile.tempdir = "/tmp"  # noqa: S108  a new directory is made there
    try:
        util.get_temp_dir()
    finally:
        tempfile.tempdir = before
