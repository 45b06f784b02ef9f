"""The Hypothesis tests of a property: seeds come from Hypothesis, and several cases from each."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence

from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import seed as with_seed
from hypothesis.errors import UnsatisfiedAssumption

from conformance.adapters.operations.executor import ExecutorLost
from conformance.engine.budget import Budget, cases_of
from conformance.engine.case_run import BegunCase, CaseRun, Palette
from conformance.properties.support.checks import ViolationFound
from conformance.requirements import Requirement
from conformance.strategies.bytestream import SEEDS, draw_from_bytes, expand_seed

CASES_PER_SEED = 10
"""Cases that are expanded from one of Hypothesis's seeds: what it does for each seed, drawing and
keeping it, and saving and restoring random states, costs half as much as judging a short case."""

_TRIES = 10
"""How many cases may be rejected for each that is not; Hypothesis allows as many."""


class SeedTest:
    """The Hypothesis test of one palette: each seed stands for several cases."""

    def __init__(self, run: CaseRun, palette: Palette, wanted: int = 0) -> None:
        self.run = run
        self.palette = palette
        self.strategies = run.strategies(palette)
        self.wanted = wanted or cases_of(run.property.share, run.budget.max_examples)
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


def _stream(seed: int, requirement: Requirement) -> int:
    """Return the seed of a requirement: a stream per requirement, equal for all subjects."""
    digest = hashlib.sha256(f"{seed} {requirement.id}".encode()).digest()
    return int.from_bytes(digest[:8])


_MOST_NUMBERS = 60_000
"""Numbers of a seed to choose one from; ``expand_seed`` has a few more."""


def _drawn_number(run: CaseRun, palette: Palette) -> int:
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
