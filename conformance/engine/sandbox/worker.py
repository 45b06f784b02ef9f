"""The process in which one implementation is resolved and used, and nothing else happens.

The standard streams are not used as channels to the supervisor, so that the implementation
may print, read and close them.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

from conformance.adapters import call_hooks
from conformance.adapters.errors import AdapterError, describe
from conformance.engine.jax_runtime import offer_host_devices, remember_compilations
from conformance.engine.sandbox.global_state import GlobalStateSnapshot
from conformance.engine.sandbox.heartbeat import HeartbeatWriter
from conformance.engine.sandbox.messages import (
    EXIT_CHANNEL_CLOSED,
    Init,
    Reply,
    decode_request,
    encode,
)

if TYPE_CHECKING:
    from conformance.properties.support.subject import Subject

_ALLOCATIONS = 20_000
"""Between two collections of the youngest garbage. JAX and NNX make much of it and few cycles; with
the 700 of the interpreter, a seventh of the time goes into looking for them."""

_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of Linux."""


def main() -> None:
    """Serve requests until there are no more."""
    requests, replies = _take_standard_streams()
    _die_with_supervisor()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # left to the supervisor, which kills this process
    init = Init(**json.loads(requests.readline()))
    sys.path[:] = init.path
    remember_compilations()
    offer_host_devices()
    gc.set_threshold(_ALLOCATIONS, 10, 10)
    heartbeat = HeartbeatWriter(init.heartbeat)
    call_hooks.watch(heartbeat)
    Worker(init, heartbeat, replies).serve(requests)
    os._exit(0)  # without the implementation's own exit handlers


class Worker:
    """Resolves one implementation and calls the handlers of requests with it."""

    def __init__(self, init: Init, heartbeat: HeartbeatWriter, replies: IO[str]) -> None:
        self._init, self._heartbeat, self._replies = init, heartbeat, replies
        self._errors = os.dup(2)

    def serve(self, requests: IO[str]) -> None:
        """Reply to the init message, then to each request."""
        import conformance.engine.judge  # noqa: PLC0415, F401  before the import limit applies

        state = GlobalStateSnapshot()
        subject = self._resolve()
        if subject is None:
            return
        self._send(Reply(result=subject.implementation.kind, effects=state.take_changes()))
        for line in requests:
            self._heartbeat.begin()
            os.ftruncate(self._errors, 0)  # keep no more than one request writes
            result, raised = None, ""
            try:
                handler, arguments = decode_request(line)
                result = handler(subject, **arguments)
            except BaseException as error:  # noqa: BLE001  interrupts raised by the implementation
                raised = describe(error)
            self._send(Reply(result=result, raised=raised, effects=state.take_changes()))

    def _resolve(self) -> Subject | None:
        from conformance.adapters.resolve import resolve  # noqa: PLC0415  imports frameworks
        from conformance.properties.support.subject import Subject  # noqa: PLC0415

        name = self._init.implementation
        self._heartbeat.operation("importing it")
        try:
            return Subject(resolve(name).read(strictly=self._init.strictly))
        except AdapterError as error:
            self._send(Reply(refusal=str(error)))
        except BaseException as error:  # noqa: BLE001  whatever the implementation raises
            self._send(Reply(refusal=f"{name} cannot be resolved: {describe(error)}"))
        return None

    def _send(self, reply: Reply) -> None:
        try:
            self._replies.write(encode(reply))
            self._replies.flush()
        except OSError:
            os._exit(EXIT_CHANNEL_CLOSED)


def _take_standard_streams() -> tuple[IO[str], IO[str]]:
    """Return private copies of standard input and output, and replace both by the null device."""
    requests = os.fdopen(os.dup(0), "r", encoding="utf-8")
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    return requests, replies


def _die_with_supervisor() -> None:
    """Ask Linux to kill this process with its parent; elsewhere the end of input ends it."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)
        adjust = Path("/proc/self/oom_score_adj")
        try:
            adjust.write_text("1000")  # the kernel is to kill this process first
        except OSError:
            return
