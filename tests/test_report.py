"""The JSON report, its schema, and its renderings."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from rich.console import Console

from conformance.case import literals
from conformance.report.model import SCHEMA, Footer, Header, Report, ReportError, environment
from conformance.report.outcome import settle
from conformance.report.terminal import conclusion, heading, render
from conformance.report.text import literal_text, rerun_command, violation_text
from conformance.requirements import REQUIREMENTS
from conformance.verdict import Finding, Outcome, Verdict, Violation

FINDING = Finding(
    quantity="running_mean", got=0.75, expected=0.25, bound=1e-6, ratio=5e5, index=(0,)
)
INPUTS = {"x": [[1.0], [0.0]], "momentum": 0.75, "eps": 1e-05}


def verdict(requirement: str = "BN-EMA-1", outcome: Outcome = Outcome.CONFORMS, **rest) -> Verdict:
    values: dict[str, Any] = {
        "requirement": requirement,
        "implementation": "impl",
        "kind": "seed-shaped nnx.Module",
        "outcome": outcome,
        "level": REQUIREMENTS[requirement].level.value,
        "cases": 100,
        "comparisons": 300,
        "worst": 0.25,
        "worst_quantity": "running_mean",
        "seconds": 0.5,
    }
    if outcome is Outcome.VIOLATES:
        values["violation"] = Violation(finding=FINDING, inputs=INPUTS)
    return Verdict(**(values | rest))


EVERY = (
    verdict("BN-INIT-1", worst=None, worst_quantity=None),
    verdict("BN-EMA-1", Outcome.VIOLATES),
    verdict("BN-NUM-1", Outcome.DEVIATES),
    verdict(
        "BN-FWD-1",
        Outcome.UNSUPPORTED,
        cases=0,
        comparisons=0,
        detail="needs forward, which is not there",
    ),
    verdict("BN-EMA-4", Outcome.VACUOUS, cases=0, comparisons=0, detail="no case was executed"),
    verdict("BN-EMA-5", Outcome.ERRORED, detail="the suite itself failed: IndexError\n  line 2"),
)
WAIVED = verdict("BN-EMA-6", Outcome.WAIVED, detail="waived: it is so (#1)")


def report(*verdicts: Verdict, **footer: Any) -> Report:
    counts: dict[str, Any] = {"expected": len(verdicts), "verdicts": len(verdicts), "missing": []}
    return Report(
        header=Header(
            started=1.7e9,
            profile="default",
            seed=0,
            max_examples=100,
            strict=False,
            implementations=list(dict.fromkeys(v.implementation for v in verdicts)) or ["impl"],
            requirements=[v.requirement for v in verdicts],
            workers=2,
            environment=environment(),
        ),
        footer=Footer(**({"seconds": 12.34, "exit_code": 0} | counts | footer)),
        verdicts=list(verdicts),
    )


def validate(made: Report) -> None:
    """Assert that a report, after a trip through JSON, is what the schema describes."""
    text = json.dumps(made.to_json(), allow_nan=False)
    jsonschema.validate(json.loads(text), json.loads(SCHEMA.read_text()))


def rendered(made: Report, **options: Any) -> str:
    out = io.StringIO()
    render(made, Console(width=80, file=out, highlight=False, **options))
    return out.getvalue()


# JSON


@pytest.mark.parametrize("one", [*EVERY, WAIVED], ids=lambda v: v.outcome.value)
def test_every_outcome_fits_the_schema(one: Verdict):
    """A report with any outcome validates against the schema that is shipped."""
    validate(report(one))


def test_every_requirement_fits_the_schema():
    """A report about all requirements validates, whatever their ids look like."""
    validate(report(*(verdict(identity) for identity in REQUIREMENTS)))


def test_outcomes_are_those_of_the_schema():
    """The schema lists the outcomes of the code and no others."""
    listed = json.loads(SCHEMA.read_text())["$defs"]["verdict"]["properties"]["outcome"]["enum"]
    assert listed == [outcome.value for outcome in Outcome]
    assert {one.outcome for one in (*EVERY, WAIVED)} == set(Outcome)


def test_the_schema_can_refuse():
    """A report with a field that nobody knows does not validate."""
    data = report(*EVERY).to_json() | {"verdict": "fine"}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, json.loads(SCHEMA.read_text()))


def test_the_transforms_tell_what_was_seen_under_each():
    """The matrix has the outcome of a requirement under each of its transforms, and no other."""
    made = report(verdict("BN-SCAN-1", Outcome.VIOLATES), verdict("BN-JIT-2"), verdict("BN-EMA-1"))
    assert made.to_json()["transforms"] == {
        "impl": {
            "nnx.jit": {"BN-SCAN-1": "violates", "BN-JIT-2": "conforms"},
            "nnx.scan": {"BN-SCAN-1": "violates"},
        }
    }


def test_what_was_cut_is_told():
    """The last lines name how many requirements were cut short, and the shortest of them."""
    made = report(
        verdict("BN-EMA-1", cases=5, cut=95), verdict("BN-EMA-2", cases=50, cut=50), verdict()
    )
    text = " ".join(rendered(made).split())
    assert "Cut short by --max-time: 2 requirements" in text
    assert "(cases: BN-EMA-1 5 of 100, BN-EMA-2 50 of 100)" in text
    assert "Cut short" not in rendered(report(verdict()))


def test_reports_survive_a_trip(tmp_path: Path):
    """Reading what was written gives an equal report."""
    made = report(*EVERY)
    made.write(tmp_path / "deep" / "report.json")
    assert Report.read(tmp_path / "deep" / "report.json") == made


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_special_numbers_survive(tmp_path: Path, value: float):
    """NaN and infinities are written by their names, and their sentence stays the same."""
    finding = replace(FINDING, got=value, ratio=float("inf"))
    one = verdict(
        outcome=Outcome.VIOLATES, violation=Violation(finding=finding), worst=float("inf")
    )
    validate(report(one))
    report(one).write(tmp_path / "r.json")
    again = Report.read(tmp_path / "r.json").verdicts[0]
    assert again.worst == float("inf")
    assert again.violation.finding.ratio == float("inf")
    assert again.violation.finding.sentence() == finding.sentence()


def test_inputs_with_nan_can_be_written(tmp_path: Path):
    """A counterexample that contains NaN is written like any other."""
    drawn = {"replacement": np.array([np.nan, np.inf, 1], np.float32)}
    one = verdict(
        outcome=Outcome.VIOLATES, violation=Violation(finding=FINDING, inputs=literals(drawn))
    )
    validate(report(one))
    report(one).write(tmp_path / "r.json")
    assert Report.read(tmp_path / "r.json").verdicts[0].violation.inputs["replacement"][2] == 1


def test_counts_are_by_outcome():
    """The footer counts every outcome, those without a verdict too."""
    wanted = {outcome.value: 1 for outcome in Outcome}
    assert report(*EVERY, WAIVED).to_json()["footer"]["counts"] == wanted
    assert report().counts() == dict.fromkeys(report().counts(), 0)


def test_the_environment_names_versions():
    """A report says on which versions it rests."""
    found = environment()
    assert {"python", "platform", "batchnorm-conformance", "jax", "flax"} <= set(found)
    assert all(isinstance(value, str) for value in found.values())


# Files


def test_writing_leaves_one_file(tmp_path: Path):
    """A report replaces the one before, and nothing else stays behind."""
    path = tmp_path / "report.json"
    report().write(path)
    report(*EVERY).write(path)
    assert list(tmp_path.iterdir()) == [path]
    assert len(Report.read(path).verdicts) == len(EVERY)


def test_a_report_that_cannot_be_written_leaves_nothing(tmp_path: Path):
    """Where the target is a directory, writing fails without a draft left behind."""
    target = tmp_path / "report.json"
    target.mkdir()
    with pytest.raises(OSError, match=r"report\.json"):
        report(*EVERY).write(target)
    assert list(tmp_path.iterdir()) == [target]


def refusal(path: Path) -> str:
    with pytest.raises(ReportError) as refused:
        Report.read(path)
    return str(refused.value)


def test_a_missing_report_is_refused(tmp_path: Path):
    """A report that is not there is refused with how to get one."""
    path = tmp_path / "r.json"
    said = refusal(path)
    assert said.startswith(f"{path} is no report: [Errno 2] No such file or directory")
    assert said.endswith(f"Write one with `conformance run --report {path}`.")


@pytest.mark.parametrize("text", ["", "{", "hello", "\x00", '{"format": "batch'])
def test_a_malformed_report_is_refused(tmp_path: Path, text: str):
    """What is no JSON is no report."""
    path = tmp_path / "r.json"
    path.write_text(text)
    assert refusal(path).startswith(f"{path} is no report: ")


def test_bytes_are_refused(tmp_path: Path):
    """A binary file is refused like any other."""
    path = tmp_path / "r.json"
    path.write_bytes(b"\xff\xfe\x00")
    assert refusal(path).startswith(f"{path} is no report: ")


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ([], "format None, version None"),
        ({}, "format None, version None"),
        ({"format": "junit", "version": 1}, "format 'junit', version 1"),
        (
            {"format": "batchnorm-conformance-report", "version": 2},
            "format 'batchnorm-conformance-report', version 2",
        ),
    ],
)
def test_another_format_is_refused(tmp_path: Path, data: Any, found: str):
    """Other formats and versions are refused by what was found."""
    path = tmp_path / "r.json"
    path.write_text(json.dumps(data))
    assert refusal(path) == f"{path}: {found}; this suite reads 1."


@pytest.mark.parametrize("part", ["header", "verdicts", "footer"])
def test_a_report_cut_short_is_refused(tmp_path: Path, part: str):
    """A report without one of its parts is refused, with the part."""
    path = tmp_path / "r.json"
    data = report(*EVERY).to_json()
    del data[part]
    path.write_text(json.dumps(data))
    assert refusal(path) == (
        f"{path} is cut short or was edited: $: '{part}' is a required property. "
        "Run again to write a new one."
    )


@pytest.mark.parametrize(
    ("part", "value"),
    [("verdicts", [{"outcome": "maybe"}]), ("verdicts", [None]), ("header", {}), ("footer", [])],
)
def test_an_edited_report_is_refused(tmp_path: Path, part: str, value: Any):
    """A part that does not have its fields is refused."""
    path = tmp_path / "r.json"
    path.write_text(json.dumps(report(*EVERY).to_json() | {part: value}))
    assert refusal(path).startswith(f"{path} is cut short or was edited: ")


# Text


def test_a_violation_is_told_in_full():
    """The text has requirement, formula, finding, inputs, and two commands to go on with."""
    assert (
        violation_text(EVERY[1])
        == """\
BN-EMA-1  A training call moves the running mean towards the batch mean;
    momentum is the weight of the old value.
    rm' = m·rm + (1−m)·μ
    impl · MUST · violates
    running_mean: got 0.75, expected 0.25 ± 1e-06 at feature 0 (error ÷ bound
      5e+05)
    x = [[1], [0]]
    momentum = 0.75
    eps = 1e-05
    Again:    conformance run impl -k BN-EMA-1
    Explain:  conformance explain BN-EMA-1"""
    )


def test_an_unsteady_violation_says_so():
    """A violation that did not come back is called one that does not happen each time."""
    unsteady = Violation(finding=FINDING, inputs=INPUTS, flaky=True)
    text = violation_text(verdict(outcome=Outcome.VIOLATES, violation=unsteady))
    assert "    impl · MUST · violates, but not each time\n" in text


def test_other_bad_outcomes_tell_their_detail():
    """Vacuous and errored verdicts are followed by why."""
    assert "impl · MUST · vacuous\n    no case was executed\n" in violation_text(EVERY[4])
    assert "· errored\n    the suite itself failed: IndexError\n      line 2\n" in violation_text(
        EVERY[5]
    )


def test_commands_can_be_pasted():
    """Names with spaces or shell characters are quoted."""
    one = verdict(implementation="my norm.py:Norm")
    assert rerun_command(one) == "conformance run 'my norm.py:Norm' -k BN-EMA-1"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (1.0, "1"),
        (1e-05, "1e-05"),
        (0.123456789, "0.123456789"),
        (True, "true"),
        (None, "null"),
        ("word", "word"),
        ([[1.0, 2.5], [0.0, -1.0]], "[[1, 2.5], [0, -1]]"),
        ({"gamma": [1.0]}, "(gamma=[1])"),
        ([[0.0] * 7] * 7, "array of shape 7×7, in full in the JSON report"),
    ],
)
def test_literals_are_short(value: Any, text: str):
    """Numbers have no more digits than they need, and long arrays are cut."""
    assert literal_text(value) == text


# The terminal


@pytest.mark.parametrize("one", [*EVERY, WAIVED], ids=lambda v: v.outcome.value)
def test_lines_fit_a_terminal(one: Verdict):
    """No line of a report is longer than 80 columns."""
    assert max(map(len, rendered(report(one)).splitlines())) <= 80


def test_full_reports_fit_a_terminal():
    """A report on every requirement and three implementations stays within 80 columns."""
    names = ("impl", "flax", "path/to/some_file.py:SomeBatchNorm")
    everything = [
        verdict(row, outcome, implementation=name)
        for name, outcome in zip(
            names, (Outcome.CONFORMS, Outcome.VIOLATES, Outcome.ERRORED), strict=True
        )
        for row in REQUIREMENTS
    ]
    lines = [line for line in rendered(report(*everything)).splitlines() if "Again:" not in line]
    assert max(map(len, lines)) <= 80


def test_a_report_works_without_colour():
    """Without a terminal there is no escape sequence, and the words say the same."""
    plain = rendered(report(*EVERY))
    assert "\x1b" not in plain
    coloured = rendered(report(*EVERY), force_terminal=True, color_system="standard")
    assert "\x1b" in coloured
    for word in ("violates 1", "vacuous 4", "errored 5", "deviates (declared) 1", "unsupported"):
        assert word in plain


def test_the_heading_names_the_conditions():
    """The first lines have profile, cases, seed, workers and versions."""
    first, second = heading(report())
    assert first == "default profile · 100 cases per property · seed 0 · 2 workers"
    assert second.startswith("batchnorm-conformance ")
    own = replace(report().header, seed=None, workers=1)
    assert heading(replace(report(), header=own))[0].endswith("· Hypothesis' own seed · 1 worker")


def test_names_are_not_markup():
    """Square brackets in a name or in a finding are shown as they are."""
    finding = replace(FINDING, quantity="[bold]", index=(1, 2))
    one = verdict(
        outcome=Outcome.VIOLATES,
        violation=Violation(finding=finding),
        implementation="[red]x",
        kind="[/]",
    )
    text = rendered(report(one))
    assert "[red]x · [/]" in text
    assert "[bold]: got 0.75, expected 0.25 ± 1e-06 at [1, 2]" in text


def test_commands_repeat_the_conditions():
    """The command to run again carries seed, profile and cases where they are not the usual."""
    header = replace(report(EVERY[1]).header, seed=7, profile="quick", max_examples=5)
    text = rendered(replace(report(EVERY[1]), header=header))
    assert "conformance run impl -k BN-EMA-1 --seed 7 --profile quick --max-examples 5" in text
    assert "Again:    conformance run impl -k BN-EMA-1\n" in rendered(report(EVERY[1]))


def test_conclusions_of_a_good_run():
    """The last lines have the answer and what it rests on."""
    assert conclusion(report(verdict(), verdict("BN-EMA-2"), EVERY[3])) == [
        "impl: conforms to 2 of 2 requirements.",
        "2 judgements, 200 cases, 600 comparisons, 12.3 s.",
    ]


def test_conclusions_of_a_bad_run():
    """A failing answer counts the requirements, and the binding ones among them."""
    should = verdict("BN-STATE-8", Outcome.VIOLATES)
    first = conclusion(report(verdict(), EVERY[1], should))[0]
    assert first == "impl: fails 2 of 3 requirements (1 MUST)."


def test_conclusions_of_a_declared_deviation():
    """A declared deviation conforms, and is mentioned."""
    assert conclusion(report(verdict(), EVERY[2]))[0] == (
        "impl: conforms to 2 of 2 requirements, 1 of them by a declared deviation."
    )


def test_conclusions_of_an_empty_run():
    """Where nothing was judged, the report says so."""
    lines = conclusion(report(EVERY[3]))
    assert lines[0] == "impl: not judged."
    assert lines[-1] == ("Nothing was judged: no chosen requirement applies to what was named.")


def test_incomplete_reports_say_so():
    """Missing verdicts are counted and named, five of them at most."""
    missing = [f"BN-EMA-{number}[impl]" for number in range(1, 8)]
    made = report(verdict("BN-INIT-1"), expected=8, missing=missing)
    assert not made.complete
    assert not made.to_json()["footer"]["complete"]
    line = conclusion(made)[-1].replace("\\", "")
    assert line == (
        "Incomplete: 7 requirements were not reached (BN-EMA-1[impl], BN-EMA-2[impl], "
        "BN-EMA-3[impl], BN-EMA-4[impl], BN-EMA-5[impl], …)."
    )
    assert "Incomplete: 7 requirements were not reached" in rendered(made)


def test_a_lost_verdict_makes_a_report_incomplete():
    """A report with fewer verdicts than expected is incomplete, whatever is said to be missing."""
    assert not report(verdict(), expected=2).complete
    assert report(verdict()).complete


# Pytest outcomes


@pytest.mark.parametrize("one", [EVERY[0], EVERY[2]], ids=["conforms", "deviates"])
def test_good_verdicts_pass(one: Verdict):
    """Conforming and deviating verdicts pass."""
    settle(one, strict=True)


def test_unsupported_verdicts_skip():
    """What does not apply is skipped, with the reason."""
    with pytest.raises(pytest.skip.Exception, match=r"^needs forward, which is not there$"):
        settle(EVERY[3], strict=False)


@pytest.mark.parametrize("one", [EVERY[1], EVERY[4], EVERY[5]], ids=lambda v: v.outcome.value)
def test_bad_verdicts_fail(one: Verdict):
    """Violated, vacuous and errored verdicts fail with their text."""
    with pytest.raises(pytest.fail.Exception) as failed:
        settle(one, strict=False)
    assert str(failed.value) == violation_text(one)


def test_a_violated_should_xfails():
    """A violated SHOULD is expected to fail, unless the run is strict."""
    should = verdict("BN-STATE-8", Outcome.VIOLATES)
    with pytest.raises(pytest.xfail.Exception, match=r"^SHOULD: BN-STATE-8"):
        settle(should, strict=False)
    with pytest.raises(pytest.fail.Exception):
        settle(should, strict=True)


def test_an_errored_should_fails():
    """Only a violation of a SHOULD is forgiven; an error of the suite is not."""
    with pytest.raises(pytest.fail.Exception):
        settle(verdict("BN-STATE-8", Outcome.ERRORED, detail="broken"), strict=False)
