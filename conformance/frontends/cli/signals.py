"""Ctrl-C and SIGTERM end a run in an orderly way: its report has everything judged so far."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from conformance.report.exit_codes import ExitCode


@dataclass
class Received:
    """The signal that ended a run, if one did."""

    signal: int = 0

    @property
    def exit_code(self) -> ExitCode:
        """128 + the number of the signal, by the convention of shells; ``OK`` without one."""
        return ExitCode(128 + self.signal) if self.signal else ExitCode.OK


@contextmanager
def catch_signals() -> Iterator[Received]:
    """Turn the first signal into a ``KeyboardInterrupt``, and ignore all later ones.

    pytest ends its session on the first; another would only disturb that.
    """
    received = Received()

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)
        received.signal = number
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    before = {each: signal.signal(each, handle) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
