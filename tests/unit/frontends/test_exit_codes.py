"""The exit code of a run: from verdicts, the end of the session, signals and waivers."""

from __future__ import annotations

import pytest

from conformance.engine.budget import budget
from conformance.frontends.pytest_plugin.collector import VerdictCollector
from conformance.frontends.run_config import RunConfig
from conformance.frontends.run_session import decide_exit_code
from conformance.report.exit_codes import ExitCode
from conformance.requirements import REQUIREMENTS
from conformance.requirements.verdict import Outcome, Verdict

GOOD, BAD, NO = Outcome.CONFORMS, Outcome.VIOLATES, Outcome.UNSUPPORTED
SEEN, LOST = Outcome.OBSERVED, Outcome.ERRORED
MUST, SHOULD, MAY = "BN-EVAL-1", "BN-STATE-8", "BN-EPS-2"
STALE = ["the waiver of BN-EVAL-1 for x is not needed any more."]


def make_collector(*pairs: tuple[str, Outcome], strict: bool = False) -> VerdictCollector:
    """Return a collector with verdicts on one implementation."""
    rows = tuple(REQUIREMENTS[name] for name, _ in pairs)
    run = RunConfig(implementations=("x",), requirements=rows, budget=budget(), strict=strict)
    collector = VerdictCollector(run)
    for row, (_, outcome) in zip(rows, pairs, strict=True):
        collector.add(
            Verdict(
                requirement=row.id, implementation="x", kind="", outcome=outcome, level=row.level
            )
        )
    return collector


@pytest.mark.parametrize(
    ("collector", "code"),
    [
        (make_collector((MUST, GOOD)), ExitCode.OK),
        (make_collector((MUST, BAD)), ExitCode.FAILED),
        (make_collector((SHOULD, BAD), (MUST, GOOD)), ExitCode.OK),
        (make_collector((SHOULD, BAD), strict=True), ExitCode.FAILED),
        (make_collector((MUST, NO)), ExitCode.NOTHING_JUDGED),
        (make_collector(), ExitCode.NOTHING_JUDGED),
        (make_collector((MAY, SEEN)), ExitCode.OK),
        (make_collector((MAY, NO)), ExitCode.NOTHING_JUDGED),
        (make_collector((MAY, LOST)), ExitCode.UNUSABLE),
        (make_collector((MAY, LOST), (MUST, GOOD), strict=True), ExitCode.OK),
        (make_collector((MAY, SEEN), (MUST, BAD)), ExitCode.FAILED),
        (make_collector((MAY, SEEN), (MUST, NO)), ExitCode.NOTHING_JUDGED),
    ],
)
def test_the_code_follows_from_verdicts(collector: VerdictCollector, code: ExitCode):
    """A violated MUST fails the run, a SHOULD if that is asked for; a MAY counts alone only."""
    assert decide_exit_code(collector) is code


def test_a_run_that_breaks_off_is_never_a_success():
    """Whatever was judged until then, something that was expected is missing."""
    collector = make_collector((MUST, GOOD))
    collector.expected = {(MUST, "x"), (SHOULD, "x")}
    assert decide_exit_code(collector) is ExitCode.FAILED


@pytest.mark.parametrize(
    ("outcome", "code"),
    [(GOOD, ExitCode.UNUSABLE), (NO, ExitCode.UNUSABLE), (BAD, ExitCode.FAILED)],
)
def test_a_stale_waiver_spoils_success_only(outcome: Outcome, code: ExitCode):
    """A waiver that does not fit makes the command unusable; a violation comes first."""
    assert decide_exit_code(make_collector((MUST, outcome)), stale=STALE) is code


@pytest.mark.parametrize("signal", [ExitCode.INTERRUPTED, ExitCode.TERMINATED])
def test_a_signal_comes_first(signal: ExitCode):
    """A run that a signal ended has its code, whatever else there is to say."""
    assert decide_exit_code(make_collector((MUST, BAD)), signal, STALE) is signal


def test_only_items_of_the_run_are_expected():
    """Other tests of the session are none of the run's; names need not be parsed."""
    collector = make_collector((MUST, GOOD))
    collector.expect(["requirements/judged::BN-EVAL-1[x]", "test_mine.py::test_norm[BN-EVAL-1]"])

    assert collector.expected == {(MUST, "x")}
