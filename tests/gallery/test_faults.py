"""Each faulty implementation is caught by the requirements that name its mistake."""

from __future__ import annotations

import pytest
from support.sampling import sample_parameters

from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS, select
from conformance.requirements.verdict import Outcome
from impl.faulty import FAULTS

FIRST = budget(minimize=False)

CLASSICAL = {
    "running-var-zeros",
    "evaluation-updates",
    "normalizes-with-running",
    "flag-truthy",
    "last-axis",
}


@pytest.mark.parametrize(
    "name", sample_parameters(FAULTS, group=lambda name: FAULTS[name].family, every=len(FAULTS))
)
def test_each_fault_is_caught_by_what_names_it(name: str):
    """Every requirement that the record lists is violated in the default profile."""
    fault = FAULTS[name]
    subject = Subject(fault.implementation)
    verdicts = [judge_requirement(REQUIREMENTS[i], subject, FIRST) for i in fault.breaks]

    missed = {v.requirement: v.outcome for v in verdicts if v.outcome is not Outcome.VIOLATES}
    assert not missed, fault.sentence
    crashed = [v.violation for v in verdicts if v.violation.finding.kind.without_result]
    assert bool(crashed) == fault.raises, crashed


def test_every_requirement_has_a_fault_that_breaks_it():
    """No requirement is without a proof that it can fail."""
    broken = {identity for fault in FAULTS.values() for identity in fault.breaks}

    assert broken == {row.id for row in select(REQUIREMENTS)}


def test_the_classical_mistakes_are_in_the_gallery():
    """The five mistakes that everybody makes are faults of the gallery."""
    assert set(FAULTS) >= CLASSICAL


def test_faults_are_recorded_in_full():
    """Each fault states the mistake in one sentence, and lists known requirements."""
    for fault in FAULTS.values():
        assert fault.sentence.endswith("."), fault.name
        assert "\n" not in fault.sentence, fault.name
        assert set(fault.breaks) <= set(REQUIREMENTS), fault.name
