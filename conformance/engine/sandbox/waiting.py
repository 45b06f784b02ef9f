"""How long a supervisor has waited for a reply, and that it is not to wait any longer."""

from __future__ import annotations

from dataclasses import dataclass, replace

from conformance.adapters.errors import printable


class RunCancelled(BaseException):
    """The run has been cancelled, and the pending reply is no longer wanted.

    Not an ``Exception``: it is raised inside a property, and must leave it.
    """


class TimeIsUp(BaseException):
    """The time of the run is over, and the pending reply is not waited for.

    Not an ``Exception``, for the same reason.

    Args:
        doing: What the worker was doing, for a reader; empty if that is unknown.
    """

    def __init__(self, doing: str = "") -> None:
        super().__init__(doing)
        self.doing = doing


@dataclass(frozen=True, slots=True, kw_only=True)
class LongWait:
    """What a worker has been doing for a while, for a display.

    Attributes:
        seconds: For how long.
        phase: "compiling", "calling" or what else JAX does, as far as the worker says.
        operation: The operation, such as "the compiled call"; empty if there is none.
        shape: The shape of the largest array that it was given; empty if there is none.
        requirement: The id of the requirement; empty before the first.
        implementation: The name of the implementation.
    """

    seconds: float
    phase: str
    operation: str
    shape: tuple[int, ...] = ()
    requirement: str = ""
    implementation: str = ""

    def about(self, requirement: str, implementation: str) -> LongWait:
        """Return it with what is judged."""
        return replace(self, requirement=requirement, implementation=implementation)

    def sentence(self) -> str:
        """Return it in one line, such as ``compiling BN-LARGE-1, 65,537 × 4, 24 s``."""
        size = " × ".join(f"{each:,}" for each in self.shape)
        doing = f"{self.phase} {self.requirement}" if self.phase else self.operation or "starting"
        return printable(", ".join(filter(None, (doing, size, f"{self.seconds:.0f} s"))))


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
