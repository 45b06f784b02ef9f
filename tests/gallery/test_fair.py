"""Layers that use the room that the problem leaves violate no MUST, and the SHOULDs they list."""

from __future__ import annotations

import pytest
from support.sampling import exhaustive

from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS, Level, select
from conformance.requirements.verdict import Outcome
from impl.fair import FAIR


def judge(
    subject: Subject, *, cases: int, only: frozenset[str] = frozenset()
) -> dict[str, Outcome]:
    """Return the outcome of each requirement that applies, or of those named."""
    few = budget(max_examples=cases, minimize=False)
    rows = [row for row in select(REQUIREMENTS) if not only or row.id in only]
    offered = subject.implementation.capabilities
    return {
        row.id: judge_requirement(row, subject, few).outcome
        for row in rows
        if row.needs in offered and row.id != "BN-SHAPE-1"
    }


def find_bad(outcomes: dict[str, Outcome]) -> set[str]:
    return {identity for identity, outcome in outcomes.items() if outcome.bad}


@pytest.mark.parametrize("name", FAIR)
def test_each_fair_layer_falls_short_of_what_it_lists(name: str):
    """Each SHOULD of the record is violated; there is no MUST among them."""
    fair = FAIR[name]
    assert {REQUIREMENTS[i].level for i in fair.short_of} <= {Level.SHOULD}
    assert fair.sentence.endswith(".")
    if fair.short_of:
        assert (
            find_bad(judge(Subject(fair.implementation), cases=50, only=fair.short_of))
            == fair.short_of
        )


@exhaustive
@pytest.mark.parametrize("name", FAIR)
def test_no_fair_layer_is_accused(name: str):
    """Nothing but the listed SHOULD requirements is violated, vacuous or in error."""
    outcomes = judge(Subject(FAIR[name].implementation), cases=30)
    assert find_bad(outcomes) <= FAIR[name].short_of
