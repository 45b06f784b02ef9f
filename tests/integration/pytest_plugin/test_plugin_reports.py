"""What a run under pytest leaves behind: the JSON report, and JUnit XML."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest
from support.projects import judge, read
from support.sampling import exhaustive

from conformance.requirements import REQUIREMENTS, select


@exhaustive
def test_workers_write_one_complete_report(project: pytest.Pytester):
    """With two workers the report has every verdict, also when a requirement fails."""
    target = project.path / "out" / "report.json"
    result = judge(
        project,
        *("--impl=norms:right", "--impl=norms:swapped", "-n", "2", "--max-examples", "5"),
        *("--conformance-select=INIT,EMA,FWD", f"--conformance-report={target}"),
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    data = read(target)
    rows = [row.id for row in select(REQUIREMENTS) if row.family in {"INIT", "EMA", "FWD"}]
    assert data["footer"]["complete"]
    assert data["footer"]["exit_code"] == 1
    assert data["header"]["workers"] == 2
    assert data["header"]["max_examples"] == 5
    assert data["header"]["seed"] == 0
    found = [(one["implementation"], one["requirement"]) for one in data["verdicts"]]
    assert found == [(name, row) for name in ("norms:right", "norms:swapped") for row in rows]
    outcomes = {f: one["outcome"] for f, one in zip(found, data["verdicts"], strict=True)}
    assert outcomes["norms:right", "BN-EMA-1"] == "conforms"
    assert outcomes["norms:swapped", "BN-EMA-1"] == "violates"
    assert outcomes["norms:right", "BN-FWD-1"] == "unsupported"


def test_a_stopped_run_writes_an_incomplete_report(project: pytest.Pytester):
    """With ``-x`` the report lists the requirements that were not reached."""
    judge(
        project,
        *("--impl=norms:swapped", "--conformance-select=EMA-1,EMA-2", "-x"),
        "--conformance-report=report.json",
    )
    footer = read(project.path / "report.json")["footer"]
    assert not footer["complete"]
    assert footer["missing"] == ["BN-EMA-2[norms:swapped]"]


def test_junit_names_the_requirement(project: pytest.Pytester):
    """JUnit XML has the id as a property of each test case."""
    judge(project, "--impl=norms:right", "-k", "EMA-1", "--junitxml=junit.xml")
    (case,) = ET.parse(project.path / "junit.xml").iter("testcase")
    properties = {one.get("name"): one.get("value") for one in case.iter("property")}
    assert properties["requirement"] == "BN-EMA-1"
    assert properties["implementation"] == "norms:right"
    assert (properties["level"], properties["outcome"]) == ("must", "conforms")
    assert json.loads(properties["conformance"])["outcome"] == "conforms"
    assert case.get("name") == "BN-EMA-1[norms:right]"


@exhaustive
def test_the_number_of_cases_can_be_chosen(project: pytest.Pytester):
    """``--max-examples`` is the number of cases per property."""
    judge(
        project,
        *("--impl=norms:right", "--conformance-select=EMA-2", "--max-examples=7"),
        "--conformance-report=report.json",
    )
    (verdict,) = read(project.path / "report.json")["verdicts"]
    assert verdict["cases"] == 7


def test_the_seed_of_hypothesis_is_accepted(project: pytest.Pytester):
    """``--hypothesis-seed`` takes the place of the suite's own seed, as the report says."""
    result = judge(
        project,
        *("--impl=norms:right", "--conformance-select=EMA-2", "--max-examples=7"),
        *("--hypothesis-seed=3", "--conformance-report=report.json"),
    )
    assert result.ret == 0
    data = read(project.path / "report.json")
    assert data["header"]["seed"] is None
    assert data["verdicts"][0]["cases"] == 7
