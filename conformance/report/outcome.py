"""Verdicts as pytest outcomes: the one place that says which verdict fails a test."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from conformance.report.text import violation_text
from conformance.requirements.verdict import Outcome, Verdict


def settle(verdict: Verdict, *, strict: bool) -> None:
    """Pass, skip, xfail or fail: unsupported skips, a violated SHOULD xfails unless strict.

    A violated MUST fails, and so does a verdict that rests on nothing.
    """
    if verdict.outcome is Outcome.UNSUPPORTED:
        pytest.skip(verdict.detail)
    if verdict.outcome is Outcome.WAIVED:
        pytest.xfail(verdict.detail)
    if not verdict.outcome.bad:
        return
    text = violation_text(verdict)
    if verdict.outcome is Outcome.VIOLATES and verdict.level == "should" and not strict:
        pytest.xfail(f"SHOULD: {text}")
    pytest.fail(text, pytrace=False)


def told_properties(verdict: Verdict) -> list[tuple[str, object]]:
    """Return what JUnit tells of a test case, besides the verdict as a whole."""
    return [
        ("requirement", verdict.requirement),
        ("implementation", verdict.implementation),
        ("level", verdict.level),
        ("outcome", verdict.outcome.value),
    ]


def exit_code(verdicts: Iterable[Verdict], *, strict: bool) -> int:
    """Return the exit code that verdicts lead to, as ``conformance run --help`` documents it."""
    found = list(verdicts)
    if not any(v.outcome.judged or v.outcome.bad for v in found):
        return 5
    counted = [v for v in found if v.outcome.bad and (v.level == "must" or strict)]
    if any(v.outcome is Outcome.VIOLATES for v in counted):
        return 1
    if any(v.outcome is Outcome.ERRORED for v in found):
        return 2  # at any level: nothing is known about the requirement
    return 1 if counted else 0
