"""Grades: the document, its schema, what it hides, and what is printed of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from support.example_reports import (
    EVERY,
    FINDING,
    IDS,
    OBSERVED,
    WAIVED,
    complete_report,
    full_run,
    report,
    verdict,
)

from conformance.frontends.cli.grading import grade_lines
from conformance.report.exit_codes import exit_code_of
from conformance.report.grade import SCHEMA, GradedRun, to_grade, to_text
from conformance.report.hints import LONGEST, hide_numbers
from conformance.report.model import Report
from conformance.requirements import REQUIREMENTS, Level, select
from conformance.requirements.finding import FindingKind
from conformance.requirements.verdict import Outcome, Violation

SECRET = "x = [[0.1234567]]\x1b[31m"
RAISED = replace(
    FINDING, quantity="the call", got=f"ValueError: {SECRET}", expected="a result",
    bound=None, ratio=None, index=None, kind=FindingKind.RAISED,
)  # fmt: skip
NAMED = {
    "kind": "alternative", "id": "eps-constant", "sentence": "ε is 0.00123, whatever was asked for",
    "remedy": "use the ε of the constructor", "explains": ["BN-EMA-1"], "unchecked": [],
    "line": {"file": "/home/me/norm.py", "line": 17, "column": 4},
}  # fmt: skip


NOTHING = replace(report(), header=replace(report().header, requirements=IDS))


def ended(made: Report) -> Report:
    """Return the report with the exit code that its verdicts lead to."""
    code = exit_code_of(made.verdicts, strict=made.header.strict)
    return replace(made, footer=replace(made.footer, exit_code=int(code)))


def document(made: Report, *, hides_inputs: bool = False, **run: Any) -> dict[str, Any]:
    """Return the grade of a report, which its schema accepts, as it is read from its file."""
    text = to_text(to_grade(GradedRun(report=made, **run), hides_inputs=hides_inputs))
    read: dict[str, Any] = json.loads(text)
    jsonschema.validate(read, json.loads(SCHEMA.read_text("utf-8")))
    return read


def grade(made: Report, **options: Any) -> dict[str, Any]:
    """Return the grade of the only implementation of a report."""
    (found,) = document(made, **options)["grades"]
    return dict(found)


@pytest.mark.parametrize("hides_inputs", [False, True])
@pytest.mark.parametrize(
    "made",
    [
        *(report(one) for one in (*EVERY, WAIVED, OBSERVED)),
        report(*EVERY, WAIVED),
        NOTHING,
        full_run(),
    ],
)
def test_every_outcome_fits_the_schema(made: Report, hides_inputs: bool):
    """The grade of a report with any outcome validates."""
    assert document(made, hides_inputs=hides_inputs)["hides_inputs"] is hides_inputs


def test_the_schema_can_refuse():
    """Passed contradicts a reason; nothing may be added; a control character is not text."""
    schema = json.loads(SCHEMA.read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    good = document(ended(complete_report()))
    for change in ({"reason": "x"}, {"passed": False}, {"more": 1}, {"implementation": "a\x1b"}):
        broken = good | {"grades": [good["grades"][0] | change]}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(broken, schema)


@pytest.mark.parametrize(
    ("exception", "passed"),
    [
        ((), True),
        ((verdict("BN-NUM-1", Outcome.DEVIATES),), True),
        ((verdict("BN-EMA-1", Outcome.WAIVED),), True),
        ((verdict("BN-STATE-8", Outcome.VIOLATES),), True),
        ((verdict("BN-EMA-1", Outcome.VIOLATES),), False),
        ((verdict("BN-EMA-1", Outcome.VACUOUS),), False),
        ((verdict("BN-EMA-1", Outcome.ERRORED, detail="lost"),), False),
        ((verdict("BN-STATE-8", Outcome.ERRORED, detail="lost"),), False),
    ],
)
def test_a_grade_is_passed_if_every_must_is_met(exception, passed):
    """A SHOULD is not needed, but what could not be judged is not passed at any level."""
    assert grade(ended(complete_report(*exception)))["passed"] is passed


def test_what_could_not_be_judged_is_hinted_at_last():
    """It is not said to be wrong, and comes after violations of the same level."""
    lost = verdict("BN-INIT-1", Outcome.ERRORED, detail="not judged any more")
    one = grade(ended(report(lost, verdict("BN-EMA-1", Outcome.VIOLATES))))
    assert one["cause"]["hints"][0]["text"].startswith("BN-EMA-1 (MUST) is not met: ")
    assert one["further_causes"] == 1
    other = grade(ended(report(lost, verdict("BN-EMA-2"))))
    assert other["cause"]["hints"][0]["text"].startswith("BN-INIT-1 (MUST) could not be judged: ")


def test_the_score_is_the_share_of_applicable_must_requirements():
    """In total and by family; unsupported and waived ones do not count, nor does a SHOULD."""
    found = grade(
        ended(
            report(
                verdict("BN-EMA-1", Outcome.VIOLATES),
                verdict("BN-EMA-2"),
                verdict("BN-EMA-3", Outcome.WAIVED),
                verdict("BN-EMA-4", Outcome.UNSUPPORTED),
                verdict("BN-NUM-1", Outcome.DEVIATES),
                verdict("BN-ERR-1", Outcome.VIOLATES),
            )
        )
    )
    assert {row["family"]: row["score"] for row in found["families"]} == {
        "EMA": 0.5,
        "NUM": 1.0,
        "ERR": None,
    }
    assert found["score"] == round(2 / 3, 4)
    assert found["must"] == {"met": 2, "applicable": 3}
    assert found["should"] == {"met": 0, "applicable": 1}
    assert (found["judged"], found["not_judged"]) == (5, 1)
    assert (found["deviations"], found["waivers"]) == (1, 1)


@pytest.mark.parametrize("code", [1, 2, 130, 143])
def test_a_run_that_ended_otherwise_is_not_passed(code):
    """If the exit code is not that of the verdicts, something else ended the run."""
    made = complete_report()
    found = grade(replace(made, footer=replace(made.footer, exit_code=code)))
    assert (found["outcome"], found["score"]) == ("incomplete", 1.0)
    assert str(code) in found["reason"]


def test_a_run_with_missing_verdicts_is_not_passed():
    """All of those that are there conform."""
    found = grade(report(verdict(), expected=2, missing=["BN-EMA-2[impl]"]))
    assert found["outcome"] == "incomplete"


def test_a_run_that_has_not_ended_is_not_passed():
    """That is what a killed run leaves behind; it states no exit code."""
    found = document(NOTHING, ended=False)
    assert found["exit_code"] is None
    assert [row["outcome"] for row in found["grades"]] == ["incomplete"]


def test_should_alone_is_not_passed():
    """Without a judged MUST nothing is known about what binds."""
    assert grade(ended(report(verdict("BN-ERR-1"))))["outcome"] == "nothing judged"


def test_a_refusal_is_short_and_escaped():
    """Its text comes from the submission; with hidden inputs it is left out."""
    refusal = f"'norm.py' cannot be imported: {SECRET}{'!' * 1000}"
    made = replace(NOTHING, footer=replace(NOTHING.footer, exit_code=2))
    reason = grade(made, refusal=refusal)["reason"]
    assert len(reason) == LONGEST
    assert "0.1234567]]\\x1b[31m" in reason
    assert "0.1234567" not in grade(made, refusal=refusal, hides_inputs=True)["reason"]
    assert grade(made, refusal=refusal)["outcome"] == "unusable"


def test_hints_go_from_vague_to_precise():
    """The requirement and the quantity; the mistake and its line; the remedy."""
    made = ended(complete_report(verdict("BN-EMA-1", Outcome.VIOLATES, implementation="norm.py:N")))
    made = replace(made, header=replace(made.header, implementations=["norm.py:N"]))
    cause = grade(replace(made, diagnoses={"norm.py:N": NAMED}))["cause"]
    assert cause["requirements"] == ["BN-EMA-1"]
    assert cause["hints"] == [
        {
            "level": "what",
            "text": "BN-EMA-1 (MUST) is not met: A training call moves the running mean towards "
            "the batch mean; momentum is the weight of the old value. Wrong: running_mean.",
        },
        {
            "level": "where",
            "text": "ε is 0.00123, whatever was asked for, at norm.py:17.",
        },
        {"level": "how", "text": "Use the ε of the constructor."},
    ]
    hidden = grade(replace(made, diagnoses={"norm.py:N": NAMED}), hides_inputs=True)["cause"]
    assert hidden["hints"][1]["text"] == "ε is …, whatever was asked for, at norm.py:17."


@pytest.mark.parametrize("finding", [FINDING, RAISED])
def test_hints_without_a_diagnosis(finding):
    """The finding; the formula and the classical mistakes of the requirement."""
    violated = verdict(
        "BN-EMA-1", Outcome.VIOLATES, violation=Violation(finding=finding, id="ema1-00")
    )
    shown = grade(ended(complete_report(violated)))["cause"]["hints"]
    assert str(finding.got)[:20] in shown[1]["text"]
    assert REQUIREMENTS["BN-EMA-1"].mistakes[0] in shown[2]["text"]
    hidden = grade(ended(complete_report(violated)), hides_inputs=True)["cause"]["hints"]
    assert REQUIREMENTS["BN-EMA-1"].formula in hidden[1]["text"]


def test_hidden_inputs_are_nowhere():
    """Neither values nor exceptions, names of quantities, ids to replay, or the seed."""
    canary = "0.1234567"
    violated = [
        verdict(
            row.id,
            Outcome.VIOLATES,
            violation=Violation(
                finding=replace(
                    FINDING, quantity=f"y {canary}", got=canary, expected=canary, kind=kind
                ),
                inputs={"x": canary},
                values={"x": canary},
                id=canary,
            ),
            detail=canary,
        )
        for kind, row in zip(FindingKind, select(REQUIREMENTS), strict=False)
    ]
    raises = {"kind": "observed", "id": "raises", "sentence": f"the call raises {canary}"}
    said = replace(ended(complete_report(*violated)), diagnoses={"impl": raises})
    constant = {"impl": NAMED | {"sentence": f"ε is {canary}", "remedy": f"use {canary}"}}
    errored = complete_report(verdict("BN-EMA-1", Outcome.ERRORED, detail=canary))
    for made in (
        *(ended(complete_report(one)) for one in violated),
        said,
        replace(said, diagnoses=constant),
        ended(errored),
    ):
        assert canary in json.dumps(document(made))
        hidden = document(made, hides_inputs=True)
        assert canary not in json.dumps(hidden)
        assert hidden["conditions"]["seed"] is None


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("variances below 1e-05 are raised to 0.001", "variances below … are raised to …"),
        (
            "N/(N−1), which is not a number where N = 1",
            "N/(N−1), which is not a number where N = 1",
        ),
        ("momentum² is −0.25 or 12 or 3", "momentum² is … or … or …"),
        ("0.5·v + 2·x", "…·v + 2·x"),
        ("1.5, 2.5 and 20", "…, … and …"),
        ("float32, x1, E[x²]", "float32, x1, E[x²]"),
    ],
)
def test_numbers_are_hidden_but_those_of_formulas(text, hidden):
    """0, 1 and 2 stay, and so do names with digits."""
    assert hide_numbers(text) == hidden


def test_two_runs_differ_in_usage_only():
    """Time and memory are under one key."""
    one = ended(complete_report(verdict("BN-EMA-1", Outcome.VIOLATES)))
    footer = replace(one.footer, seconds=99.0)
    other = replace(
        one,
        header=replace(one.header, started=1.8e9, workers=7),
        footer=footer,
        verdicts=[replace(each, seconds=7.0) for each in one.verdicts],
    )
    first, second = document(one, peaks={"impl": 1 << 20}), document(other, peaks={"impl": 2 << 20})
    assert first.pop("usage") != second.pop("usage")
    assert first == second


def test_at_most_fifteen_lines_are_printed():
    """Also if everything is violated, and for the longest of names."""
    bad = [verdict(row, Outcome.VIOLATES, implementation="n" * 400) for row in IDS]
    made = document(ended(report(*bad)), peaks={"n" * 400: 1 << 30})
    lines = grade_lines(made["grades"][0], made["usage"]["implementations"][0])
    assert len(lines) <= 15
    assert lines[0].endswith(": not passed: failed, score 0 %")
    assert "1024 MiB" in lines[-1]


def test_a_passed_grade_is_printed_in_few_lines():
    """The answer, the families, and what it took."""
    made = document(ended(complete_report()))
    lines = grade_lines(made["grades"][0], made["usage"]["implementations"][0])
    assert lines[0] == "✓ impl: passed, score 100 %"
    assert not [line for line in lines if "Hint" in line]
    assert (
        sum(row.level is Level.MUST for row in select(REQUIREMENTS))
        == (made["grades"][0]["must"]["met"])
    )
