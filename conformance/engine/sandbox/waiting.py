"""How long a supervisor has waited for a reply, and that it is not to wait any longer."""

from __future__ import annotations

from dataclasses import dataclass


class RunCancelled(BaseException):
    """The run has been cancelled, and the pending reply is no longer wanted.

    Not an ``Exception``: it is raised inside a property, and must leave it.
    """


@dataclass(slots=True)
class Waiting:
    """The seconds of waiting for one reply, by the clock of this process.

    What a worker reports can be forged by the implementation. Through the operations of a request
    it can only go forward, so waiting ends after the limit of each.

    Attributes:
        total: Since the request.
        by_count: Since the last report.
        by_place: Since the last report that went forward.
    """

    total: float = 0.0
    by_count: float = 0.0
    by_place: float = 0.0
    _last: int = -1
    _furthest: int = -1

    def go_on(self, seconds: float, progress: int) -> None:
        """Add what has passed since the last time, unless there is progress."""
        self.total += seconds
        self.by_count = 0.0 if progress != self._last else self.by_count + seconds
        self.by_place = 0.0 if progress > self._furthest else self.by_place + seconds
        self._last, self._furthest = progress, max(progress, self._furthest)
