"""Verdicts as pytest outcomes."""

from __future__ import annotations

import pytest
from support.example_reports import EVERY, verdict

from conformance.frontends.pytest_plugin.outcomes import raise_for_verdict
from conformance.report.text import format_violation
from conformance.requirements.verdict import Outcome, Verdict


@pytest.mark.parametrize("one", [EVERY[0], EVERY[2]], ids=["conforms", "deviates"])
def test_good_verdicts_pass(one: Verdict):
    """Conforming and deviating verdicts pass."""
    raise_for_verdict(one, strict=True)


def test_unsupported_verdicts_skip():
    """What does not apply is skipped, with the reason."""
    with pytest.raises(pytest.skip.Exception, match=r"^needs forward, which is not there$"):
        raise_for_verdict(EVERY[3], strict=False)


@pytest.mark.parametrize("outcome", [Outcome.OBSERVED, Outcome.UNSUPPORTED, Outcome.ERRORED])
def test_what_is_left_open_skips(outcome: Outcome):
    """A MAY neither passes nor fails: the reason says which row it is, and what was observed."""
    one = verdict("BN-EPS-2", outcome, detail="gives NaN")
    with pytest.raises(pytest.skip.Exception, match=rf"^BN-EPS-2, {outcome.value}: gives NaN$"):
        raise_for_verdict(one, strict=True)


@pytest.mark.parametrize("one", [EVERY[1], EVERY[4], EVERY[5]], ids=lambda v: v.outcome.value)
def test_bad_verdicts_fail(one: Verdict):
    """Violated, vacuous and errored verdicts fail with their text."""
    with pytest.raises(pytest.fail.Exception) as failed:
        raise_for_verdict(one, strict=False)
    assert str(failed.value) == format_violation(one)


def test_a_violated_should_xfails():
    """A violated SHOULD is expected to fail, unless the run is strict."""
    should = verdict("BN-STATE-8", Outcome.VIOLATES)
    with pytest.raises(pytest.xfail.Exception, match=r"^SHOULD: BN-STATE-8"):
        raise_for_verdict(should, strict=False)
    with pytest.raises(pytest.fail.Exception):
        raise_for_verdict(should, strict=True)


def test_an_errored_should_fails():
    """Only a violation of a SHOULD is forgiven; an error of the suite is not."""
    with pytest.raises(pytest.fail.Exception):
        raise_for_verdict(verdict("BN-STATE-8", Outcome.ERRORED, detail="broken"), strict=False)
