"""Dimensions: the feature axis, and where in the batch a deviation is."""

from __future__ import annotations

import impl.faulty
from conformance.adapters.domain import Wider
from conformance.adapters.implementation import Implementation
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS
from conformance.requirements.verdict import Outcome
from impl.wide_batchnorm import WideBatchNorm


def outcome_of(implementation: Implementation, requirement: str, cases: int = 100) -> Outcome:
    few = budget(max_examples=cases, minimize=False)
    return judge_requirement(REQUIREMENTS[requirement], Subject(implementation), few).outcome


def declare_domain(extended: Wider) -> Implementation:
    return Implementation.nnx(WideBatchNorm, name="declaring", wider=extended)


def test_features_stay_last_without_a_name_for_the_axis():
    """A layer of any rank whose features are always last is judged so."""
    assert outcome_of(declare_domain(Wider(ndim=True)), "BN-ND-1") is Outcome.CONFORMS


def test_the_place_of_a_deviation_is_that_in_the_batch():
    """Elements that may overflow are not compared, and do not shift the others."""
    few = budget(minimize=False)
    for name, row in (("half-centred", "BN-TYPE-1"), ("half-statistics-constant", "BN-TYPE-4")):
        subject = Subject(impl.faulty.FAULTS[name].implementation)
        violation = judge_requirement(REQUIREMENTS[row], subject, few).violation
        assert violation is not None
        assert len(violation.finding.index) == 2


# flax, by the suite and by hand
