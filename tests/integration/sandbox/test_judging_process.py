"""The process that reaches verdicts: what it imports and needs, and what it makes of answers."""

from __future__ import annotations

import json
import os
import sys

import pytest
from support.hostile.garbage import ANSWERS
from support.hostile_runs import GOOD, TESTS
from support.sampling import exhaustive
from support.small_processes import run_small

from conformance.engine.budget import budget
from conformance.engine.sandbox.limits import Limits
from conformance.engine.sandbox.supervisor import Supervisor
from conformance.requirements.finding import FindingKind
from conformance.requirements.verdict import Outcome

REQUIREMENTS = ["BN-EVAL-1", "BN-GRAD-3", "BN-JIT-3", "BN-SEQ-1", "BN-SER-1", "BN-SYNC-1"]

JUDGING = """
import json, sys
from conformance.engine.budget import budget
from conformance.engine.sandbox.limits import Limits
from conformance.engine.sandbox.supervisor import Supervisor

supervisor = Supervisor(budget(max_examples=5))
verdicts = [(name, supervisor.judge(each, name)) for name, each in json.loads(sys.argv[1])]
supervisor.close()
print(json.dumps({
    "outcomes": [[name, verdict.outcome.value] for name, verdict in verdicts],
    "compared": min(verdict.comparisons for _, verdict in verdicts),
    "details": [verdict.detail for _, verdict in verdicts],
}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_verdicts_are_reached_without_the_implementation_and_without_jax():
    """In a process that is small, and has seen nothing of what it judges but arrays."""
    asked = [("variant:wide" if "SYNC" in each else "impl", each) for each in REQUIREMENTS]
    said = run_small(JUDGING, json.dumps(asked))
    assert said["outcomes"] == [[name, "conforms"] for name, _ in asked]
    assert said["compared"] > 0


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_observations_are_made_in_the_same_way():
    """Also those that take transforms of JAX."""
    asked = [("variant:wide", row) for row in ("BN-FLAG-8", "BN-GRAD-15", "BN-MASK-4")]
    traced, twice, masks = run_small(JUDGING, json.dumps(asked))["details"]
    assert traced.startswith("no: raises TracerBoolConversionError")
    assert twice == "both orders: right"
    assert masks.startswith("0/1 in float32, 0/1 in int32: what is not 0 counts")


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONPATH", str(TESTS), prepend=os.pathsep)
    found = Supervisor(budget(max_examples=3), Limits(seconds=4))
    yield found
    found.close()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(name, marks=() if name in {"text", "verdict", "objects"} else exhaustive)
        for name in ANSWERS
        if name != "part"
    ],
)
def test_an_answer_that_is_none_costs_the_process(supervisor: Supervisor, answer: str):
    """It is the violation; the case is known; and the next implementation is judged as ever."""
    name = f"support.hostile.garbage:{answer}"
    verdict = supervisor.judge("BN-EVAL-1", name)
    assert verdict.outcome is Outcome.VIOLATES, verdict
    assert verdict.violation.finding.kind is FindingKind.LOST
    assert verdict.violation.finding.operation == "the call"
    assert str(verdict.violation.finding.got).startswith("the process answered with something else")
    assert verdict.violation.values

    assert supervisor.judge("BN-EVAL-1", GOOD).outcome is Outcome.CONFORMS


@exhaustive
def test_an_answer_that_does_not_end_is_not_waited_for(supervisor: Supervisor):
    """A part of a message is not progress."""
    verdict = supervisor.judge("BN-EVAL-1", "support.hostile.garbage:part")
    assert verdict.outcome is Outcome.VIOLATES, verdict
    assert verdict.violation.finding.kind is FindingKind.TIMED_OUT
    assert verdict.violation.finding.got == "no result within 4 s"


def test_a_process_that_answers_nonsense_twice_is_given_up(supervisor: Supervisor):
    """It counts as a loss, as the death of a process does."""
    name = "support.hostile.garbage:verdict"
    outcomes = [supervisor.judge(each, name).outcome for each in ("BN-EVAL-1",) * 3]
    assert outcomes == [Outcome.VIOLATES, Outcome.VIOLATES, Outcome.ERRORED]
