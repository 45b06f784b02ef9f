"""One property bound to one subject: its cases, and the counterexample that was met.

Seeds come from Hypothesis, and several cases from each; counterexamples are made small here.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import seed as with_seed
from hypothesis.errors import Flaky, UnsatisfiedAssumption

from conformance.adapters import call_hooks
from conformance.engine.budget import FIRST_CASES, Budget
from conformance.properties import Property
from conformance.properties.support.checks import ViolationFound
from conformance.properties.support.declared_state import as_stored
from conformance.properties.support.single_row import settled
from conformance.properties.support.subject import Subject
from conformance.requirements import Requirement
from conformance.requirements.verdict import Violation
from conformance.strategies import shape_grid
from conformance.strategies.bytestream import SEEDS, ByteStrategy, draw_from_bytes, expand_seed
from conformance.strategies.case import literals
from conformance.strategies.codec import make_violation
from conformance.strategies.shrinking import Attempt, shrink

_SHRINKING = 250
"""Executions that may go into a smaller counterexample; fewer where each costs much."""

CASES_PER_SEED = 10
"""Cases that are expanded from one of Hypothesis's seeds: what it does for each seed, drawing and
keeping it, and saving and restoring random states, costs half as much as judging a short case."""

_TRIES = 10
"""How many cases may be rejected for each that is not; Hypothesis allows as many."""

_SMALL = tuple(entry for entry in shape_grid.DEFAULT if entry.rows * entry.features <= 9)
"""Where a counterexample is looked for first; it has every kind of shape that a strategy needs."""


class Trial:
    """One property bound to one subject: a function without arguments that runs its cases.

    It counts what was executed, and keeps the violation that was seen last.
    """

    def __init__(self, prop: Property, subject: Subject, budget: Budget) -> None:
        self.property = prop
        self.subject = subject
        self.cases = 0
        self.rejected = 0
        self.cut = 0
        self.until: float | None = None
        """When to stop, as seconds since 1970; the first cases are executed all the same."""
        self.violation: Violation | None = None
        self.budget = budget
        self._raw = b""
        self._entries: tuple[shape_grid.Entry, ...] = ()
        self._counted_out = False
        self._runs = [
            self._hypothesis_test(entries) for entries in prop.palettes or (_palette(budget),)
        ]

    def __call__(self) -> None:
        """Run every case; raise the first violation."""
        for run in self._runs:
            run()

    def minimize(self) -> None:
        """Replace the violation by a small one: among the smallest shapes if it occurs there.

        A smaller shape that fails needs other values, so it is searched for and not shrunk to.
        """
        assert self.violation is not None, "there is something to minimize"  # noqa: S101
        met, raw, entries = self.violation, self._raw, self._entries
        self.violation = None
        try:
            self._hypothesis_test(_SMALL)()
        except (ViolationFound, Flaky):
            raw, entries = self._raw, _SMALL
        self.violation = self.violation or met
        attempts = round(_SHRINKING * min(1.0, 4 * self.property.share))
        smallest = shrink(raw, lambda candidate: self._outcome_of(candidate, entries), attempts)
        if smallest is None:
            self.violation = replace(self.violation, flaky=True)

    def _outcome_of(self, raw: bytes, entries: tuple[shape_grid.Entry, ...]) -> Attempt:
        """Return the literal form of a candidate, and how to find out whether it violates."""
        drawn = draw_from_bytes(raw, self._decoders(entries))
        inputs = literals(drawn)

        def violates() -> bool:
            call_hooks.notify_case(raw, entries)
            try:
                self._claim(drawn)
            except UnsatisfiedAssumption:
                return False  # a declared deviation does not take it
            except ViolationFound as found:
                name = self.property.requirement.id
                self.violation = make_violation(name, found.finding, drawn, inputs)
                return True
            return False

        return Attempt(repr(inputs), violates)

    def _decoders(self, entries: tuple[shape_grid.Entry, ...]) -> dict[str, ByteStrategy[Any]]:
        return {name: of(entries) for name, of in self.property.decoders.items()}

    @property
    def flaky(self) -> bool:
        """Whether the violation did not come back when the same case was run again."""
        return self.violation is not None and self.violation.flaky

    @property
    def test(self) -> Callable[[], None]:
        """What a runner calls: the Hypothesis test itself where there is only one."""
        return self._runs[0] if len(self._runs) == 1 else self.__call__

    def _hypothesis_test(self, entries: tuple[shape_grid.Entry, ...]) -> Callable[[], None]:
        decoders = self._decoders(entries)
        left = wanted = max(1, round(self.budget.max_examples * self.property.share))
        failed: bytes | None = None

        def execute(raw: bytes) -> bool:
            """Execute a case, and tell whether it was one: not if it was rejected."""
            nonlocal failed
            self._raw, self._entries, failed = raw, entries, raw
            call_hooks.notify_case(raw, entries)
            try:
                self._execute(draw_from_bytes(raw, decoders))
            except UnsatisfiedAssumption:
                failed = None
                return False
            failed = None
            return True

        def test(seed: bytes) -> None:
            nonlocal left
            if failed is not None:  # Hypothesis asks whether it fails again
                execute(failed)
                return
            simplest = not any(seed)  # which Hypothesis tries first, whatever it is to draw
            due, accepted = min(1 if simplest else CASES_PER_SEED, left), 0
            left -= due
            for number in range(_TRIES * due):
                if self._time_is_up:
                    self.cut += due - accepted
                    return
                accepted += execute(expand_seed(seed, number))
                if accepted == due:
                    return
            if not accepted:
                left += due
                reject()

        test.__name__ = test.__qualname__ = self.property.claim.__name__
        test.__doc__ = self.property.claim.__doc__
        seeds = 1 + math.ceil((wanted - 1) / CASES_PER_SEED)
        bound = _settings(self.budget, seeds)(given(SEEDS)(test))
        if self.budget.seed is None:
            return bound
        return with_seed(_stream(self.budget.seed, self.property.requirement))(bound)

    @property
    def _time_is_up(self) -> bool:
        """Whether to leave out what follows; not while a counterexample is made small."""
        if self.until is None or self._counted_out or self.cases < FIRST_CASES:
            return False
        return time.time() > self.until

    def _execute(self, drawn: dict[str, Any]) -> None:
        if not self._counted_out:
            self.cases += 1
        try:
            self._claim(drawn)
        except UnsatisfiedAssumption:
            self.rejected += 1
            raise
        except ViolationFound as found:
            self._counted_out = True  # what follows makes the counterexample smaller
            self.violation = make_violation(self.property.requirement.id, found.finding, drawn)
            raise

    def replay(self, drawn: dict[str, Any]) -> None:
        """Execute one case that was drawn before; raise its violation, if it has one."""
        self.cut = 1  # one case says nothing about a declaration
        self._execute(drawn)

    def _claim(self, drawn: dict[str, Any]) -> None:
        if not settled(self.subject, drawn):
            self.property.claim(self.subject, **as_stored(drawn, self.subject.conventions))


def _palette(budget: Budget) -> tuple[shape_grid.Entry, ...]:
    if budget.palette_seed is None:
        return shape_grid.DEFAULT
    return shape_grid.draw_palette(budget.palette_seed)


def _stream(seed: int, requirement: Requirement) -> int:
    """Return the seed of a requirement: its own stream, the same for every implementation."""
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
