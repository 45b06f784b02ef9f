"""Executes the cases of one property on one subject, and keeps the case that violates it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis.errors import UnsatisfiedAssumption

from conformance.adapters.operations.executor import ExecutorLost
from conformance.engine.budget import FIRST_CASES, Budget
from conformance.properties import Property
from conformance.properties.support.checks import ViolationFound
from conformance.properties.support.declared_cases import as_stored, by_design, settle
from conformance.properties.support.notes import note_rows
from conformance.properties.support.session import OpenCase
from conformance.properties.support.subject import Subject
from conformance.requirements.verdict import Violation
from conformance.strategies.bytestream import ByteStrategy
from conformance.strategies.codec import make_violation
from conformance.strategies.shape_grid import Entry

Palette = tuple[Entry, ...]
Strategies = dict[str, ByteStrategy[Any]]


@dataclass(frozen=True, slots=True)
class Failure:
    """A case that violates its requirement.

    Attributes:
        raw: The bytes that the case was drawn from; empty for a replayed one.
        palette: The shapes that it was drawn from.
        violation: What was found.
    """

    raw: bytes
    palette: Palette
    violation: Violation


@dataclass(slots=True)
class BegunCase:
    """A case on which the property has acted, and whose checks are to come.

    Attributes:
        drawn: The arguments of the property.
        raw: The bytes that they were drawn from; empty for a replayed case.
        palette: The shapes that they were drawn from.
        open: What the session has still to do for it.
        rest: The rest of the property, if it yields between acting and checking.
        raised: What ended the property before its checks.
    """

    drawn: dict[str, Any]
    raw: bytes
    palette: Palette
    open: OpenCase
    rest: Iterator[None] | None = None
    raised: UnsatisfiedAssumption | ViolationFound | None = None


class CaseRun:
    """The cases of one property on one subject, one after the other.

    Attributes:
        cases: Cases executed before the first failure.
        rejected: Cases that could not be used.
        cut: Cases left out because the time was up.
        until: When to stop, in seconds since 1970; the first cases are executed all the same.
        failure: The case that violated the requirement last.
    """

    def __init__(
        self, prop: Property, subject: Subject, budget: Budget, *, until: float | None = None
    ) -> None:
        self.property = prop
        self.subject = subject
        self.budget = budget
        self.until = until
        self.cases = self.rejected = self.cut = 0
        self.failure: Failure | None = None
        self._replayed = False

    @property
    def violation(self) -> Violation | None:
        """The violation that was found last."""
        return None if self.failure is None else self.failure.violation

    @property
    def complete(self) -> bool:
        """Whether enough cases were executed to say that a declaration is not needed."""
        return not self.cut and not self._replayed

    def time_is_up(self, begun: int = 0) -> bool:
        """Return whether to leave out the remaining cases; never before a failure is confirmed.

        Args:
            begun: How many cases were begun, and are still to be completed.
        """
        if self.until is None or self.failure is not None or self.cases + begun < FIRST_CASES:
            return False
        return time.time() > self.until

    def replay(self, drawn: dict[str, Any]) -> None:
        """Execute one case that was drawn before.

        Raises:
            ViolationFound: The case violates the requirement.
        """
        self._replayed = True
        self.execute(drawn, b"", ())

    def execute(self, drawn: dict[str, Any], raw: bytes, palette: Palette) -> None:
        """Execute one case, count it, and keep its violation.

        Args:
            drawn: The arguments of the property.
            raw: The bytes that they were drawn from; empty for a replayed case.
            palette: The shapes that they were drawn from.

        Raises:
            UnsatisfiedAssumption: The case is rejected.
            ViolationFound: The case violates the requirement.
        """
        self.complete_case(self.begin(drawn, raw, palette))

    def claim(self, drawn: dict[str, Any]) -> None:
        """Judge one case, without counting it.

        Raises:
            UnsatisfiedAssumption: The case is rejected.
            ViolationFound: The case violates the requirement.
        """
        self._complete(self.begin(drawn, b"", ()))

    def begin(
        self, drawn: dict[str, Any], raw: bytes, palette: Palette, *, alone: bool = True
    ) -> BegunCase:
        """Let the property act on a case, up to its checks.

        Args:
            drawn: The arguments of the property.
            raw: The bytes that they were drawn from; empty for a replayed case.
            palette: The shapes that they were drawn from.
            alone: Whether no case that was begun before is still to be completed.
        """
        drawn = by_design(drawn, self.subject.conventions)
        case = BegunCase(drawn, raw, palette, self.subject.session.begin_case(alone=alone))
        try:
            if not settle(self.subject, drawn):
                stored = as_stored(drawn, self.subject.conventions)
                note_rows(drawn)
                case.rest = self.property.claim(self.subject, **stored)
                if case.rest is not None:
                    next(case.rest)
        except (UnsatisfiedAssumption, ViolationFound) as raised:
            case.raised = raised
        except ExecutorLost as lost:
            lost.drawn = drawn if lost.case in {case.open, None} else None
            raise
        return case

    def complete_case(self, case: BegunCase) -> None:
        """Check a case, count it, and keep its violation.

        Raises:
            UnsatisfiedAssumption: The case is rejected.
            ViolationFound: The case violates the requirement.
        """
        if self.failure is None:  # later executions only confirm the failure
            self.cases += 1
        try:
            self._complete(case)
        except UnsatisfiedAssumption:
            self.rejected += 1
            raise
        except ViolationFound as found:
            violation = make_violation(self.property.requirement.id, found.finding, case.drawn)
            self.failure = Failure(case.raw, case.palette, violation)
            raise

    def _complete(self, case: BegunCase) -> None:
        if case.raised is not None:
            raise case.raised
        session = self.subject.session
        session.resume(case.open)
        note_rows(case.drawn)
        session.finish()
        for _ in case.rest or ():
            pass
        session.finish()

    def strategies(self, palette: Palette) -> Strategies:
        """Return the strategies of the property's arguments on a palette of shapes."""
        return {name: of(palette) for name, of in self.property.strategies.items()}
