"""Runs the cases of one property on one subject, and keeps the case that violates it.

Seeds come from Hypothesis, and several cases from each; ``minimize`` makes a failure small.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import seed as with_seed
from hypothesis.errors import UnsatisfiedAssumption

from conformance.adapters.operations.executor import ExecutorLost
from conformance.engine.budget import FIRST_CASES, Budget
from conformance.properties import Property
from conformance.properties.support.checks import ViolationFound
from conformance.properties.support.declared_cases import as_stored, by_design, settle
from conformance.properties.support.notes import note_rows
from conformance.properties.support.session import OpenCase
from conformance.properties.support.subject import Subject
from conformance.requirements import Requirement
from conformance.requirements.verdict import Violation
from conformance.strategies import shape_grid
from conformance.strategies.bytestream import SEEDS, ByteStrategy, draw_from_bytes, expand_seed
from conformance.strategies.codec import make_violation

Palette = tuple[shape_grid.Entry, ...]
Strategies = dict[str, ByteStrategy[Any]]

CASES_PER_SEED = 10
"""Cases that are expanded from one of Hypothesis's seeds: what it does for each seed, drawing and
keeping it, and saving and restoring random states, costs half as much as judging a short case."""

MINED_CASES = 4
"""Cases of each palette that comes from the source of the implementation; a single one for
properties that leave out the simplest case, whose cases are large."""

_TRIES = 10
"""How many cases may be rejected for each that is not; Hypothesis allows as many."""


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


class PropertyRun:
    """One property on one subject: a function without arguments that executes its cases.

    Attributes:
        cases: Cases executed before the first failure.
        rejected: Cases that could not be used.
        cut: Cases left out because the time was up.
        until: When to stop, in seconds since 1970; the first cases are executed all the same.
        palettes: The palettes of shapes from which cases are drawn.
        failure: The case that violated the requirement last.
    """

    def __init__(
        self,
        prop: Property,
        subject: Subject,
        budget: Budget,
        *,
        palettes: tuple[Palette, ...] = (),
        until: float | None = None,
    ) -> None:
        self.property = prop
        self.subject = subject
        self.budget = budget
        self.until = until
        self.cases = self.rejected = self.cut = 0
        self.failure: Failure | None = None
        self._replayed = False
        self.palettes = palettes or prop.palettes_of(budget.profile) or (_palette(budget),)
        tests = [_SeedTest(self, palette) for palette in self.palettes]
        if prop.mined is not None and not palettes:
            further = prop.mined(subject.implementation.mined)
            cases = MINED_CASES if prop.simplest else 1
            tests += [_SeedTest(self, palette, cases) for palette in further]
        self._tests = [test.bind() for test in tests]

    def __call__(self) -> None:
        """Execute every case.

        Raises:
            ViolationFound: A case violates the requirement.
        """
        for test in self._tests:
            test()

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


class _SeedTest:
    """The Hypothesis test of one palette: each seed stands for several cases."""

    def __init__(self, run: PropertyRun, palette: Palette, wanted: int = 0) -> None:
        self.run = run
        self.palette = palette
        self.strategies = run.strategies(palette)
        self.wanted = wanted or max(1, round(run.budget.max_examples * run.property.share))
        self.left = self.wanted
        self.first = 0 if run.property.simplest else _drawn_number(run, palette)
        self.failed: bytes | None = None

    def bind(self) -> Callable[[], None]:
        """Return the test as Hypothesis runs it, without arguments."""

        def test(seed: bytes) -> None:
            self._execute_seed(seed)

        run, claim = self.run, self.run.property.claim
        test.__name__ = test.__qualname__ = claim.__name__
        test.__doc__ = claim.__doc__
        seeds = 1 + math.ceil((self.wanted - 1) / CASES_PER_SEED)
        bound = _settings(run.budget, seeds)(given(SEEDS)(test))
        if run.budget.seed is None:
            return bound
        return with_seed(_stream(run.budget.seed, run.property.requirement))(bound)

    def _execute_seed(self, seed: bytes) -> None:
        if self.failed is not None:  # Hypothesis runs a failure once more, to see whether it is one
            drawn = draw_from_bytes(self.failed, self.strategies)
            self.run.execute(drawn, self.failed, self.palette)
            return
        simplest = not any(seed)  # which Hypothesis tries first, whatever it is to draw
        due = min(1 if simplest else CASES_PER_SEED, self.left)
        self.left -= due
        start = number = self.first if simplest else 0
        accepted = 0
        while accepted < due and number - start < _TRIES * due:
            if self.run.time_is_up():
                self.run.cut += due - accepted
                return
            begun = self._begin(seed, range(number, number + due - accepted))
            number += len(begun)
            accepted += self._complete(begun)
        if not accepted:
            self.left += due
            reject()

    def _begin(self, seed: bytes, numbers: Sequence[int]) -> list[BegunCase]:
        """Begin cases until one of them cannot go on."""
        begun: list[BegunCase] = []
        for number in numbers:
            if begun and self.run.time_is_up(len(begun)):
                break
            self.failed = expand_seed(seed, number)  # until it turns out to be right
            drawn = draw_from_bytes(self.failed, self.strategies)
            begun.append(self.run.begin(drawn, self.failed, self.palette, alone=not begun))
            if isinstance(begun[-1].raised, ViolationFound):
                break
        self.failed = None
        return begun

    def _complete(self, begun: list[BegunCase]) -> int:
        """Complete cases in their order; return how many were accepted."""
        accepted = 0
        for case in begun:
            self.failed = case.raw  # until it turns out to be right
            try:
                self.run.complete_case(case)
                accepted += 1
            except UnsatisfiedAssumption:
                continue
            except ExecutorLost as lost:
                lost.drawn = next((c.drawn for c in begun if c.open is lost.case), None)
                raise
        self.failed = None
        return accepted


def _palette(budget: Budget) -> Palette:
    if budget.palette_seed is not None:
        return shape_grid.draw_palette(budget.palette_seed)
    return shape_grid.DEFAULT if budget.seed is None else shape_grid.palette_of(budget.seed)


def _stream(seed: int, requirement: Requirement) -> int:
    """Return the seed of a requirement: a stream per requirement, equal for all subjects."""
    digest = hashlib.sha256(f"{seed} {requirement.id}".encode()).digest()
    return int.from_bytes(digest[:8])


_MOST_NUMBERS = 60_000
"""Numbers of a seed to choose one from; ``expand_seed`` has a few more."""


def _drawn_number(run: PropertyRun, palette: Palette) -> int:
    """Return which case of the zero seed takes the place of the simplest one in a run."""
    text = f"{run.budget.seed} {run.property.requirement.id} {palette}"
    return 1 + int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) % _MOST_NUMBERS


def _settings(budget: Budget, seeds: int) -> settings:
    return settings(
        budget.hypothesis or settings(),
        max_examples=seeds,
        database=None,
        phases=(Phase.generate,),  # counterexamples are made small by `minimize`
        deadline=None,  # compilation makes single cases a hundred times slower than others
        suppress_health_check=(
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.filter_too_much,  # such a property is vacuous, and the verdict says so
        ),
        report_multiple_bugs=False,
        print_blob=False,
        derandomize=False,
    )
