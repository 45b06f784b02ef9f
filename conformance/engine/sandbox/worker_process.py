"""The supervisor's end of one worker process: sends requests, waits, measures, kills."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, Any

from conformance.engine.sandbox.heartbeat import Heartbeat, HeartbeatReader
from conformance.engine.sandbox.limits import GIB, Limits, resident
from conformance.engine.sandbox.messages import EXIT_CHANNEL_CLOSED, Init, Reply, Request, encode
from conformance.requirements.finding import NO_RESULT, PROCESS, FindingKind

_START_LIMIT = 300.0
"""Seconds that the interpreter and the frameworks may take to start: no implementation's fault."""

_POLL_INTERVAL = 0.25
"""Seconds between two looks at a worker that has not answered."""

_TAIL = 800
"""Bytes at the end of standard error that are searched for the reason of a crash."""


class WorkerLost(Exception):
    """The worker died or had to be killed.

    Attributes:
        how: What happened, for a reader.
        heartbeat: What the worker was doing.
        limit_s: The time limit that it exceeded, in seconds; None if it died otherwise.
    """

    def __init__(self, how: str, heartbeat: Heartbeat, limit_s: float | None = None) -> None:
        super().__init__(how)
        self.how, self.heartbeat, self.limit_s = how, heartbeat, limit_s

    @property
    def kind(self) -> FindingKind:
        """The kind of the finding."""
        return FindingKind.LOST if self.limit_s is None else FindingKind.TIMED_OUT


class RunCancelled(Exception):
    """The run has been cancelled, and the pending reply is no longer wanted."""


class WorkerProcess:
    """One worker process and the channels to it.

    Args:
        implementation: The name that the worker resolves.
        limits: What the worker may use.
        strictly: Ignore declared deviations.
        stop: A file whose existence cancels the run.

    Raises:
        WorkerLost: From any method that waits for a reply, if the worker is gone.
        RunCancelled: From the same methods, if the run is cancelled.
    """

    def __init__(
        self,
        implementation: str,
        limits: Limits,
        *,
        strictly: bool = False,
        stop: Path | None = None,
    ) -> None:
        self.limits, self._stop = limits, stop
        self._initial_memory = 0
        self._heartbeat = HeartbeatReader()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed in close()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "conformance.engine.sandbox"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
        )
        assert self._process.stdin is not None and self._process.stdout is not None  # noqa: S101, PT018
        self._requests, self._replies = self._process.stdin, queue.SimpleQueue[str]()
        self._reader = threading.Thread(
            target=_pump, args=(self._process.stdout, self._replies), daemon=True
        )
        self._reader.start()
        self._send(
            Init(
                implementation=implementation,
                strictly=strictly,
                path=sys.path,
                heartbeat=self._heartbeat.path,
            )
        )

    def ask(self, request: Request) -> Reply:
        """Send a request and return the reply.

        Raises:
            WorkerLost: The worker is gone.
            RunCancelled: The run is cancelled.
        """
        self._send(request)
        return self.receive()

    def receive(self) -> Reply:
        """Return the next reply; wait while there is progress and memory is within its limit.

        Raises:
            WorkerLost: The worker is gone.
            RunCancelled: The run is cancelled.
        """
        count, silence, before = -1, 0.0, time.monotonic()
        while True:
            try:
                line = self._replies.get(timeout=min(_POLL_INTERVAL, self.limits.seconds / 4))
            except queue.Empty:
                line = None
            self._check_memory()
            if line:
                self._initial_memory = self._initial_memory or resident(self._process.pid)
                return Reply(**json.loads(line))
            if line == "" or self._process.poll() is not None:
                raise self._lost()
            if self._stop is not None and self._stop.exists():
                self.close()
                raise RunCancelled
            now = time.monotonic()
            silence += min(now - before, 2 * _POLL_INTERVAL)  # not while this process was suspended
            before = now
            if self._heartbeat.count != count:
                count, silence = self._heartbeat.count, 0.0
            self._check_silence(silence)

    def last_heartbeat(self) -> Heartbeat:
        """Return the last report of the worker."""
        return self._heartbeat.read()

    def close(self) -> None:
        """Kill the worker, whatever it is doing, and release what belongs to it."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._reader.join(timeout=1)  # a process forked by the worker may hold the pipe
        for stream in (self._requests, self._process.stdout, self._errors):
            _close(stream)
        self._heartbeat.close()

    def _send(self, message: Init | Request) -> None:
        try:
            self._requests.write(encode(message))
            self._requests.flush()
        except OSError:
            return  # the worker is gone, as receive() will notice

    def _check_silence(self, silence: float) -> None:
        """Kill a worker whose current operation takes too long."""
        limit = self.limits.seconds
        heartbeat = self._heartbeat.read() if silence >= limit else None
        if heartbeat and silence >= (limit if heartbeat.operation else _START_LIMIT):
            self.close()
            raise WorkerLost(NO_RESULT.format(limit=limit), heartbeat, limit)

    def _check_memory(self) -> None:
        """Kill a worker that uses too much memory, before the machine has none left."""
        grown = resident(self._process.pid) - self._initial_memory
        if grown > self.limits.memory:
            heartbeat = self._heartbeat.read()
            self.close()
            limit = self.limits.memory / GIB
            raise WorkerLost(f"{PROCESS}took more than {limit:.3g} GiB of memory", heartbeat)

    def _lost(self) -> WorkerLost:
        try:
            code = self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            code = None  # it is alive, but has closed the channel for replies
        heartbeat, reason = self._heartbeat.read(), self._last_error_line()
        self.close()
        return WorkerLost(f"{_describe_exit(code)}{reason}", heartbeat)

    def _last_error_line(self) -> str:
        """Return the last line of standard error, such as the message of an abort in C++."""
        size = self._errors.seek(0, 2)
        self._errors.seek(max(0, size - _TAIL))
        lines = self._errors.read().decode("utf-8", "replace").strip("\0 \n").splitlines()
        return f": {lines[-1].strip()[:200]}" if lines else ""


def _pump(stream: IO[str], replies: queue.SimpleQueue[str]) -> None:
    """Move lines into the queue, and an empty one at the end."""
    try:
        for line in stream:
            replies.put(line)
    except ValueError:
        pass  # closed while it was read, or not text
    replies.put("")


def _close(stream: Any) -> None:
    try:
        stream.close()
    except OSError:
        return  # the reader of what is still buffered is gone


def _describe_exit(code: int | None) -> str:
    if code in {None, EXIT_CHANNEL_CLOSED}:
        return f"{PROCESS}closed the line to the suite"
    if code is None or code >= 0:
        return f"{PROCESS}ended with exit code {code}"
    try:
        return f"{PROCESS}was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"{PROCESS}was ended by signal {-code}"
