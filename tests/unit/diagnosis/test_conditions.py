"""The condition under which a quantity is wrong is found by trying more cases."""

from __future__ import annotations

import time

import pytest
from support.sampling import exhaustive

from conformance.diagnosis.conditions import Trial, condition_of, run_trials
from conformance.diagnosis.explanation import examine
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS
from conformance.requirements.finding import Finding
from impl.faulty import FAULTS

_WRONG = Finding(quantity="y", got=1.0, expected=0.0)


def trials(*described: tuple[float | str, bool]) -> list[Trial]:
    return [
        Trial({"N": value, "D": 2}, _WRONG if is_wrong else None) for value, is_wrong in described
    ]


@pytest.mark.parametrize(
    ("described", "words"),
    [
        ([(n, n > 32) for n in (1, 8, 31, 32, 33, 40)], "exactly where N ≥ 33 (right at 32)"),
        ([(n, n == 3) for n in (1, 2, 3, 3, 5, 8)], "exactly where N = 3"),
        ([(n, n in (1, 2)) for n in (1, 2, 3, 4, 5, 6)], "exactly where N ≤ 2 (right at 3)"),
        ([(w, w == "a") for w in "aabbbb"], "exactly where a"),
        ([(n, n in (33, 35, 36)) for n in (1, 2, 8, 32, 33, 34, 35, 36)], "only where N ≥ 33"),
        ([(n, n in (1, 40)) for n in (1, 8, 31, 32, 33, 40)], ""),  # on both sides of right ones
        ([(n, n > 2) for n in (1, 2, 3)], ""),  # too few are right
        ([(n, True) for n in (1, 2, 3)], ""),
        ([(n, False) for n in (1, 2, 3)], ""),
    ],
)
def test_a_condition_holds_for_wrong_trials_and_not_for_right_ones(
    described: list[tuple[float | str, bool]], words: str
):
    """A range or a word that all wrong ones share; none unless enough right ones are outside."""
    assert condition_of(trials(*described)).startswith(words)
    assert bool(condition_of(trials(*described))) == bool(words)


def known(name: str, requirement: str) -> list[str]:
    subject = Subject(FAULTS[name].implementation)
    verdict = judge_requirement(REQUIREMENTS[requirement], subject, budget("quick"))
    found = examine(subject).explain([verdict], time.time() + 60)
    assert found["kind"] == "none"
    return list(found["known"])


def test_what_a_copy_loses_is_named():
    """Designed calls copy nothing; the violated requirement is tried on more cases."""
    first = known("pickle-drops-variance", "BN-SER-2")[0]
    assert first.startswith("First wrong: running_var of the copy, after copying or restoring")


@exhaustive
def test_a_mask_that_leaves_rows_out_is_the_condition():
    """The mean is the first wrong quantity, where some row does not count."""
    first = known("mask-divides-by-all", "BN-MASK-1")[0]
    assert first.startswith("First wrong: running_mean")
    assert "with a mask, exactly where some row is left out" in first


def test_what_is_right_is_right_in_all_trials():
    """A layer that conforms has no wrong trial."""
    subject = Subject(FAULTS["mask-divides-by-all"].implementation)
    found = run_trials(subject, "BN-EVAL-1", time.time() + 60)
    assert len(found) > 20
    assert not any(trial.finding for trial in found)


def test_without_time_no_mistake_is_named():
    """What was observed by then is said, and that there was no time."""
    found = examine(Subject(FAULTS["eps-missing"].implementation), until=0).explain([], 0)
    assert found["kind"] == "none"
    assert "no time" in found["sentence"]
    assert found["known"]
