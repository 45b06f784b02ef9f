"""Findings: their text, and how they cross process boundaries and are read from reports."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from conformance.requirements.finding import Finding, FindingKind

RAISED = Finding(
    quantity="the constructor with momentum=0.9, eps=1e-05",
    got="ValueError: no",
    expected="a result",
    kind=FindingKind.RAISED,
    operation="the constructor",
)
OF_EACH_KIND = (
    Finding(
        quantity="y",
        got=2.0,
        expected=1.0,
        bound=0.25,
        ratio=4.0,
        index=(0, 1),
        kind=FindingKind.VALUE,
    ),
    Finding(
        quantity="y", got="nan", expected=1.0, bound=0.25, index=(0, 1), kind=FindingKind.NON_FINITE
    ),
    Finding(
        quantity="y", got="inf", expected="a finite number", index=(2,), kind=FindingKind.NON_FINITE
    ),
    RAISED,
    replace(RAISED, got="no result within 0.5 s", kind=FindingKind.TIMED_OUT, limit_s=0.5),
    replace(RAISED, got="the process was ended by SIGKILL", kind=FindingKind.LOST),
    Finding(
        quantity="beta", got="missing", expected="an array of shape (1,)", kind=FindingKind.MISSING
    ),
    Finding(quantity="y", got="NoneType", expected="a numeric array", kind=FindingKind.NOT_ARRAY),
    Finding(quantity="shape of y", got="(1,)", expected="(2,)", kind=FindingKind.FACT),
)
IN_STEPS = (
    replace(OF_EACH_KIND[0], step=2, action="train(x1)"),
    replace(RAISED, quantity="nnx.clone", operation="nnx.clone", step=1, action="clone"),
    replace(OF_EACH_KIND[0], step=12, call=3, action="alternate(x0, x1)×9"),
)


def test_there_is_an_example_of_each_kind():
    """The examples below leave no kind out."""
    assert {finding.kind for finding in OF_EACH_KIND} == set(FindingKind)


@pytest.mark.parametrize("finding", [*OF_EACH_KIND, *IN_STEPS])
def test_a_finding_survives_a_process_boundary(finding: Finding):
    """Every field arrives as it was sent."""
    assert Finding.from_json(finding.to_json(internal=True)) == finding


@pytest.mark.parametrize("finding", [*OF_EACH_KIND, *IN_STEPS])
def test_a_finding_is_recovered_from_a_report(finding: Finding):
    """Reports have the text only; kind, operation, step and limit are read from it."""
    data = finding.to_json()

    assert list(data) == ["quantity", "got", "expected", "bound", "ratio", "index"]
    assert Finding.from_json(data) == finding


def test_the_step_is_part_of_the_text():
    """A reader sees after which step of a program the quantity was wrong."""
    _, cloned, alternating = IN_STEPS

    assert cloned.sentence().startswith("nnx.clone, in step 1, clone: got ValueError: no")
    assert alternating.to_json()["quantity"] == "y, in step 12 at call 3, alternate(x0, x1)×9"


def test_numbers_that_are_not_finite_become_text():
    """JSON has no NaN; a bound that is infinite comes back as a number."""
    finding = replace(OF_EACH_KIND[0], got=math.nan, bound=math.inf)
    data = finding.to_json()

    assert (data["got"], data["bound"]) == ("nan", "inf")
    assert Finding.from_json(data).bound == math.inf


@pytest.mark.parametrize("kind", list(FindingKind))
def test_groups_of_kinds_contain_one_another(kind: FindingKind):
    """A lost worker returns no result, and without a result there is no array."""
    assert not kind.ended_worker or kind.without_result
    assert not kind.without_result or kind.without_array
