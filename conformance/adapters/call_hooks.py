"""What this process is doing, left where it can be read after it has died or hangs.

Nobody looks unless ``watch`` was called: that is done in the processes that
``conformance.engine.sandbox`` starts, one for each implementation.
"""

from __future__ import annotations

from typing import Any, Protocol


class Watcher(Protocol):
    """Who is told, before it happens."""

    def case(self, raw: bytes, entries: tuple[Any, ...]) -> None:
        """A case, decoded from these bytes with these shapes, is about to be executed."""

    def operation(self, name: str, arguments: str) -> None:
        """Code of the implementation is about to be called."""


_watchers: list[Watcher] = []


def watch(watcher: Watcher) -> None:
    """Tell the watcher everything from now on."""
    _watchers[:] = [watcher]


def is_watched() -> bool:
    """Whether this process is there for one implementation, and somebody looks after it.

    No interrupt of the user comes here: KeyboardInterrupt is the implementation's own.
    """
    return bool(_watchers)


def notify_case(raw: bytes, entries: tuple[Any, ...]) -> None:
    """Say which case comes next."""
    for watcher in _watchers:
        watcher.case(raw, entries)


def notify_operation(name: str, arguments: str = "") -> None:
    """Say which operation comes next."""
    for watcher in _watchers:
        watcher.operation(name, arguments)


def is_implementation_error(error: BaseException) -> bool:
    """Whether an exception is the implementation's doing, and not the user's or the runner's.

    Where nobody watches, an interrupt may be the user's, and pytest's own exceptions, which
    are no ``Exception`` either, must pass.
    """
    return is_watched() or isinstance(error, Exception | SystemExit)
