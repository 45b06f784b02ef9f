"""BN-TRAIN: outputs of another shape are violations, whatever a requirement does with them."""

from __future__ import annotations

import pytest

from conformance.diagnosis.modelled_layer import modelled
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS
from conformance.requirements.verdict import Outcome


@pytest.mark.parametrize("number", range(1, 11))
@pytest.mark.parametrize("mistake", ["y-transposed", "y-squeezed"])
def test_an_output_of_another_shape_is_a_violation(mistake: str, number: int):
    """Not a failure of the suite, which would try to index it or add its bounds."""
    row, subject = REQUIREMENTS[f"BN-TRAIN-{number}"], Subject(modelled(mistake))
    verdict = judge_requirement(row, subject, budget(max_examples=20, minimize=False))
    assert verdict.outcome is Outcome.VIOLATES
    assert verdict.violation is not None
    assert verdict.violation.finding.quantity.startswith("shape of ")
