"""A process that is lost to time or memory on a large batch: left out and said, no violation."""

from __future__ import annotations

import os

import pytest
from support.hostile_runs import TESTS, conformance

from conformance.engine.budget import budget
from conformance.engine.sandbox.limits import GIB, Limits
from conformance.engine.sandbox.supervisor import Supervisor
from conformance.requirements.verdict import Outcome, Verdict

LIMITS = Limits(seconds=4, memory=GIB)


@pytest.fixture
def judge(monkeypatch):
    """Judge a hostile layer by a requirement, in the quick profile."""
    monkeypatch.setenv("PYTHONPATH", str(TESTS), prepend=os.pathsep)
    supervisors = []

    def judge_one(name: str, *requirements: str) -> list[Verdict]:
        supervisors.append(Supervisor(budget("quick", minimize=False), LIMITS))
        implementation = f"support.hostile.large:{name}"
        return [supervisors[-1].judge(each, implementation) for each in requirements]

    yield judge_one
    for supervisor in supervisors:
        supervisor.close()


@pytest.mark.exhaustive
@pytest.mark.parametrize(("name", "lacked"), [("Slow", "time"), ("Hungry", "memory")])
def test_the_sizes_from_which_on_it_lacks_something_are_left_out(judge, name, lacked):
    """The others are judged, in a new process; so is what comes next."""
    large, plain = judge(name, "BN-LARGE-1", "BN-EVAL-1")
    assert large.outcome is Outcome.CONFORMS
    assert large.left_out.startswith(f"65,537 × 4 and larger ({lacked}: ")
    assert plain.outcome is Outcome.CONFORMS


def test_a_layer_that_is_slow_on_all_large_batches_is_vacuous(judge):
    """So nobody passes by not returning; gradients are not waited for again."""
    rows, gradients = judge("SlowOnAll", "BN-LARGE-1", "BN-LARGE-3")
    assert rows.outcome is gradients.outcome is Outcome.VACUOUS
    assert rows.detail == (
        "no batch of 4,097 rows or more could be judged; "
        "left out: 4,097 × 4 and larger (time: no result within 4 s)"
    )
    assert gradients.seconds < 4


@pytest.mark.parametrize("name", ["Ends", "SlowWhereSmall"])
def test_only_limits_excuse_and_only_on_large_batches(judge, name):
    """A process that ends by itself, and a hang on a smaller batch, are violations."""
    (verdict,) = judge(name, "BN-LARGE-1")
    assert verdict.outcome is Outcome.VIOLATES


def test_the_default_screen_says_it_twice(tmp_path):
    """The first line counts such requirements, and a separate line names the sizes."""
    done = conformance(
        "run", "support.hostile.large:Slow", "-k", "LARGE-1", "--call-timeout=4", cwd=tmp_path
    )  # fmt: skip
    assert done.returncode == 0
    assert "conforms to 1 of 1 requirements, 1 of them in part." in done.stdout
    assert "Left out of BN-LARGE-1: 65,537 × 4 and larger (time: no result within" in done.stdout
