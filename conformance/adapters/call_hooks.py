"""Notifications of what this process is about to do, for a watcher outside it.

A supervised process records the last notification where its supervisor can read it after the
process has died or hangs. In any other process nobody watches, and notifying does nothing.
"""

from __future__ import annotations

from typing import Protocol


class Watcher(Protocol):
    """Receives a notification before each call into the implementation."""

    def operation(self, name: str, arguments: str) -> None:
        """Code of the implementation is about to be called."""


_watchers: list[Watcher] = []


def watch(watcher: Watcher) -> None:
    """Notify this watcher, and no other, from now on."""
    _watchers[:] = [watcher]


def is_watched() -> bool:
    """Whether this process is supervised, and runs for one implementation only.

    The user's interrupts do not reach such a process: a KeyboardInterrupt in it was raised by
    the implementation.
    """
    return bool(_watchers)


def notify_operation(name: str, arguments: str = "") -> None:
    """Notify the watcher of the next call into the implementation.

    Args:
        name: The operation.
        arguments: A summary of its arguments.
    """
    for watcher in _watchers:
        watcher.operation(name, arguments)


def is_implementation_error(error: BaseException) -> bool:
    """Whether an exception was raised by the implementation, not by the user or the test runner.

    In a process that nobody watches, a KeyboardInterrupt may be the user's, and pytest's own
    exceptions, which do not derive from ``Exception`` either, must propagate.
    """
    return is_watched() or isinstance(error, Exception | SystemExit)
