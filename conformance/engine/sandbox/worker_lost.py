"""That a worker is gone, and why, as far as its operating system and its last words say."""

from __future__ import annotations

import signal
from typing import IO

from conformance.adapters.errors import printable
from conformance.adapters.operations.executor import ExecutorLost
from conformance.engine.sandbox.heartbeat import Heartbeat
from conformance.engine.sandbox.messages import EXIT_CHANNEL_CLOSED
from conformance.requirements.finding import PROCESS, RESULT, Finding, FindingKind

_TAIL = 800
"""Bytes at the end of standard error that are searched for the reason of a crash."""


class WorkerLost(ExecutorLost):
    """The worker died or had to be killed.

    Attributes:
        how: What happened, for a reader.
        doing: What the worker was doing, for a reader; empty if it had not begun anything.
    """

    def __init__(
        self, how: str, heartbeat: Heartbeat, limit_s: float | None = None, lacked: str = ""
    ) -> None:
        finding = Finding(
            quantity=heartbeat.text or "the requirement",
            got=printable(how),
            expected=RESULT,
            kind=FindingKind.LOST if limit_s is None else FindingKind.TIMED_OUT,
            operation=heartbeat.operation,
            limit_s=limit_s,
        )
        super().__init__(finding, lacked=lacked)
        self.how, self.doing = how, heartbeat.text


def describe_end(code: int | None, errors: IO[bytes]) -> str:
    """Return how a process ended, and its last words.

    Args:
        code: Its exit code, negative for a signal; None if it is alive.
        errors: What it wrote on standard error.
    """
    return f"{_describe_exit(code)}{_last_line(errors)}"


def _describe_exit(code: int | None) -> str:
    if code in {None, EXIT_CHANNEL_CLOSED}:
        return f"{PROCESS}closed the line to the suite"
    if code is None or code >= 0:
        return f"{PROCESS}ended with exit code {code}"
    try:
        return f"{PROCESS}was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"{PROCESS}was ended by signal {-code}"


def _last_line(errors: IO[bytes]) -> str:
    """Return the last line of standard error, such as the message of an abort in C++."""
    size = errors.seek(0, 2)
    errors.seek(max(0, size - _TAIL))
    lines = errors.read(_TAIL).decode("utf-8", "replace").strip("\0 \n").splitlines()
    return f": {lines[-1].strip()[:200]}" if lines else ""
