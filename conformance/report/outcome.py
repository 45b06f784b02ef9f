"""Verdicts as pytest outcomes: the one place that says which verdict fails a test."""

from __future__ import annotations

import pytest

from conformance.report.text import violation_text
from conformance.verdict import Outcome, Verdict


def settle(verdict: Verdict, *, strict: bool) -> None:
    """Pass, skip, xfail or fail: unsupported skips, a violated SHOULD xfails unless strict.

    A violated MUST fails, and so does a verdict that rests on nothing.
    """
    if verdict.outcome is Outcome.UNSUPPORTED:
        pytest.skip(verdict.detail)
    if not verdict.outcome.bad:
        return
    text = violation_text(verdict)
    if verdict.outcome is Outcome.VIOLATES and verdict.level == "should" and not strict:
        pytest.xfail(f"SHOULD: {text}")
    pytest.fail(text, pytrace=False)
