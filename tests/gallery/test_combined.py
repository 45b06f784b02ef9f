"""Layers with several mistakes: judged wrong, and each of their mistakes is named."""

from __future__ import annotations

import pytest
from support.outcomes import outcomes
from support.sampling import sample_parameters

from conformance.diagnosis.diagnosis import investigate
from conformance.properties.support.subject import Subject
from conformance.requirements.verdict import Outcome
from impl.combined import COMBINED

PARTLY = {
    "evaluation-updates+normalizes-with-running",
    "weighted-by-rows+mean-bessel+normalizes-with-running",
    "eps-outside+momentum-of-the-new+first-row-left-out",
    "gamma-plus-one+eps-hard-coded+overwritten",
}
"""Layers of which a part is named: no quantity shows the other mistakes alone."""

NOT_NAMED = {
    "eps-stored+unbiased-running",
    "beta-unused+eps-hard-coded+last-feature-skipped",
}


_PARAMETERS = sample_parameters(COMBINED, group=lambda name: COMBINED[name].family, every=200)


@pytest.mark.parametrize("name", _PARAMETERS)
def test_each_mistake_is_violated_and_named(name: str):
    """The record's requirements are violated, and the answer is right, or a right part of it."""
    record = COMBINED[name]
    subject = Subject(record.implementation)
    assert outcomes(subject, record.breaks) == [Outcome.VIOLATES] * len(record.breaks)

    found = investigate(subject)
    named = {each.id for each in (found.diagnosis, *found.further)} - {""}
    assert named <= set(record.named_by(()))  # nothing wrong is said
    matched = sum(bool(named.intersection(right)) for right in record.mistakes)
    least = 0 if name in NOT_NAMED else 1 if name in PARTLY else len(record.mistakes)
    assert matched >= least
    assert found.complete == (matched == len(record.mistakes)) or not named


def test_there_are_enough_of_both_kinds():
    """Pairs, triples, and layers written by hand."""
    sizes = [len(record.mistakes) for record in COMBINED.values()]
    assert sizes.count(2) >= 60
    assert sizes.count(3) >= 12
    assert {record.family for record in COMBINED.values()} == {"pairs", "written"}
