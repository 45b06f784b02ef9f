"""``--max-time``: first cases for everything, then until the time is up, and the report says so."""

from __future__ import annotations

import time

import pytest
from support.numpy_norm import NumpyNorm, OnePass, SwappedMomentum, subject

from conformance.engine.budget import FIRST_CASES, Clock, budget
from conformance.engine.judge import PropertyRun, judge
from conformance.properties import PROPERTIES
from conformance.requirements.deviations import Deviation
from conformance.requirements.verdict import Outcome, Verdict


def judge_until(
    identity: str, until: float, layer: type = NumpyNorm, *declared: Deviation
) -> Verdict:
    trial = PropertyRun(PROPERTIES[identity], subject(layer, declared), budget())
    trial.until = until
    return judge(trial)


def test_the_first_cases_are_executed_however_late_it_is():
    """The verdict rests on them, and says how many were left out."""
    verdict = judge_until("BN-EMA-2", until=0.0)
    assert verdict.outcome is Outcome.CONFORMS
    assert (verdict.cases, verdict.cut) == (FIRST_CASES, 100 - FIRST_CASES)
    assert verdict.comparisons > 0


def test_nothing_is_left_out_while_there_is_time():
    """A limit far away changes nothing."""
    verdict = judge_until("BN-EMA-2", until=time.time() + 1000)
    assert (verdict.cases, verdict.cut) == (100, 0)


def test_the_cases_are_the_first_of_the_whole_run():
    """A violation met in time is the one that a run without a limit meets, as small."""
    short = judge_until("BN-EMA-1", 0.0, SwappedMomentum)
    whole = judge_until("BN-EMA-1", time.time() + 1000, SwappedMomentum)
    assert short.outcome is Outcome.VIOLATES
    assert short.violation == whole.violation


def test_a_declaration_is_not_refuted_by_cases_left_out():
    """Too few cases to see a declared deviation do not prove that it is superfluous."""
    verdict = judge_until("BN-NUM-1", 0.0, NumpyNorm, Deviation.ONE_PASS_VARIANCE)
    assert verdict.cut > 0
    assert verdict.outcome is Outcome.CONFORMS
    assert judge_until("BN-NUM-1", 0.0, OnePass, Deviation.ONE_PASS_VARIANCE).outcome in {
        Outcome.CONFORMS,
        Outcome.DEVIATES,
    }


def test_the_clock_shares_out_what_is_left():
    """Equal shares get equal parts; time that one leaves goes to those after it."""
    now = time.time()
    clock = Clock(now + 90, weight=3.0)
    assert clock.until(1.0) - now == pytest.approx(30, abs=1)
    assert clock.until(1.0) - now == pytest.approx(45, abs=1)
    assert clock.until(1.0) - now == pytest.approx(90, abs=1)
    assert clock.until(1.0) - now == pytest.approx(90, abs=1)  # stolen from another worker


def test_a_clock_that_has_run_out_yields_nothing():
    """No requirement gets a time in the past or before now."""
    now = time.time()
    assert Clock(now - 5, weight=2.0).until(1.0) == pytest.approx(now, abs=1)
