"""The supervisor's end of one worker process: sends requests, waits, measures, kills."""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from conformance.adapters.errors import AdapterError, printable
from conformance.adapters.implementation import Declaration
from conformance.adapters.operations.values import Failed, Operation
from conformance.adapters.operations.wire import WireError
from conformance.engine.devices import is_command
from conformance.engine.environments import find_interpreter, split_place
from conformance.engine.sandbox.channel import Channel, ChannelClosed
from conformance.engine.sandbox.confinement import hide_memory, kill_group
from conformance.engine.sandbox.heartbeat import HeartbeatReader
from conformance.engine.sandbox.limits import (
    GIB,
    Limits,
    peak_resident,
    resident,
    resident_of_group,
)
from conformance.engine.sandbox.messages import (
    NUMBER,
    RECOGNIZING,
    TAKE_EFFECTS,
    Init,
    Reply,
    Request,
    executing,
    handling,
    read_declaration,
    read_outcome,
)
from conformance.engine.sandbox.pending_request import PendingRequest
from conformance.engine.sandbox.process_start import Start, spawn
from conformance.engine.sandbox.waiting import LongWait, RunCancelled, TimeIsUp, Waiting
from conformance.engine.sandbox.worker_lost import WorkerLost, describe_end
from conformance.requirements.finding import NO_RESULT, PROCESS

_LONG = 2.0
"""Seconds after which a reply is waited for so long that a reader wants to know of it."""

_POLL_INTERVAL = 0.25
"""Seconds between two looks at a worker that has not answered."""

_END_LIMIT = 10.0
"""Seconds that a killed process may take to end."""


class WorkerProcess:
    """One worker process and the channels to it.

    Args:
        implementation: The name that the worker resolves, which may end with an environment and
            a device.
        limits: What the worker may use.
        strictly: Ignore declared deviations.
        stop: A file whose existence cancels the run.
        start: How the process is started, unless it is one of another environment.

    Attributes:
        peak_memory: The largest resident memory that was measured, in bytes.
        on_wait: Receives what is waited for, again and again, once that has lasted for seconds.

    Raises:
        AdapterError: On construction, if there is no such environment.
        WorkerLost: From any method that waits for a reply, if the worker is gone.
        RunCancelled: From the same methods, if the run is cancelled.
        TimeIsUp: From the same methods, if the time of the run is over.
    """

    on_wait: Callable[[LongWait], None] | None = None

    def __init__(
        self,
        implementation: str,
        limits: Limits,
        *,
        strictly: bool = False,
        stop: Path | None = None,
        start: Start = spawn,
    ) -> None:
        self.limits, self._stop = limits, stop
        self._place = split_place(implementation)
        if self._place.environment:
            start = partial(spawn, interpreter=find_interpreter(self._place))
        self._start_process = start
        self._implementation, self._strictly = implementation, strictly
        self.peak_memory = 0
        self._start(by_names=False)

    @property
    def _has_command(self) -> bool:
        """Whether the worker starts a process that uses memory for it."""
        return is_command(self._implementation)

    def _start(self, *, by_names: bool) -> None:
        self.is_lost = False
        self._initial_memory = self._looked = 0.0
        self._new_case = True
        self._closed = False
        self._mark = secrets.token_hex(8)
        heartbeat = HeartbeatReader()
        self._pending = PendingRequest(heartbeat)
        hide_memory()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed in close()
        started = self._start_process(self._errors.fileno(), heartbeat.descriptor, self._mark)
        self._process, self._ends = started.process, [started.reading, started.writing]
        self._channel = Channel(started.reading, started.writing, largest=self.limits.memory)
        self._begin(by_names=by_names)

    def _begin(self, *, by_names: bool) -> None:
        init = Init(
            implementation=self._place.implementation,
            device=self._place.device,
            strictly=self._strictly,
            path=[] if self._place.environment else sys.path,
            by_names=by_names,
        )
        self._send(asdict(init))

    def turn_to(
        self, implementation: str, limits: Limits, *, strictly: bool, stop: Path | None
    ) -> None:
        """Let a process that has been warmed up with the reference begin with an implementation.

        Args:
            implementation: The name that the worker resolves, without an environment.
            limits: What the worker may use.
            strictly: Ignore declared deviations.
            stop: A file whose existence cancels the run.
        """
        self._place = split_place(implementation)
        self.limits, self._stop = limits, stop
        self._implementation, self._strictly = implementation, strictly
        self._initial_memory = 0.0
        self._new_case = True
        self._begin(by_names=False)

    def receive_first(self) -> Reply:
        """Return the first reply, which has a declaration or a refusal.

        What ends its process, or does not return, when calls of it are tried is resolved again by
        its names alone, because that is a mistake of an implementation, and can be judged.

        Raises:
            WorkerLost: The worker is gone.
            RunCancelled: The run is cancelled.
        """
        try:
            return self.receive()
        except WorkerLost as lost:
            if lost.doing != RECOGNIZING:
                raise
            self._start(by_names=True)
            return self.receive()

    def receive_declaration(self) -> Declaration:
        """Return what the implementation declares, the first that the worker says.

        Raises:
            AdapterError: The implementation cannot be resolved.
        """
        try:
            return read_declaration(self.receive_first(), self._implementation)
        except WorkerLost as lost:
            what = f"{self._implementation} cannot be resolved: {lost.doing or 'starting'}"
            msg = f"{what}: {printable(lost.how)}"
            raise AdapterError(msg) from lost

    def begin_case(self) -> None:
        """Let the worker forget all live objects before the next operation."""
        self._new_case = True

    def replace_process(self) -> None:
        """Go on in a new process, after one was lost.

        Raises:
            WorkerLost: The new one is lost, too.
            RunCancelled: The run is cancelled.
        """
        self._start(by_names=False)
        self.receive_first()

    def perform(self, operations: Sequence[Operation]) -> list[Any] | Failed:
        """Have operations executed; see ``conformance.adapters.operations.executor.Executor``."""
        self._pending.operations = operations
        self._send(executing(operations, new_case=self._new_case))
        self._new_case = False
        content = self._receive()
        try:
            results = read_outcome(content, operations)
        except (ValueError, TypeError, KeyError) as error:
            raise self._end(f"{PROCESS}answered with something else: {error}") from error
        self._pending.operations = ()
        return results

    def ask(self, request: Request) -> Reply:
        """Send a request that a function handles, and return the reply.

        Raises:
            WorkerLost: The worker is gone.
            RunCancelled: The run is cancelled.
        """
        self._send(handling(request))
        return self.receive()

    def take_effects(self) -> list[str]:
        """Return the names of the process-wide state that has changed since the last reply."""
        self._send({"handler": TAKE_EFFECTS, "arguments": {}})
        return [printable(str(name)) for name in self.receive().effects]

    def receive(self) -> Reply:
        """Return the next reply; wait while there is progress and memory is within its limit.

        Raises:
            WorkerLost: The worker is gone.
            RunCancelled: The run is cancelled.
        """
        content = self._receive()
        try:
            return Reply(**content)
        except TypeError as error:
            raise self._end(f"{PROCESS}answered with something else: {error}") from error

    def _receive(self) -> Any:
        waiting, before = Waiting(), time.monotonic()
        while True:
            try:
                content = self._channel.receive(min(_POLL_INTERVAL, self.limits.seconds / 4))
            except TimeoutError:
                pass
            except WireError as error:
                raise self._end(f"{PROCESS}answered with something else: {error}") from error
            except ChannelClosed as error:
                raise self._lost() from error
            else:
                self._look()
                if (
                    type(content) is not list
                    or len(content) != 2
                    or content[0] != self._pending.number
                ):
                    raise self._end(f"{PROCESS}answered with something else: nothing was asked")
                return content[1]
            self._check_memory()
            if self._process.wait(0) is not None:
                raise self._lost()
            self._check_stop()
            now = time.monotonic()
            passed = min(now - before, 2 * _POLL_INTERVAL)  # not while this process was suspended
            before = now
            waiting.go_on(passed, self._pending.progress)
            if self._pending.is_overdue(waiting, self.limits.seconds):
                limit = self.limits.seconds
                raise self._end(NO_RESULT.format(limit=limit), limit)
            if waiting.total >= _LONG and self.on_wait is not None:
                self.on_wait(self._pending.describe(waiting))

    def close(self) -> None:
        """Kill the worker, whatever it is doing, and release what belongs to it."""
        if not self._closed:
            self._closed = True
            kill_group(self._process.pid, self._mark)
        self._process.wait(_END_LIMIT)  # no process survives this, but may be late
        while self._ends:
            os.close(self._ends.pop())
        self._errors.close()
        self._pending.heartbeat.close()

    def _send(self, content: Any) -> None:
        self._pending.number = secrets.token_hex(8)
        try:
            self._channel.send({**content, NUMBER: self._pending.number}, self.limits.seconds)
        except (ChannelClosed, TimeoutError):
            return  # the worker is gone or takes nothing, as receiving will notice

    def _look(self) -> None:
        """Check, from time to time, what is checked of a worker that does not answer."""
        now = time.monotonic()
        if now - self._looked > _POLL_INTERVAL:
            self._looked = now
            self._check_memory()
            self._check_stop()

    def _check_stop(self) -> None:
        """Kill the worker if the run is cancelled, or its time is over."""
        if self.limits.time_is_up:
            doing = self._pending.doing.text
            self.close()
            raise TimeIsUp(doing)
        if self._stop is not None and self._stop.exists():
            self.close()
            raise RunCancelled

    def measure_memory(self) -> int:
        """Return the largest resident memory that the process has had so far, in bytes."""
        now = resident_of_group(self._process.pid) if self._has_command else 0
        self.peak_memory = max(self.peak_memory, peak_resident(self._process.pid), now)
        return self.peak_memory

    def _check_memory(self) -> None:
        """Kill a worker that uses too much memory, before the machine has none left."""
        self.measure_memory()
        taken = (resident_of_group if self._has_command else resident)(self._process.pid)
        self._initial_memory = self._initial_memory or taken
        if taken - self._initial_memory > self.limits.memory:
            how = f"{PROCESS}took more than {self.limits.memory / GIB:.3g} GiB of memory"
            raise self._end(how, lacked="memory")

    def lose(self, how: str) -> WorkerLost:
        """Return the exception that says that a request had no result; the worker goes on."""
        return WorkerLost(how, self._pending.doing)

    def _end(self, how: str, limit_s: float | None = None, lacked: str = "") -> WorkerLost:
        """Kill the worker, and return the reason as an exception."""
        lost = WorkerLost(
            how, self._pending.doing, limit_s, lacked or "time" * (limit_s is not None)
        )
        lost.place = self._pending.place
        self.is_lost = True
        self.close()
        return lost

    def _lost(self) -> WorkerLost:
        code = self._process.wait(1)  # None if it has closed the channel for replies, but is alive
        return self._end(describe_end(code, self._errors))
