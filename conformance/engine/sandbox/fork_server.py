"""The process that is forked for each worker: it has imported frameworks, and never a layer.

A fork is ready after 10 ms, a new interpreter that imports JAX after 700. One such process serves
all processes of a run. It starts no threads and computes nothing, because a fork has one thread.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import socket
import sys
import warnings
from contextlib import suppress
from multiprocessing.connection import Connection, wait

from conformance.engine.sandbox.confinement import MARK, hide_memory

NO_MARK = "0" * 16
"""The mark of the process that is forked, as long as that of any worker."""

LINE = b"line"
"""The request to serve another line, too. Any other request is the mark of a worker to fork."""

_LONGEST_REQUEST = 64

DESCRIPTORS = 5
"""Sent with the request for a fork: the standard streams, the heartbeat, and a pipe into which the
number of the process is written at its start, and its exit code at its end."""


class Lines:
    """Serves requests to fork, from any number of processes, until none of them is left.

    Args:
        first: The line of the process that has started this one.
    """

    def __init__(self, first: socket.socket) -> None:
        self._lines = [first]
        self._workers: dict[int, Connection] = {}
        self._ended, wakeup = os.pipe()
        os.set_blocking(wakeup, False)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> None:
        """Fork workers, and report their ends."""
        while self._lines:
            for ready in wait([self._ended, *self._lines]):
                if isinstance(ready, int):
                    os.read(ready, 1 << 10)
                    self._report()
                elif isinstance(ready, socket.socket):
                    self._answer(ready)

    def _answer(self, line: socket.socket) -> None:
        """Serve one request of a line, or its end."""
        request, descriptors, *_ = socket.recv_fds(line, _LONGEST_REQUEST, DESCRIPTORS)
        if not request:
            self._lines.remove(line)
            line.close()
        elif request == LINE:
            self._lines.append(socket.socket(fileno=descriptors[0]))
        else:
            self._fork(request.decode(), *descriptors)

    def _fork(self, mark: str, *descriptors: int) -> None:
        *streams, heartbeat, status = descriptors
        pid = os.fork()
        if pid == 0:
            _become_worker(mark, streams, heartbeat)
        for descriptor in (*streams, heartbeat):
            os.close(descriptor)
        self._workers[pid] = Connection(status, readable=False)
        self._tell(pid, pid)

    def _report(self) -> None:
        """Write the exit codes of workers that have ended."""
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG)) != (0, 0):
                self._tell(ended[0], os.waitstatus_to_exitcode(ended[1]))
                self._workers.pop(ended[0]).close()

    def _tell(self, pid: int, number: int) -> None:
        with suppress(OSError):  # nobody waits for it any more
            self._workers[pid].send(number)


def _become_worker(mark: str, streams: list[int], heartbeat: int) -> None:
    from conformance.engine.sandbox.worker import main  # noqa: PLC0415  is imported already

    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        _overwrite_mark(mark)
        hide_memory(hidden=False)  # as a process that was spawned
        for descriptor, standard in zip(streams, range(3), strict=True):
            os.dup2(descriptor, standard)
        _close_all_but(heartbeat)
        main(heartbeat)
    finally:
        os._exit(1)  # main ends the process, unless it fails


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
        ctypes.memmove(place, mark.encode(), min(len(mark), len(NO_MARK)))
    os.environ[MARK] = mark  # for the processes that it starts


def _import_all() -> None:
    """Import frameworks, and what a worker needs."""
    import flax.nnx  # noqa: F401, PLC0415
    import jax  # noqa: F401, PLC0415

    import conformance.adapters.resolve  # noqa: PLC0415
    import conformance.engine.sandbox.worker  # noqa: F401, PLC0415

    warnings.filterwarnings("ignore", message=".*os.fork")  # of JAX, about threads


if __name__ == "__main__":
    hide_memory()  # what is forked for one implementation must not reach the next
    _import_all()
    Lines(socket.socket(fileno=int(sys.argv[1]))).serve()
