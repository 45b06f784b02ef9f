"""What a pool of processes judges, and what they find out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from conformance.engine.budget import Budget, Clock, has_more_cases, share_of
from conformance.engine.sandbox.limits import Limits
from conformance.engine.scheduling import order_by_power
from conformance.requirements import REQUIREMENTS
from conformance.requirements.verdict import Outcome, Verdict

Pair = tuple[str, str]
"""The id of a requirement, and the name of an implementation."""

PREPARE = "prepare"
"""What is sent to a process instead of a task, for it to prepare for the next one."""

Judge = Callable[[Mapping[str, Any] | None], Verdict]
"""Returns a verdict on a pair, by all cases or by the encoded one that is given."""


def judge_by_all_cases(pair: Pair, judge: Judge) -> Verdict:
    """Return the verdict on a pair, by all cases."""
    del pair
    return judge(None)


@dataclass(frozen=True, slots=True)
class Turn:
    """What a process judges at a time.

    Attributes:
        pair: The requirement and the implementation.
        glance: Judge it by the first few cases; all of them have a turn of their own.
    """

    pair: Pair
    glance: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What to judge.

    Attributes:
        pairs: Requirements and implementations.
        budget: Which cases are generated.
        limits: What an implementation may use.
        strictly: Ignore declared deviations.
        ends: When judging should be over, in seconds since 1970; None for no limit.
        decide: Returns the verdict on a pair; it is called in the process that judges.
        glance: Cases per property by which every pair is judged before one of them is judged by
            all cases; 0 for none. Most violations show in them, whichever requirement has them.
    """

    pairs: tuple[Pair, ...]
    budget: Budget
    limits: Limits = field(default_factory=Limits)
    strictly: bool = False
    ends: float | None = None
    decide: Callable[[Pair, Judge], Verdict] = judge_by_all_cases
    glance: int = 0

    @property
    def implementations(self) -> tuple[str, ...]:
        """The names of all implementations."""
        return tuple(dict.fromkeys(name for _, name in self.pairs))

    def ordered(self) -> list[Pair]:
        """Return the pairs in the order in which to judge them: one implementation at a time."""
        rows = order_by_power(
            [REQUIREMENTS[row] for row in dict.fromkeys(r for r, _ in self.pairs)]
        )
        wanted = set(self.pairs)
        by_name = [(row.id, name) for name in self.implementations for row in rows]
        return [pair for pair in by_name if pair in wanted]

    def turns(self) -> list[Turn]:
        """Return what to judge, in order."""
        pairs = self.ordered()
        some = self.ends is None and 0 < self.glance < self.budget.max_examples
        return [Turn(pair, glance=True) for pair in pairs if some] + list(map(Turn, pairs))


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What was found out about one pair.

    Attributes:
        verdict: The verdict.
        effects: The process-wide state that the implementation has changed since the last one.
        reading: What was read of the implementation, once.
        peaks: The largest resident memory of the processes of each implementation, in bytes.
        glance: No violation was found yet, and there are more cases to judge.
    """

    verdict: Verdict
    effects: list[str] = field(default_factory=list)
    reading: dict[str, Any] | None = None
    peaks: dict[str, int] = field(default_factory=dict)
    glance: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing can be judged.

    Attributes:
        reason: Why, for each implementation.
    """

    reason: str


class PairJudge(Protocol):
    """Judges pairs: a ``Supervisor`` of worker processes, or a ``LocalJudge``."""

    def judge(
        self,
        requirement: str,
        name: str,
        until: float | None = None,
        values: Mapping[str, Any] | None = None,
        max_examples: int = 0,
    ) -> Verdict:
        """Return the verdict on one requirement and one implementation."""

    def take_effects(self, name: str) -> list[str]:
        """Return the process-wide state that an implementation has changed since the last one."""

    def take_reading(self, name: str) -> dict[str, Any] | None:
        """Return what was read of an implementation, when first asked."""

    def peak_memory(self) -> dict[str, int]:
        """Return the largest resident memory of the processes of each implementation, in bytes."""


def judge_turn(judge: PairJudge, turn: Turn, task: Task, clock: Clock | None) -> Judged:
    """Judge one pair of a task.

    Args:
        judge: Who judges.
        turn: The pair, and by how many cases.
        task: The task.
        clock: Divides the time of the run; None if it has no limit.
    """
    requirement, name = turn.pair
    few = task.glance if turn.glance else 0
    until = None if clock is None else clock.until(share_of(requirement))

    def judge_values(values: Mapping[str, Any] | None) -> Verdict:
        return judge.judge(requirement, name, until, values, few)

    verdict = task.decide(turn.pair, judge_values)
    found = verdict.outcome is Outcome.VIOLATES
    return Judged(
        verdict=verdict,
        effects=judge.take_effects(name),
        reading=judge.take_reading(name),
        peaks=judge.peak_memory(),
        glance=few > 0 and not found and has_more_cases(requirement, few, task.budget),
    )
