"""Judging one requirement on one implementation: cases in, verdict out.

Every door of the suite (the command line, pytest, a user's own test file) comes through
``Trial`` and ``judge``.
"""

from __future__ import annotations

import hashlib
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as with_seed
from hypothesis.errors import Flaky, Unsatisfiable, UnsatisfiedAssumption

from conformance.case import literals
from conformance.checks import Notes, ViolationFound, taking_notes
from conformance.implementation import Deviation
from conformance.profiles import Budget
from conformance.properties import PROPERTIES, Property
from conformance.requirements import Requirement
from conformance.shrinking import Attempt, reduced
from conformance.strategies import palette
from conformance.strategies.source import BYTES, Decoder, decoded_from
from conformance.subject import Subject
from conformance.verdict import Finding, Outcome, Verdict, Violation

_SHRINKING = 250
"""Executions that may go into a smaller counterexample; fewer where each costs much."""

_SMALL = tuple(entry for entry in palette.DEFAULT if entry.rows * entry.features <= 9)
"""Where a counterexample is looked for first; it has every kind of shape that a strategy needs."""

_SHOWN_BY = {"BN-NUM-1": Deviation.ONE_PASS_VARIANCE}
"""The requirement whose inputs are made to show a declared deviation, if it is there."""


class _Enough(BaseException):
    """Ends shrinking when it has cost what it may."""


class Trial:
    """One property bound to one subject: a function without arguments that runs its cases.

    It counts what was executed, and keeps the violation that was seen last.
    """

    def __init__(self, prop: Property, subject: Subject, budget: Budget) -> None:
        self.property = prop
        self.subject = subject
        self.cases = 0
        self.rejected = 0
        self.violation: Violation | None = None
        self.budget = budget
        self._raw = b""
        self._entries: tuple[palette.Entry, ...] = ()
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
        smallest = reduced(raw, lambda candidate: self._outcome_of(candidate, entries), attempts)
        if smallest is None:
            self.violation = replace(self.violation, flaky=True)

    def _outcome_of(self, raw: bytes, entries: tuple[palette.Entry, ...]) -> Attempt:
        """Return the literal form of a candidate, and how to find out whether it violates."""
        drawn = decoded_from(raw, self._decoders(entries))
        inputs = literals(drawn)

        def violates() -> bool:
            try:
                self.property.claim(self.subject, **drawn)
            except ViolationFound as found:
                self.violation = Violation(finding=found.finding, inputs=inputs)
                return True
            return False

        return Attempt(repr(inputs), violates)

    def _decoders(self, entries: tuple[palette.Entry, ...]) -> dict[str, Decoder[Any]]:
        return {name: of(entries) for name, of in self.property.decoders.items()}

    @property
    def flaky(self) -> bool:
        """Whether the violation did not come back when the same case was run again."""
        return self.violation is not None and self.violation.flaky

    @property
    def test(self) -> Callable[[], None]:
        """What a runner calls: the Hypothesis test itself where there is only one."""
        return self._runs[0] if len(self._runs) == 1 else self.__call__

    def _hypothesis_test(self, entries: tuple[palette.Entry, ...]) -> Callable[[], None]:
        decoders = self._decoders(entries)

        def test(raw: bytes) -> None:
            self._raw, self._entries = raw, entries
            self._execute(decoded_from(raw, decoders))

        test.__name__ = test.__qualname__ = self.property.claim.__name__
        test.__doc__ = self.property.claim.__doc__
        bound = _settings(self.budget, self.property.share)(given(BYTES)(test))
        if self.budget.seed is None:
            return bound
        return with_seed(_stream(self.budget.seed, self.property.requirement))(bound)

    def _execute(self, drawn: dict[str, Any]) -> None:
        if not self._counted_out:
            self.cases += 1
        try:
            self.property.claim(self.subject, **drawn)
        except UnsatisfiedAssumption:
            self.rejected += 1
            raise
        except ViolationFound as found:
            self._counted_out = True  # what follows makes the counterexample smaller
            self.violation = Violation(finding=found.finding, inputs=literals(drawn))
            raise


def judge(trial: Trial, run: Callable[[], None] | None = None) -> Verdict:
    """Run a trial to its end and return the verdict; only interrupts are raised.

    ``run`` is what to call instead of the trial itself, for a runner that wraps it.
    """
    started = time.perf_counter()
    with taking_notes() as notes, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the user's filters must not decide verdicts
        outcome, detail = _outcome(trial, run or trial)
    if outcome is Outcome.CONFORMS:
        outcome = _finer(trial, notes)
    return Verdict(
        requirement=trial.property.requirement.id,
        implementation=trial.subject.implementation.name,
        kind=trial.subject.implementation.kind,
        outcome=outcome,
        level=trial.property.requirement.level.value,
        cases=trial.cases,
        rejected=trial.rejected,
        comparisons=notes.comparisons,
        worst=notes.worst if notes.measured else None,
        worst_quantity=notes.worst_quantity,
        seconds=round(time.perf_counter() - started, 4),
        violation=trial.violation if outcome is Outcome.VIOLATES else None,
        detail=detail or _VACUOUS * (outcome is Outcome.VACUOUS),
    )


_NOT_EACH_TIME = "the same call did not fail each time: look for hidden state or randomness"
_VACUOUS = "no case was executed, or nothing was compared in any"


def unsupported(requirement: Requirement, subject: Subject) -> Verdict | None:
    """Return the verdict for a requirement that does not apply, or None if it does."""
    needs = requirement.needs
    implementation = subject.implementation
    if needs in implementation.capabilities:
        return None
    return Verdict(
        requirement=requirement.id,
        implementation=implementation.name,
        kind=implementation.kind,
        outcome=Outcome.UNSUPPORTED,
        level=requirement.level.value,
        detail=f"needs {needs.value}, which the implementation does not offer",
    )


def judge_requirement(requirement: Requirement, subject: Subject, budget: Budget) -> Verdict:
    """Return the verdict on one requirement, without any test runner around it."""
    verdict = unsupported(requirement, subject)
    return verdict or judge(Trial(PROPERTIES[requirement.id], subject, budget))


def _outcome(trial: Trial, run: Callable[[], None]) -> tuple[Outcome, str]:
    try:
        run()
    except ViolationFound:
        if trial.budget.minimize:
            trial.minimize()
        return Outcome.VIOLATES, _NOT_EACH_TIME if trial.flaky else ""
    except Unsatisfiable as error:
        return Outcome.VACUOUS, str(error)
    except Flaky as error:
        if trial.violation is None:
            return Outcome.ERRORED, str(error)
        trial.violation = replace(trial.violation, flaky=True)
        return Outcome.VIOLATES, _NOT_EACH_TIME
    except Exception as error:  # noqa: BLE001  a defect of the suite must not end the run
        text = "".join(traceback.format_exception(error, limit=-4))
        return Outcome.ERRORED, f"the suite itself failed: {type(error).__name__}: {error}\n{text}"
    return Outcome.CONFORMS, ""


def _finer(trial: Trial, notes: Notes) -> Outcome:
    """Tell conforming from deviating, vacuous, and a declaration that is not borne out."""
    if notes.comparisons == 0 or trial.cases <= trial.rejected:
        return Outcome.VACUOUS
    if notes.worst_strict > 1:
        return Outcome.DEVIATES
    declared = _SHOWN_BY.get(trial.property.requirement.id)
    if declared in trial.subject.implementation.deviations:
        trial.violation = Violation(
            finding=Finding(
                quantity=f"the declared deviation {declared.name if declared else ''}",
                got="results within the bound that needs no declaration",
                expected="a deviation; remove the declaration",
            )
        )
        return Outcome.VIOLATES
    return Outcome.CONFORMS


def _palette(budget: Budget) -> tuple[palette.Entry, ...]:
    if budget.palette_seed is None:
        return palette.DEFAULT
    return palette.fresh(budget.palette_seed)


def _stream(seed: int, requirement: Requirement) -> int:
    """Return the seed of a requirement: its own stream, the same for every implementation."""
    digest = hashlib.sha256(f"{seed} {requirement.id}".encode()).digest()
    return int.from_bytes(digest[:8])


def _settings(budget: Budget, share: float) -> settings:
    return settings(
        budget.hypothesis or settings(),
        max_examples=max(1, round(budget.max_examples * share)),
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
