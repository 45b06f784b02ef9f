"""The answer on one screen: causes first, at most 40 lines, nothing twice."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console
from support.example_reports import EVERY, FINDING, IDS, WAIVED, report, verdict

from conformance.report.causes import causes
from conformance.report.detail import Detail
from conformance.report.model import Report
from conformance.report.screen import answer_lines, render_report
from conformance.requirements.finding import RESULT, FindingKind
from conformance.requirements.verdict import Outcome, Violation

NAMED = {
    "kind": "alternative",
    "sentence": "the momentum is swapped " * 12,
    "formula": "rm' = (1−m)·rm + m·μ " * 6,
    "figure": "reproduces all 310 calls tried, 138 of which deviate",
    "remedy": "exchange the weights " * 8,
    "convention": "a convention of others " * 8,
    "also": ["another mistake " * 12] * 5,
    "line": {
        "file": "layers/" * 12 + "norm.py",
        "line": 14,
        "column": 36,
        "end_line": 14,
        "end_column": 52,
        "text": "x.var(0, ddof=1) " * 8,
        "quantity": "batch variance",
        "got": 7.0,
        "expected": 14 / 3,
        "training": False,
        "given": {"x": [[0.0], [1.0], [5.0]], "running_mean": [0.25] * 20},
        "how": "instead",
        "new": "x.var(0, ddof=0) " * 20,
    },
}


def violated(identity: str):
    return verdict(identity, Outcome.VIOLATES)


def show(one: Report, detail: Detail = Detail.SCREEN) -> str:
    out = io.StringIO()
    render_report(one, Console(width=80, file=out), detail)
    return out.getvalue()


def with_diagnosis(one: Report, **fields: Any) -> Report:
    return replace(one, diagnoses={"impl": NAMED | fields})


def raising(identity: str, text: str):
    found = replace(FINDING, kind=FindingKind.RAISED, got=text, expected=RESULT, operation="call")
    return verdict(identity, Outcome.VIOLATES, violation=Violation(finding=found))


@pytest.mark.parametrize("explained", [0, 1, 60])
def test_everything_violated_is_one_screen(explained: int):
    """However much fails, with and without causes, an answer has at most 40 lines of 80 columns."""
    ids = IDS
    mixed = [raising(row, f"error {n % 7}") for n, row in enumerate(ids[-60:])]
    everything = report(*(violated(row) for row in ids[:-60]), *mixed)
    for one in (everything, with_diagnosis(everything, explains=ids[:explained])):
        lines = answer_lines(one, "impl")
        assert len(lines) <= 40
        assert max(len(line) for line in lines if "Again:" not in line) <= 80


def test_a_long_reading_leaves_less_room_for_causes():
    """What was recognized, suggested and mined is among the 40 lines."""
    mixed = [raising(row, f"error {n % 7}") for n, row in enumerate(IDS)]
    named = with_diagnosis(
        report(*mixed), explains=IDS[:9], further=[NAMED | {"explains": IDS[:5]}]
    )
    reading = {
        "line": "Implementation.nnx(Norm, features=" * 9,
        "reasons": [],
        "suggestions": ["a" * 60] * 4,
    }
    long = replace(named, recognitions={"impl": reading}, mined={"impl": [0.125] * 40})
    assert len(answer_lines(named, "impl")) <= len(answer_lines(long, "impl")) <= 40
    assert "violations with other causes" in "".join(answer_lines(long, "impl"))


def test_the_line_of_a_mistake_is_below_its_sentence():
    """The place, the expression, and the value that it has where another one is expected."""
    line = NAMED["line"] | {"file": "norm.py", "text": "x.var(0, ddof=1)", "training": True}
    one = with_diagnosis(report(violated("BN-EMA-1")), sentence="wrong", line=line)
    shown = answer_lines(one, "impl")
    at = shown.index(" 1. Wrong.") if " 1. Wrong." in shown else shown.index(" Wrong.")
    assert shown[at + 1] == "    norm.py:14:36  x.var(0, ddof=1)"
    assert shown[at + 2] == "      7 where 4.666667 is expected, for x = [[0], [1], [5]]"
    assert shown[at + 3].startswith("      all calls tried are right with x.var(0, ddof=0)")


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("instead", "all calls tried are right with x.var(0)"),
        ("also", "all calls tried are right if this follows: x.var(0)"),
        ("in training", "all calls tried are right if only training executes x.var(0)"),
        ("without", "all calls tried are right without it"),
    ],
)
def test_an_edit_that_corrects_a_mistake_is_below_its_line(how: str, text: str):
    """A line without numbers of its own has the edit only."""
    line = NAMED["line"] | {"file": "norm.py", "how": how, "new": "x.var(0)", "shown": False}
    shown = answer_lines(with_diagnosis(report(violated("BN-EMA-1")), line=line), "impl")
    at = next(at for at, each in enumerate(shown) if "norm.py:14:36" in each)
    assert shown[at + 1] == f"      {text}"


def test_a_cause_claims_what_it_was_verified_to_explain():
    """The rest is shown as not explained, with an example of its own."""
    one = with_diagnosis(report(violated("BN-EMA-1"), violated("BN-EMA-2")), explains=["BN-EMA-2"])
    text = show(one)
    assert text.index("The momentum is swapped") < text.index("Explains 1: EMA 2.")
    assert "Not explained: 1: EMA 1." in text
    assert text.count("running_mean: got 0.75") == 2


def test_a_should_is_never_the_cause_of_a_must():
    """A mistake that explains only a SHOULD comes after what is not explained of the MUSTs."""
    one = with_diagnosis(
        report(violated("BN-STATE-8"), violated("BN-EMA-1")), explains=["BN-STATE-8"]
    )
    first, last = causes(one, "impl")
    assert [v.requirement for v in first.verdicts] == ["BN-EMA-1"]
    assert last.diagnosis["sentence"] == NAMED["sentence"]


def test_one_exception_of_many_requirements_is_one_cause():
    """Violations that end in the same exception are shown once."""
    one = report(raising("BN-EMA-1", "KeyError"), raising("BN-EMA-2", "KeyError"))
    assert "End in the same way: 2: EMA 1, 2." in show(one)
    assert show(one).count("KeyError") == 1


def test_what_conforms_and_what_was_not_judged_are_a_line_each():
    """The number and the reasons; waived violations are counted."""
    text = show(report(*EVERY, WAIVED))
    assert "Not judged: 1 requirements, which need what it does not offer: forward 1." in " ".join(
        text.split()
    )
    assert "Waived: 1: EMA 6." in text
    assert "Conform (worst error ÷ bound 0.25): INIT, NUM" in text


def test_quietly_is_a_line():
    """One line per implementation, with its cause."""
    other = verdict("BN-EMA-1", implementation="other")
    text = show(with_diagnosis(report(violated("BN-EMA-1"), other)), Detail.LINE)
    assert text.splitlines()[0].startswith("impl: fails 1 of 1 requirements (1 MUST). The momentum")
    assert text.splitlines()[1:] == ["other: conforms to 1 of 1 requirements."]


def test_an_incomplete_report_has_a_number():
    """What was not reached is counted, not listed."""
    one = report(verdict(), expected=2, missing=["BN-EMA-2[impl]"])
    assert show(one).endswith("Incomplete: 1 requirements were not reached.\n")
    assert show(one, Detail.LINE).endswith("Incomplete: 1 requirements were not reached.\n")
