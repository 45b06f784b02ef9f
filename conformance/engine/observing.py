"""Observes what an implementation does where a MAY row leaves it free."""

from __future__ import annotations

import time
import warnings

from conformance.adapters.errors import describe
from conformance.adapters.operations.executor import ExecutorLost
from conformance.properties import PROPERTIES
from conformance.properties.support.checks import ViolationFound
from conformance.properties.support.subject import Subject
from conformance.requirements import Requirement
from conformance.requirements.verdict import Outcome, Verdict


def observe(row: Requirement, subject: Subject) -> Verdict:
    """Return the observation as a verdict: a crash or a hang is one, too.

    Args:
        row: The MAY row, which applies to the implementation.
        subject: The implementation.
    """
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the user's filters must not decide what is observed
        outcome, detail = _observe(row, subject)
    return Verdict(
        requirement=row.id,
        implementation=subject.implementation.name,
        kind=subject.implementation.kind,
        outcome=outcome,
        level=row.level,
        seconds=round(time.perf_counter() - started, 4),
        detail=detail,
    )


def _observe(row: Requirement, subject: Subject) -> tuple[Outcome, str]:
    try:
        subject.session.begin_case()
        return Outcome.OBSERVED, str(PROPERTIES[row.id].claim(subject))
    except ViolationFound as found:  # no array where there has to be one
        return Outcome.OBSERVED, found.finding.sentence()
    except ExecutorLost as lost:
        return Outcome.OBSERVED, f"{lost.finding.quantity} ends it: {lost.finding.got}"
    except Exception as error:  # noqa: BLE001  a result that cannot be described ends no run
        return Outcome.ERRORED, f"the result cannot be described: {describe(error)}"
