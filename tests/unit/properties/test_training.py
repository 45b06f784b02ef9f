"""BN-TRAIN: outputs of another shape are violations, and a y of zeros is judged."""

from __future__ import annotations

import pytest

from conformance.diagnosis.modelled_layer import modelled
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS
from conformance.requirements.verdict import Outcome
from impl.variants import VARIANTS


@pytest.mark.parametrize("number", range(1, 11))
@pytest.mark.parametrize("mistake", ["y-transposed", "y-squeezed"])
def test_an_output_of_another_shape_is_a_violation(mistake: str, number: int):
    """Not a failure of the suite, which would try to index it or add its bounds."""
    row, subject = REQUIREMENTS[f"BN-TRAIN-{number}"], Subject(modelled(mistake))
    verdict = judge_requirement(row, subject, budget(max_examples=20, minimize=False))
    assert verdict.outcome is Outcome.VIOLATES
    assert verdict.violation is not None
    assert verdict.violation.finding.quantity.startswith("shape of ")


@pytest.mark.parametrize("identity", ["BN-TRAIN-8", "BN-TRAIN-9"])
@pytest.mark.parametrize("name", ["scale-only", "not-affine"])
def test_where_y_is_zero_an_error_is_still_seen(identity: str, name: str):
    """Without β the expected y has no size, and an error is relative to γ."""
    verdict = judge_requirement(REQUIREMENTS[identity], Subject(VARIANTS[name]), budget())
    assert verdict.outcome is Outcome.CONFORMS, verdict.detail
    assert 0 < max(verdict.resolution.values()) < 0.01
