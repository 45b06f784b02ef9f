"""Judges one requirement on one implementation: cases in, verdict out.

The command line, pytest and a user's own test file all use ``PropertyRun`` and ``judge``.
"""

from __future__ import annotations

import math
import time
import traceback
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from hypothesis.errors import Flaky, Unsatisfiable

from conformance.adapters.operations.executor import ExecutorLost
from conformance.engine.budget import Budget
from conformance.engine.deviations import (
    cases_discriminate,
    is_set_aside,
    is_shown,
    refine_outcome,
    unneeded_declaration,
)
from conformance.engine.garbage import collecting_rarely
from conformance.engine.jax_runtime import unload_programs_if_many
from conformance.engine.minimize import minimize
from conformance.engine.observing import observe
from conformance.engine.runner import PropertyRun
from conformance.properties import PROPERTIES
from conformance.properties.support.checks import ViolationFound
from conformance.properties.support.notes import VISIBLE, Notes, taking_notes
from conformance.properties.support.second_order import NotOffered
from conformance.properties.support.subject import Subject
from conformance.requirements import Level, Requirement
from conformance.requirements.designs import restriction_on
from conformance.requirements.deviations import Deviation
from conformance.requirements.verdict import LEFT_OUT, Outcome, Verdict, Violation
from conformance.strategies.codec import CodecError, decode, make_violation

__all__ = ["PropertyRun", "judge", "judge_requirement", "judge_stored", "unsupported"]

_SET_ASIDE = "set aside by a declared deviation, which it contradicts"
_NOT_EACH_TIME = "the same call did not fail each time: look for hidden state or randomness"
_VACUOUS = "no case was executed, or nothing was compared in any"
_TOO_LARGE = "its programs grow with the rows, and are too large to compile"
_ENOUGH = 10
"""Cases among which a property must have one that sees an error: fewer may all miss it."""

_BLIND = f"no comparison could see an error of {VISIBLE:.0%}: each bound was larger"


@dataclass(frozen=True, slots=True)
class _Result:
    outcome: Outcome
    detail: str = ""
    violation: Violation | None = None


def judge(run: PropertyRun, call: Callable[[], None] | None = None) -> Verdict:
    """Execute a run and return the verdict; only interrupts are raised.

    Args:
        run: The run.
        call: What to call instead of the run itself, for a test runner that wraps it.
    """
    started = time.perf_counter()
    unload_programs_if_many()
    visible = math.inf if run.subject.conventions.roundoff() else VISIBLE
    with taking_notes(visible) as notes, warnings.catch_warnings(), collecting_rarely():
        warnings.simplefilter("ignore")  # the user's filters must not decide verdicts
        try:
            result = _judge(run, call or run, notes)
        except ExecutorLost as lost:
            result = _Result(Outcome.VIOLATES, violation=_violation_of(run, lost))
    return Verdict(
        requirement=run.property.requirement.id,
        implementation=run.subject.implementation.name,
        kind=run.subject.implementation.kind,
        outcome=result.outcome,
        level=run.property.requirement.level,
        cases=run.cases,
        rejected=run.rejected,
        cut=run.cut,
        comparisons=notes.comparisons,
        worst=notes.worst if notes.measured else None,
        worst_quantity=notes.worst_quantity,
        resolution=notes.decided(),
        seconds=round(time.perf_counter() - started, 4),
        violation=result.violation,
        detail=_with_left_out(result.detail, notes),
    )


def _with_left_out(detail: str, notes: Notes) -> str:
    """Return the explanation of an outcome, with the inputs that were not judged."""
    left_out = LEFT_OUT + "; ".join(notes.left_out) if notes.left_out else ""
    return "; ".join(filter(None, (detail, left_out)))


def _violation_of(run: PropertyRun, lost: ExecutorLost) -> Violation:
    """Return the violation, with the case that was being executed if there was one."""
    if lost.drawn is None:
        return Violation(finding=lost.finding)
    return make_violation(run.property.requirement.id, lost.finding, lost.drawn)


def _judge(run: PropertyRun, call: Callable[[], None], notes: Notes) -> _Result:
    """Judge by the declared conventions, then find out whether they were needed."""
    if is_set_aside(run):
        outcome, violation = refine_outcome(run)
        return _Result(outcome, _SET_ASIDE, violation)
    return _execute(run, call) or _refine(run, notes)


def _execute(run: PropertyRun, call: Callable[[], None]) -> _Result | None:
    """Execute a run; return how it ended unless every case met the requirement."""
    try:
        call()
    except ViolationFound:
        assert run.failure is not None, "the run keeps it"  # noqa: S101
        found = minimize(run, run.failure) if run.budget.minimize else run.failure.violation
        return _Result(Outcome.VIOLATES, _NOT_EACH_TIME * found.flaky, found)
    except Unsatisfiable as error:
        return _Result(Outcome.VACUOUS, str(error) or _VACUOUS)
    except NotOffered as refusal:
        return _Result(Outcome.UNSUPPORTED, str(refusal))
    except Flaky as error:
        if run.violation is None:
            return _Result(Outcome.ERRORED, str(error))
        return _Result(Outcome.VIOLATES, _NOT_EACH_TIME, replace(run.violation, flaky=True))
    except Exception as error:  # noqa: BLE001  a defect of the suite must not end the run
        text = "".join(traceback.format_exception(error, limit=-4))
        why = f"the suite itself failed: {type(error).__name__}: {error}\n{text}"
        return _Result(Outcome.ERRORED, why)
    return None


def _refine(run: PropertyRun, notes: Notes) -> _Result:
    """Return how a run without violation ends: conforming, deviating, vacuous, over-declared."""
    if notes.comparisons == 0 or run.cases <= run.rejected:
        return _Result(Outcome.VACUOUS, _VACUOUS)
    if notes.too_large:
        return _Result(Outcome.UNSUPPORTED, _TOO_LARGE)
    if notes.missing:
        return _Result(Outcome.VACUOUS, notes.missing)
    if notes.blind and run.cases - run.rejected >= _ENOUGH:
        return _Result(Outcome.VACUOUS, _BLIND)
    if notes.worst_strict > 1:
        return _Result(Outcome.DEVIATES)
    if not run.complete:
        return _Result(Outcome.CONFORMS)
    by_bounds = Deviation.ONE_PASS_VARIANCE
    declared = run.subject.conventions.follows(by_bounds)
    if declared and is_shown(run, by_bounds) and cases_discriminate(run, by_bounds):
        return _Result(Outcome.VIOLATES, violation=unneeded_declaration(by_bounds))
    outcome, violation = refine_outcome(run)
    return _Result(outcome, violation=violation)


def unsupported(requirement: Requirement, subject: Subject) -> Verdict | None:
    """Return the verdict for a requirement that does not apply, or None if it does."""
    needs = requirement.needs
    why = restriction_on(requirement.id, subject.implementation.design.without)
    if needs in subject.implementation.capabilities and not why:
        return None
    why = why or f"needs {needs.value}, which the implementation does not offer"
    return _unjudged(requirement, subject, Outcome.UNSUPPORTED, why)


def _unjudged(row: Requirement, subject: Subject, outcome: Outcome, detail: str) -> Verdict:
    return Verdict(
        requirement=row.id,
        implementation=subject.implementation.name,
        kind=subject.implementation.kind,
        outcome=outcome,
        level=row.level,
        detail=detail,
    )


def judge_stored(run: PropertyRun, values: Mapping[str, Any]) -> Verdict:
    """Return the verdict on one case, in the exact form that reports and waivers have.

    It is errored if the case cannot be read, or does not belong to this requirement.

    Args:
        run: A run of the requirement.
        values: The encoded arguments of the property, by name.
    """
    row = run.property.requirement
    try:
        drawn = {name: decode(value) for name, value in values.items()}
        if sorted(drawn) != sorted(run.property.strategies):
            needed = ", ".join(sorted(run.property.strategies))
            msg = f"it has {', '.join(sorted(drawn)) or 'nothing'} where {row.id} has {needed}"
            raise CodecError(msg)  # noqa: TRY301  reported as the others are
    except CodecError as error:
        why = f"the stored case cannot be read: {error}"
        return _unjudged(row, run.subject, Outcome.ERRORED, why)
    return judge(run, partial(run.replay, drawn))


def judge_requirement(
    requirement: Requirement,
    subject: Subject,
    budget: Budget,
    values: Mapping[str, Any] | None = None,
    *,
    until: float | None = None,
) -> Verdict:
    """Return the verdict on one requirement, without any test runner around it.

    Args:
        requirement: The requirement.
        subject: The implementation.
        budget: How many cases to generate, and from which seed.
        values: A stored case, on which alone it is judged.
        until: When to stop, in seconds since 1970.
    """
    if verdict := unsupported(requirement, subject):
        return verdict
    if requirement.level is Level.MAY:
        return observe(requirement, subject)
    run = PropertyRun(PROPERTIES[requirement.id], subject, budget, until=until)
    return judge(run) if values is None else judge_stored(run, values)
