"""Numbers of the source of a layer are tried as sizes and as values, and are in the report."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.example_reports import full_run

from conformance.adapters.implementation import reading_of
from conformance.adapters.resolve import resolve
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.engine.runner import MINED_CASES, PropertyRun
from conformance.properties import PROPERTIES
from conformance.properties.support.subject import Subject
from conformance.report.screen import answer_lines
from conformance.report.text import mined_lines
from conformance.requirements import REQUIREMENTS
from conformance.requirements.verdict import Outcome
from conformance.strategies.mined import mined_values
from conformance.strategies.shape_grid import DEFAULT
from impl import reference


@pytest.mark.parametrize(
    ("name", "identity"),
    [("large-batch-evaluates", "BN-LARGE-1"), ("sentinel-is-missing", "BN-NUM-3")],
)
def test_a_number_of_the_source_is_tried(name: str, identity: str):
    """What begins at such a number is seen; without the number it is not."""
    fault = resolve(f"fault:{name}")
    few, row = budget("quick", minimize=False), REQUIREMENTS[identity]
    assert judge_requirement(row, Subject(fault), few).outcome is Outcome.VIOLATES
    unread = replace(fault)
    vars(unread)["mined"] = ()
    assert judge_requirement(row, Subject(unread), few).outcome is Outcome.CONFORMS


def test_each_number_has_its_cases():
    """A run has a few cases of each palette besides its own; none where palettes are given."""
    prop, subject = PROPERTIES["BN-NUM-3"], Subject(reference())
    run = PropertyRun(prop, subject, budget("quick"))
    run()
    assert run.cases == 20 + MINED_CASES * len(mined_values(subject.implementation.mined))
    own = PropertyRun(prop, subject, budget("quick"), palettes=(DEFAULT,))
    own()
    assert own.cases == 20


def test_the_numbers_are_in_every_report():
    """In JSON, and as a line of the answer; where there are none, there is no line."""
    reading = reading_of(reference(), "cpu")
    assert reading == {"mined": [0.9, 1e-5, 0.5], "device": "cpu"}
    report = replace(full_run(), mined={"impl": reading["mined"]})
    assert report.to_dict()["mined"] == {"impl": [0.9, 1e-5, 0.5]}
    assert " mined: 0.9, 1e-05, 0.5" in answer_lines(report, "impl")
    assert mined_lines(()) == mined_lines(None) == []
    assert mined_lines([128, 5000, 1e-3]) == ["mined: 128, 5000, 0.001"]
