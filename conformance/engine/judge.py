"""Judging one requirement on one implementation: cases in, verdict out.

Every door of the suite (the command line, pytest, a user's own test file) comes through
``Trial`` and ``judge``.
"""

from __future__ import annotations

import time
import traceback
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from hypothesis.errors import Flaky, Unsatisfiable

from conformance.engine.budget import Budget
from conformance.engine.deviations import contradicted, finer, shown_by, superfluous, told
from conformance.engine.jax_runtime import unload_programs_if_many
from conformance.engine.runner import Trial
from conformance.properties import PROPERTIES
from conformance.properties.support.checks import Notes, ViolationFound, taking_notes
from conformance.properties.support.subject import Subject
from conformance.requirements import Requirement
from conformance.requirements.deviations import Deviation
from conformance.requirements.verdict import Outcome, Verdict
from conformance.strategies.codec import CodecError, decode

__all__ = ["Trial", "judge", "judge_requirement", "judge_stored", "unsupported"]


def judge(trial: Trial, run: Callable[[], None] | None = None) -> Verdict:
    """Run a trial to its end and return the verdict; only interrupts are raised.

    ``run`` is what to call instead of the trial itself, for a runner that wraps it.
    """
    started = time.perf_counter()
    unload_programs_if_many()
    with taking_notes() as notes, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the user's filters must not decide verdicts
        outcome, detail = _judged(trial, run or trial, notes)
    return Verdict(
        requirement=trial.property.requirement.id,
        implementation=trial.subject.implementation.name,
        kind=trial.subject.implementation.kind,
        outcome=outcome,
        level=trial.property.requirement.level,
        cases=trial.cases,
        rejected=trial.rejected,
        cut=trial.cut,
        comparisons=notes.comparisons,
        worst=notes.worst if notes.measured else None,
        worst_quantity=notes.worst_quantity,
        seconds=round(time.perf_counter() - started, 4),
        violation=trial.violation if outcome is Outcome.VIOLATES else None,
        detail=detail or _VACUOUS * (outcome is Outcome.VACUOUS),
    )


def _judged(trial: Trial, run: Callable[[], None], notes: Notes) -> tuple[Outcome, str]:
    """Judge by what is declared, then find out whether the declaration was needed."""
    if contradicted(trial):
        return finer(trial), _SET_ASIDE
    outcome, detail = _outcome(trial, run)
    return (_finer(trial, notes) if outcome is Outcome.CONFORMS else outcome), detail


_SET_ASIDE = "set aside by a declared deviation, which it contradicts"
_NOT_EACH_TIME = "the same call did not fail each time: look for hidden state or randomness"
_VACUOUS = "no case was executed, or nothing was compared in any"


def unsupported(requirement: Requirement, subject: Subject) -> Verdict | None:
    """Return the verdict for a requirement that does not apply, or None if it does."""
    needs = requirement.needs
    if needs in subject.implementation.capabilities:
        return None
    why = f"needs {needs.value}, which the implementation does not offer"
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


def judge_stored(trial: Trial, values: Mapping[str, Any]) -> Verdict:
    """Return the verdict on one case, in the exact form that reports and waivers have.

    It is errored if the case cannot be read, or is no case of this requirement.
    """
    row = trial.property.requirement
    try:
        drawn = {name: decode(value) for name, value in values.items()}
        if sorted(drawn) != sorted(trial.property.decoders):
            needed = ", ".join(sorted(trial.property.decoders))
            msg = f"it has {', '.join(sorted(drawn)) or 'nothing'} where {row.id} has {needed}"
            raise CodecError(msg)  # noqa: TRY301  told as the others are
    except CodecError as error:
        why = f"the stored case cannot be read: {error}"
        return _unjudged(row, trial.subject, Outcome.ERRORED, why)
    return replace(judge(trial, partial(trial.replay, drawn)), cut=0)


def judge_requirement(
    requirement: Requirement,
    subject: Subject,
    budget: Budget,
    values: Mapping[str, Any] | None = None,
    *,
    until: float | None = None,
) -> Verdict:
    """Return the verdict on one requirement, without any test runner around it.

    ``values``: a stored case, on which alone it is judged. ``until``: when to stop, in seconds
    since 1970.
    """
    if verdict := unsupported(requirement, subject):
        return verdict
    trial = Trial(PROPERTIES[requirement.id], subject, budget)
    trial.until = until
    return judge(trial) if values is None else judge_stored(trial, values)


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
    if trial.cut:
        return Outcome.CONFORMS  # too few cases to say that a declaration is superfluous
    by_bounds = Deviation.ONE_PASS_VARIANCE
    implementation = trial.subject.implementation
    shows = shown_by(by_bounds, implementation) == trial.property.requirement.id
    declared = by_bounds in implementation.deviations
    if shows and declared and told(trial, by_bounds):
        return superfluous(trial, by_bounds)
    return finer(trial)
