"""The keeper of one implementation's process: asks it, waits for it, replaces it."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from conformance.engine.budget import Budget
from conformance.engine.sandbox.heartbeat import Note, StampReader
from conformance.engine.sandbox.limits import GIB, Limits, resident
from conformance.engine.sandbox.worker import LINE_CLOSED
from conformance.requirements.finding import NO_RESULT, PROCESS, FindingKind

_START_LIMIT = 300.0
"""Seconds that the interpreter and the frameworks may take to start: nobody's fault but ours."""

_GLANCE = 0.25
_TAIL = 800


class Lost(Exception):
    """The process ended, or had to be ended; ``how`` says it, ``note`` what it was doing."""

    def __init__(self, how: str, note: Note, limit_s: float | None = None) -> None:
        super().__init__(how)
        self.how, self.note, self.limit_s = how, note, limit_s
        self.kind = FindingKind.LOST if limit_s is None else FindingKind.TIMED_OUT


class Stopped(Exception):
    """The run is over: what was asked is not wanted any more."""


class Process:
    """One process that judges one implementation.

    ``stop``: a file that, once it exists, ends the process and the run.

    Raises:
        Lost: from any method but ``close``, if it has come to its end.
        Stopped: from any method that waits, if the run is over.
    """

    def __init__(
        self,
        implementation: str,
        budget: Budget,
        limits: Limits,
        *,
        strictly: bool = False,
        stop: Path | None = None,
    ) -> None:
        self.limits, self._stop = limits, stop
        self._at_first = 0
        self._stamp = StampReader()
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
        self._requests, self._answers = self._process.stdin, queue.SimpleQueue[str]()
        self._reader = threading.Thread(
            target=_pump, args=(self._process.stdout, self._answers), daemon=True
        )
        self._reader.start()
        self._send(
            implementation=implementation,
            budget=asdict(budget),
            strictly=strictly,
            path=sys.path,
            stamp=self._stamp.path,
        )

    def answer(self) -> dict[str, Any]:
        """Return the next answer, waiting as long as there is progress and memory."""
        count, quiet, before = -1, 0.0, time.monotonic()
        while True:
            try:
                line = self._answers.get(timeout=min(_GLANCE, self.limits.seconds / 4))
            except queue.Empty:
                line = None
            self._refuse_growth()
            if line:
                self._at_first = self._at_first or resident(self._process.pid)
                answer: dict[str, Any] = json.loads(line)
                return answer
            if line == "" or self._process.poll() is not None:
                raise self._lost()
            if self._stop is not None and self._stop.exists():
                self.close()
                raise Stopped
            now = time.monotonic()
            quiet += min(now - before, 2 * _GLANCE)  # a stopped host has seen no silence
            before = now
            if self._stamp.count != count:
                count, quiet = self._stamp.count, 0.0
            self._refuse_silence(quiet)

    def _refuse_silence(self, quiet: float) -> None:
        limit = self.limits.seconds
        note = self._stamp.read() if quiet >= limit else None
        if note and quiet >= (limit if note.operation else _START_LIMIT):
            self.close()
            raise Lost(NO_RESULT.format(limit=limit), note, limit)

    def _refuse_growth(self) -> None:
        """End a process that takes the machine's memory, before the machine has none left."""
        grown = resident(self._process.pid) - self._at_first
        if grown > self.limits.memory:
            note = self._stamp.read()
            self.close()
            limit = self.limits.memory / GIB
            raise Lost(f"{PROCESS}took more than {limit:.3g} GiB of memory", note)

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request and return the answer."""
        self._send(**request)
        return self.answer()

    def note(self) -> Note:
        """Return what the process noted last."""
        return self._stamp.read()

    def close(self) -> None:
        """End the process, whatever it is doing."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._reader.join(timeout=1)  # a process forked by the guest may hold the pipe
        for stream in (self._requests, self._process.stdout, self._errors):
            _close(stream)
        self._stamp.close()

    def _send(self, **values: Any) -> None:
        try:
            self._requests.write(json.dumps(values) + "\n")
            self._requests.flush()
        except OSError:
            return  # it is gone, as the answer will tell

    def _lost(self) -> Lost:
        try:
            code = self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            code = None  # it lives, but has closed what it should answer on
        note, said = self._stamp.read(), self._said()
        self.close()
        return Lost(f"{_ending(code)}{said}", note)

    def _said(self) -> str:
        """Return the last line that tells why, such as the message of an abort in C++."""
        size = self._errors.seek(0, 2)
        self._errors.seek(max(0, size - _TAIL))
        lines = self._errors.read().decode("utf-8", "replace").strip("\0 \n").splitlines()
        return f": {lines[-1].strip()[:200]}" if lines else ""


def _pump(stream: IO[str], answers: queue.SimpleQueue[str]) -> None:
    try:
        for line in stream:
            answers.put(line)
    except ValueError:
        pass  # closed while it was read, or no text
    answers.put("")


def _close(stream: Any) -> None:
    try:
        stream.close()
    except OSError:
        return  # nobody reads any more what is still to be written


def _ending(code: int | None) -> str:
    if code in {None, LINE_CLOSED}:
        return f"{PROCESS}closed the line to the suite"
    if code is None or code >= 0:
        return f"{PROCESS}ended with exit code {code}"
    try:
        return f"{PROCESS}was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"{PROCESS}was ended by signal {-code}"
