"""Formats for tools: what each says of a report, and where."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from support.example_reports import EVERY, WAIVED, report

from conformance.report.formats import RENDERERS
from conformance.report.places import find_definition
from conformance.requirements.verdict import Outcome

SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {"version": {"const": "2.1.0"}, "runs": {"type": "array", "minItems": 1}},
}
LINE = {"file": "my, norm.py", "line": 22, "column": 48, "end_line": 22, "end_column": 72}
MADE = report(*EVERY, WAIVED)
NAME = MADE.header.implementations[0]
BAD = [v.requirement for v in MADE.verdicts if v.outcome.bad]


def diagnosed(**line: object) -> str:
    """Return a report whose first violation is explained by a mistake in a line."""
    explained = [v.requirement for v in MADE.of(NAME) if v.outcome is Outcome.VIOLATES]
    diagnosis = {
        "kind": "alternative",
        "sentence": "100% wrong:\nγ, unused",
        "remedy": "use γ",
        "line": LINE | {"text": "x", "got": 1.0, "expected": 2.0, "training": True, "given": {}},
        "explains": explained,
    }
    return RENDERERS["github"](replace(MADE, diagnoses={NAME: diagnosis | line}))


def test_github_annotates_the_line_of_the_cause(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Properties and text are escaped as the service wants it; paths begin at the repository."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CI_PROJECT_DIR", raising=False)
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path.parent))
    first = diagnosed().splitlines()[0]

    assert first.startswith(
        f"::error file={tmp_path.name}/my%2C norm.py,line=22,endLine=22,col=48,endColumn=72,"
        "title=BatchNorm conformance%3A 100%25 wrong%3A%0Aγ%2C unused::"
    )
    assert "%0ADo: use γ.%0AExplains " in first


def test_gitlab_lists_each_requirement_once():
    """Each with a place, a severity and a fingerprint that another run repeats."""
    issues = json.loads(RENDERERS["gitlab"](MADE))

    assert sorted(issue["check_name"] for issue in issues) == sorted(BAD)
    assert len({issue["fingerprint"] for issue in issues}) == len(issues)
    for issue in issues:
        assert issue["severity"] in {"major", "minor"}
        assert issue["location"]["path"]
        assert issue["location"]["lines"]["begin"] >= 1


def test_sarif_has_a_rule_for_each_result():
    """Waived violations are suppressed, with the reason."""
    document = json.loads(RENDERERS["sarif"](MADE))
    jsonschema.validate(document, SARIF)
    (run,) = document["runs"]
    rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    suppressed = [result for result in run["results"] if "suppressions" in result]

    assert {result["ruleId"] for result in run["results"]} == rules == {*BAD, WAIVED.requirement}
    assert [result["ruleId"] for result in suppressed] == [WAIVED.requirement]
    assert suppressed[0]["suppressions"][0]["justification"] == WAIVED.detail


def test_json_and_junit_are_the_documents_of_the_other_options():
    """The same as ``--report`` and ``--junit`` write."""
    assert json.loads(RENDERERS["json"](MADE)) == json.loads(json.dumps(MADE.to_dict()))
    assert ET.fromstring(RENDERERS["junit"](MADE)).tag == "testsuites"


def test_a_definition_is_found_without_an_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """In a file and in a package, also of a nested class; not of what is nowhere."""
    package = tmp_path / "some_package"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('imported')\n")
    (package / "norm.py").write_text(
        "import json\n\n\nclass Outer:\n    class Norm:\n        pass\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    monkeypatch.delenv("CI_PROJECT_DIR", raising=False)

    for name in ("some_package.norm:Outer.Norm", "some_package/norm.py:Outer.Norm@cpu"):
        place = find_definition(name)
        assert place is not None
        assert (place.file, place.line) == ("some_package/norm.py", 5)
    assert find_definition("impl") is None
    assert find_definition("nowhere.py:Norm") is None
