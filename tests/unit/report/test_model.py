"""The JSON report: its schema, writing and reading it, and refusals."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from support.example_reports import EVERY, FINDING, IDS, OBSERVED, WAIVED, report, verdict

from conformance.report.model import SCHEMA, Report, ReportError, read_environment
from conformance.requirements.verdict import Outcome, Verdict, Violation
from conformance.strategies.case import literals


def validate(made: Report) -> None:
    """Assert that a report, written as JSON, satisfies the schema."""
    text = json.dumps(made.to_dict(), allow_nan=False)
    jsonschema.validate(json.loads(text), json.loads(SCHEMA.read_text()))


# JSON


@pytest.mark.parametrize("one", [*EVERY, WAIVED, OBSERVED], ids=lambda v: v.outcome.value)
def test_every_outcome_fits_the_schema(one: Verdict):
    """A report with any outcome validates against the schema that is shipped."""
    validate(report(one))


def test_every_requirement_fits_the_schema():
    """A report about all requirements validates, whatever their ids look like."""
    validate(report(*(verdict(identity) for identity in IDS)))


def test_outcomes_are_those_of_the_schema():
    """The schema lists the outcomes of the code and no others."""
    listed = json.loads(SCHEMA.read_text())["$defs"]["outcome"]["enum"]
    assert listed == [outcome.value for outcome in Outcome]
    assert {one.outcome for one in (*EVERY, WAIVED, OBSERVED)} == set(Outcome)


def test_the_schema_can_refuse():
    """A report with a field that nobody knows does not validate."""
    data = report(*EVERY).to_dict() | {"verdict": "fine"}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, json.loads(SCHEMA.read_text()))


def test_the_transforms_tell_what_was_seen_under_each():
    """The matrix has the outcome of a requirement under each of its transforms, and no other."""
    made = report(verdict("BN-SCAN-1", Outcome.VIOLATES), verdict("BN-JIT-2"), verdict("BN-EMA-1"))
    assert made.to_dict()["transforms"] == {
        "impl": {
            "nnx.jit or jax.jit": {"BN-SCAN-1": "violates", "BN-JIT-2": "conforms"},
            "nnx.scan or jax.lax.scan": {"BN-SCAN-1": "violates"},
        }
    }


def test_reports_survive_a_trip(tmp_path: Path):
    """A report that was written is read back equal."""
    made = report(*EVERY, WAIVED)
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
    assert report(*EVERY, WAIVED, OBSERVED).to_dict()["footer"]["counts"] == wanted
    assert report().counts() == dict.fromkeys(report().counts(), 0)


def test_the_environment_names_versions():
    """A report says on which versions it rests."""
    found = read_environment()
    assert {"python", "platform", "batchnorm-conformance", "jax", "flax"} <= set(found)
    assert all(isinstance(value, str) for value in found.values())


# Files


def test_writing_leaves_one_file(tmp_path: Path):
    """A report replaces the one before, and no temporary file is left."""
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


def read_error(path: Path) -> str:
    with pytest.raises(ReportError) as refused:
        Report.read(path)
    return str(refused.value)


def test_a_missing_report_is_refused(tmp_path: Path):
    """A report that is not there is refused with how to get one."""
    path = tmp_path / "r.json"
    error = read_error(path)
    assert error.startswith(f"{path} is not a report: [Errno 2] No such file or directory")
    assert error.endswith(f"Write one with `conformance run --report {path}`.")


@pytest.mark.parametrize("text", ["", "{", "hello", "\x00", '{"format": "batch'])
def test_a_malformed_report_is_refused(tmp_path: Path, text: str):
    """What is not JSON is not a report."""
    path = tmp_path / "r.json"
    path.write_text(text)
    assert read_error(path).startswith(f"{path} is not a report: ")


def test_bytes_are_refused(tmp_path: Path):
    """A binary file is refused like any other."""
    path = tmp_path / "r.json"
    path.write_bytes(b"\xff\xfe\x00")
    assert read_error(path).startswith(f"{path} is not a report: ")


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
    """Other formats and versions are refused; the message names them."""
    path = tmp_path / "r.json"
    path.write_text(json.dumps(data))
    assert read_error(path) == f"{path}: {found}; this suite reads 1."


@pytest.mark.parametrize("part", ["header", "verdicts", "footer"])
def test_a_report_cut_short_is_refused(tmp_path: Path, part: str):
    """A report without one of its parts is refused, with the part."""
    path = tmp_path / "r.json"
    data = report(*EVERY).to_dict()
    del data[part]
    path.write_text(json.dumps(data))
    assert read_error(path) == (
        f"{path} is truncated or was edited: $: '{part}' is a required property. "
        "Run again to write a new one."
    )


@pytest.mark.parametrize(
    ("part", "value"),
    [("verdicts", [{"outcome": "maybe"}]), ("verdicts", [None]), ("header", {}), ("footer", [])],
)
def test_an_edited_report_is_refused(tmp_path: Path, part: str, value: Any):
    """A part that does not have its fields is refused."""
    path = tmp_path / "r.json"
    path.write_text(json.dumps(report(*EVERY).to_dict() | {part: value}))
    assert read_error(path).startswith(f"{path} is truncated or was edited: ")
