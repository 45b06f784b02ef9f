"""The process in which one implementation is resolved and used, and nothing else happens.

The standard streams are not used as channels to the supervisor, so that the implementation
may print, read and close them.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.adapters import call_hooks
from conformance.adapters.errors import AdapterError, describe
from conformance.adapters.implementation import Implementation
from conformance.adapters.operations.executor import LocalExecutor
from conformance.engine.devices import use_device
from conformance.engine.garbage import collect_rarely
from conformance.engine.jax_runtime import (
    offer_host_devices,
    remember_compilations,
    share_accelerators,
    share_lowering_contexts,
    unload_programs_if_many,
)
from conformance.engine.sandbox.channel import Channel, ChannelClosed
from conformance.engine.sandbox.confinement import drop_privileges
from conformance.engine.sandbox.global_state import GlobalStateSnapshot
from conformance.engine.sandbox.heartbeat import HeartbeatWriter
from conformance.engine.sandbox.messages import (
    EXIT_CHANNEL_CLOSED,
    NUMBER,
    RECOGNIZING,
    TAKE_EFFECTS,
    Init,
    Reply,
    find_handler,
    operations_of,
    outcome_of,
)

if TYPE_CHECKING:
    from conformance.properties.support.subject import Subject

_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of Linux."""


def main() -> None:
    """Serve requests until there are no more."""
    channel = _take_standard_streams()
    _die_with_supervisor()
    drop_privileges()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # left to the supervisor, which kills this process
    content = channel.receive()
    number = content.pop(NUMBER)
    init = Init(**content)
    sys.path[:] = init.path
    remember_compilations()
    offer_host_devices()
    share_accelerators()
    collect_rarely()
    heartbeat = HeartbeatWriter(init.heartbeat)
    os.close(init.heartbeat)
    call_hooks.watch(heartbeat)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the user's filters must not decide verdicts
        Worker(init, heartbeat, channel, number).serve()
    os._exit(0)  # without the implementation's own exit handlers


class Worker:
    """Resolves one implementation, executes operations on it, and calls handlers with it."""

    def __init__(
        self, init: Init, heartbeat: HeartbeatWriter, channel: Channel, number: str
    ) -> None:
        self._init, self._heartbeat, self._channel = init, heartbeat, channel
        self._number = number
        self._errors = os.dup(2)
        self._subject: Subject | None = None

    def serve(self) -> None:
        """Reply to the init message, then to each request."""
        import conformance.adapters.operations.transformed_calls  # noqa: PLC0415, F401  imports JAX

        share_lowering_contexts()
        try:
            device = use_device(self._init.device)
        except AdapterError as error:
            self._send(asdict(Reply(refusal=str(error))))
            return
        state = GlobalStateSnapshot()
        implementation = self._resolve()
        if implementation is None:
            return
        executor = LocalExecutor(implementation)
        declared = implementation.declaration.to_json()
        self._send(asdict(Reply(result=declared, effects=state.take_changes(), device=device)))
        while (content := self._next()) is not None:
            if "operations" in content:
                if content["new_case"]:
                    executor.begin_case()
                self._send(outcome_of(executor.perform(operations_of(content))))
                continue
            self._heartbeat.begin()
            os.ftruncate(self._errors, 0)  # keep no more than one request writes
            self._send(asdict(self._handle(content, implementation, state)))

    def _handle(
        self, content: dict[str, Any], implementation: Implementation, state: GlobalStateSnapshot
    ) -> Reply:
        if content["handler"] == TAKE_EFFECTS:
            unload_programs_if_many()
            state.restore_filters()
            return Reply(effects=state.take_changes())
        from conformance.properties.support.subject import Subject  # noqa: PLC0415  rarely needed

        self._subject = self._subject or Subject(implementation)
        try:
            handler, arguments = find_handler(content)
            return Reply(result=handler(self._subject, **arguments), effects=state.take_changes())
        except BaseException as error:  # noqa: BLE001  interrupts raised by the implementation
            return Reply(raised=describe(error), effects=state.take_changes())

    def _resolve(self) -> Implementation | None:
        from conformance.adapters.resolve import resolve  # noqa: PLC0415  imports frameworks

        name = self._init.implementation
        self._heartbeat.operation("importing it")
        try:
            found = resolve(
                name,
                by_names=self._init.by_names,
                on_loaded=lambda: self._heartbeat.operation(RECOGNIZING),
            )
            return found.read(strictly=self._init.strictly)
        except AdapterError as error:
            self._send(asdict(Reply(refusal=str(error))))
        except BaseException as error:  # noqa: BLE001  whatever the implementation raises
            self._send(asdict(Reply(refusal=f"{name} cannot be resolved: {describe(error)}")))
        return None

    def _next(self) -> Any:
        try:
            content = self._channel.receive()
        except ChannelClosed:
            return None
        self._number = content[NUMBER]
        return content

    def _send(self, content: Any) -> None:
        try:
            self._channel.send([self._number, content])
        except ChannelClosed:
            os._exit(EXIT_CHANNEL_CLOSED)


def _take_standard_streams() -> Channel:
    """Return a channel of standard input and output, and replace both by the null device."""
    channel = Channel(os.dup(0), os.dup(1))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    return channel


def _die_with_supervisor() -> None:
    """Ask Linux to kill this process with its parent; elsewhere the end of input ends it."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)
        adjust = Path("/proc/self/oom_score_adj")
        try:
            adjust.write_text("1000")  # the kernel is to kill this process first
        except OSError:
            return
