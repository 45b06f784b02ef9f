"""Verdicts as pytest outcomes: the only place that decides which verdict fails a test."""

from __future__ import annotations

import pytest

from conformance.report.text import format_violation
from conformance.requirements import Level
from conformance.requirements.verdict import Outcome, Verdict


def raise_for_verdict(verdict: Verdict, *, strict: bool) -> None:
    """Pass, skip, xfail or fail the running test.

    A violated MUST fails, and so does a verdict without any comparison. A violated SHOULD xfails.
    A MAY skips, and says what was observed.

    Args:
        verdict: The verdict on the requirement that the test stands for.
        strict: Whether a violated SHOULD also fails.

    Raises:
        pytest.skip.Exception: The requirement does not apply, or is a MAY.
        pytest.xfail.Exception: The violation is waived, or is of a SHOULD.
        pytest.fail.Exception: The verdict fails the test.
    """
    if verdict.level is Level.MAY:
        pytest.skip(f"{verdict.requirement}, {verdict.outcome.value}: {verdict.detail}")
    if verdict.outcome is Outcome.UNSUPPORTED:
        pytest.skip(verdict.detail)
    if verdict.outcome is Outcome.WAIVED:
        pytest.xfail(verdict.detail)
    if not verdict.outcome.bad:
        return
    text = format_violation(verdict)
    if verdict.outcome is Outcome.VIOLATES and verdict.level is Level.SHOULD and not strict:
        pytest.xfail(f"SHOULD: {text}")
    pytest.fail(text, pytrace=False)
