"""Runs the cases of one property on one subject, and keeps the case that violates it.

Seeds come from Hypothesis, and several cases from each; ``minimize`` makes a failure small.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import seed as with_seed
from hypothesis.errors import UnsatisfiedAssumption

from conformance.adapters.operations.executor import ExecutorLost
from conformance.engine.budget import FIRST_CASES, Budget
from conformance.properties import Property
from conformance.properties.support.checks import ViolationFound
from conformance.properties.support.declared_cases import as_stored, settle
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


class PropertyRun:
    """One property on one subject: a function without arguments that executes its cases.

    Attributes:
        cases: Cases executed before the first failure.
        rejected: Cases that could not be used.
        cut: Cases left out because the time was up.
        until: When to stop, in seconds since 1970; the first cases are executed all the same.
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
        chosen = palettes or prop.palettes or (_palette(budget),)
        self._tests = [_SeedTest(self, palette).bind() for palette in chosen]

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

    @property
    def time_is_up(self) -> bool:
        """Whether to leave out the remaining cases; never before a failure is confirmed."""
        if self.until is None or self.failure is not None or self.cases < FIRST_CASES:
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
        if self.failure is None:  # later executions only confirm the failure
            self.cases += 1
        try:
            self.claim(drawn)
        except UnsatisfiedAssumption:
            self.rejected += 1
            raise
        except ViolationFound as found:
            violation = make_violation(self.property.requirement.id, found.finding, drawn)
            self.failure = Failure(raw, palette, violation)
            raise

    def claim(self, drawn: dict[str, Any]) -> None:
        """Judge one case, without counting it.

        Raises:
            UnsatisfiedAssumption: The case is rejected.
            ViolationFound: The case violates the requirement.
        """
        session = self.subject.session
        session.begin_case()
        try:
            if not settle(self.subject, drawn):
                self.property.claim(self.subject, **as_stored(drawn, self.subject.conventions))
                session.finish()
        except ExecutorLost as lost:
            lost.drawn = drawn
            raise

    def strategies(self, palette: Palette) -> Strategies:
        """Return the strategies of the property's arguments on a palette of shapes."""
        return {name: of(palette) for name, of in self.property.strategies.items()}


class _SeedTest:
    """The Hypothesis test of one palette: each seed stands for several cases."""

    def __init__(self, run: PropertyRun, palette: Palette) -> None:
        self.run = run
        self.palette = palette
        self.strategies = run.strategies(palette)
        self.wanted = max(1, round(run.budget.max_examples * run.property.share))
        self.left = self.wanted
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
            self._execute(self.failed)
            return
        simplest = not any(seed)  # which Hypothesis tries first, whatever it is to draw
        due, accepted = min(1 if simplest else CASES_PER_SEED, self.left), 0
        self.left -= due
        for number in range(_TRIES * due):
            if self.run.time_is_up:
                self.run.cut += due - accepted
                return
            accepted += self._execute(expand_seed(seed, number))
            if accepted == due:
                return
        if not accepted:
            self.left += due
            reject()

    def _execute(self, raw: bytes) -> bool:
        """Execute a case; return whether it was accepted."""
        self.failed = raw
        try:
            self.run.execute(draw_from_bytes(raw, self.strategies), raw, self.palette)
            accepted = True
        except UnsatisfiedAssumption:
            accepted = False
        self.failed = None
        return accepted


def _palette(budget: Budget) -> Palette:
    if budget.palette_seed is None:
        return shape_grid.DEFAULT
    return shape_grid.draw_palette(budget.palette_seed)


def _stream(seed: int, requirement: Requirement) -> int:
    """Return the seed of a requirement: a stream per requirement, equal for all subjects."""
    digest = hashlib.sha256(f"{seed} {requirement.id}".encode()).digest()
    return int.from_bytes(digest[:8])


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
