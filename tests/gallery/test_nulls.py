"""Null implementations fail, and how much each passes is printed."""

from __future__ import annotations

import pytest
from support.sampling import sample_parameters

from conformance.adapters.implementation import Implementation
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS, Capability, Level, select
from conformance.requirements.verdict import Outcome
from impl.faulty.nulls import NULLS

FEW = budget(max_examples=10)
ROWS = [row for row in select(REQUIREMENTS) if row.needs is not Capability.FORWARD]

BY_NAME = {null.__name__: null for null in NULLS}


@pytest.mark.parametrize(
    "name", sample_parameters(BY_NAME, group=lambda _: "null", every=len(BY_NAME))
)
def test_null_implementations_fail(name, record_property):
    """A layer that does nothing right violates MUSTs of several families."""
    subject = Subject(Implementation.nnx(BY_NAME[name]))
    verdicts = [judge_requirement(row, subject, FEW) for row in ROWS]
    passed = sum(v.outcome is Outcome.CONFORMS for v in verdicts)
    record_property("null", f"{name} passes {passed} of {len(verdicts)} requirements")

    violated = {
        REQUIREMENTS[v.requirement].family
        for v in verdicts
        if v.outcome is Outcome.VIOLATES and v.level is Level.MUST
    }
    assert len(violated) >= 3
    assert not [v for v in verdicts if v.outcome is Outcome.ERRORED]
