"""The process in which one implementation is resolved and used, and nothing else happens.

The standard streams are not used as channels to the supervisor, so that the implementation
may print, read and close them.
"""

from __future__ import annotations

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
    keep_tracebacks_whole,
    offer_host_devices,
    remember_compilations,
    report_phases,
    share_accelerators,
    share_lowering_contexts,
    unload_programs_if_many,
)
from conformance.engine.sandbox.channel import Channel, ChannelClosed
from conformance.engine.sandbox.confinement import IS_LINUX, die_with_parent, drop_privileges
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


def main(heartbeat: int) -> None:
    """Serve requests until there are no more.

    Args:
        heartbeat: The descriptor of the file by which the worker reports progress.
    """
    channel = _take_standard_streams()
    _die_with_supervisor()
    drop_privileges()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # left to the supervisor, which kills this process
    first = channel.receive()
    sys.path[:] = first["path"] or sys.path  # before anything else is imported
    remember_compilations()
    offer_host_devices()
    share_accelerators()
    collect_rarely()
    reporting = HeartbeatWriter(heartbeat)
    os.close(heartbeat)
    call_hooks.watch(reporting)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the user's filters must not decide verdicts
        Worker(reporting, channel).serve(first)
    os._exit(0)  # without the implementation's own exit handlers


class Worker:
    """Resolves an implementation, executes operations on it, and calls handlers with it."""

    def __init__(self, heartbeat: HeartbeatWriter, channel: Channel) -> None:
        self._heartbeat, self._channel = heartbeat, channel
        self._number = ""
        self._errors = os.dup(2)
        self._subject: Subject | None = None

    def serve(self, content: Any) -> None:
        """Reply to an init message, and to each request; again for each further init message.

        Args:
            content: The first init message.
        """
        import conformance.adapters.operations.transformed_calls  # noqa: PLC0415, F401  imports JAX

        share_lowering_contexts()
        keep_tracebacks_whole()
        report_phases(self._heartbeat.phase)
        while content is not None:
            self._number = content.pop(NUMBER)
            content = self._serve_one(Init(**content))

    def _serve_one(self, init: Init) -> Any:
        """Serve requests about one implementation; return the next init message, if there is one.

        Only an implementation of this suite, which warms up the process, is followed by another.
        """
        sys.path[:] = init.path or sys.path
        self._subject = None
        try:
            device = use_device(init.device)
        except AdapterError as error:
            self._send(asdict(Reply(refusal=str(error))))
            return None
        state = GlobalStateSnapshot()
        implementation = self._resolve(init)
        if implementation is None:
            return None
        executor = LocalExecutor(implementation)
        declared = implementation.declaration.to_json()
        self._send(asdict(Reply(result=declared, effects=state.take_changes(), device=device)))
        while (content := self._next()) is not None:
            if "implementation" in content:
                return content
            if "operations" in content:
                if content["new_case"]:
                    executor.begin_case()
                self._send(outcome_of(executor.perform(operations_of(content))))
                continue
            self._heartbeat.begin()
            os.ftruncate(self._errors, 0)  # keep no more than one request writes
            self._send(asdict(self._handle(content, implementation, state)))
        return None

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

    def _resolve(self, init: Init) -> Implementation | None:
        from conformance.adapters.resolve import resolve  # noqa: PLC0415  imports frameworks

        name = init.implementation
        self._heartbeat.operation("importing it")
        try:
            found = resolve(
                name,
                by_names=init.by_names,
                on_loaded=lambda: self._heartbeat.operation(RECOGNIZING),
            )
            return found.read(strictly=init.strictly)
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
    """Die with the parent, and be the first that Linux kills for want of memory."""
    die_with_parent()
    if IS_LINUX:
        adjust = Path("/proc/self/oom_score_adj")
        try:
            adjust.write_text("1000")  # the kernel is to kill this process first
        except OSError:
            return
