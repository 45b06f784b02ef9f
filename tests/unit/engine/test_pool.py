"""A pool judges what it is asked, also if one of its processes is lost."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import pytest
from support.ending_judge import ROWS, end_in_the_second

from conformance.adapters.errors import AdapterError
from conformance.engine.budget import budget
from conformance.engine.pool import JudgePool
from conformance.engine.tasks import Task
from conformance.requirements.verdict import Outcome

FEW = budget(max_examples=2)


def outcomes(task: Task) -> Mapping[str, Outcome]:
    """Return the outcome of each requirement, judged in one process at a time."""
    with JudgePool(1) as pool:
        return {each.verdict.requirement: each.verdict.outcome for each in pool.judge(task)}


def test_pairs_are_judged():
    """Each gets one verdict, and the next task starts anew."""
    task = Task(pairs=tuple((row, "impl") for row in ROWS), budget=FEW)
    with JudgePool(2) as pool:
        for _ in range(2):
            found = list(pool.judge(task))
            assert sorted(each.verdict.requirement for each in found) == [*ROWS]
            assert {each.verdict.outcome for each in found} == {Outcome.CONFORMS}
            pool.prepare()


@pytest.mark.skipif(sys.platform == "win32", reason="has no such signal")
def test_a_process_that_is_lost_is_replaced():
    """What it was judging has no answer; everything else is judged."""
    pairs = tuple((row, "impl") for row in ROWS)
    found = outcomes(Task(pairs=pairs, budget=FEW, decide=end_in_the_second))
    assert found == dict.fromkeys(ROWS, Outcome.CONFORMS) | {ROWS[1]: Outcome.ERRORED}


@pytest.mark.parametrize("names", [("nowhere:norm",), ("nowhere:norm", "impl")])
def test_a_task_is_refused_if_nothing_can_be_judged(names: tuple[str, ...]):
    """One implementation that can be judged is enough, and the other has no verdict but that."""
    task = Task(pairs=tuple((ROWS[0], name) for name in names), budget=FEW)
    if "impl" in names:
        with JudgePool(1) as pool:
            found: dict[str, Any] = {j.verdict.implementation: j.verdict for j in pool.judge(task)}
        assert found["impl"].outcome is Outcome.CONFORMS
        assert "nowhere" in found["nowhere:norm"].detail
    else:
        with pytest.raises(AdapterError, match="nowhere"):
            outcomes(task)


def test_one_process_can_be_left_idle():
    """The others judge all, also the pairs that were dealt to it."""
    task = Task(pairs=tuple((row, "impl") for row in ROWS), budget=FEW)
    with JudgePool(2) as pool:
        pool.shares_cores = True
        assert sorted(each.verdict.requirement for each in pool.judge(task)) == [*ROWS]
        assert pool._members[0].current is None


def test_a_glance_comes_before_all_cases():
    """What a few cases decide is judged once; a glance at the rest does not replace a verdict."""
    task = Task(
        pairs=tuple((row, "impl") for row in ROWS), budget=budget(max_examples=20), glance=5
    )
    with JudgePool(1) as pool:
        found = [
            (each.verdict.requirement, each.glance, each.verdict.cases) for each in pool.judge(task)
        ]
    glanced = [name for name, glance, _ in found if glance]
    assert glanced, "some have more than a few cases"
    assert [name for name, _, _ in found[: len(ROWS)]] == [name for name, _ in task.ordered()]
    assert sorted(name for name, glance, _ in found if not glance) == [*ROWS]
    for name in glanced:
        few, many = (cases for other, _, cases in found if other == name)
        assert few < many
