"""Waivers under pytest: with ``--impl``, and in test files of one's own that share a file."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest
from support.judging import judge_by_id
from support.numpy_norm import SwappedMomentum, subject
from support.projects import judge, read
from support.sampling import exhaustive

ENTRY = """
[[waiver]]
requirement = "{0}"
implementation = "{1}"
reason = "known"
issue = "#1"
"""
SWAPPED = ENTRY.format("BN-EMA-1", "norms:swapped")

ONE_LINE = """
from conformance import conformance_tests
test_norm = conformance_tests("norms:{}", select_only="EMA-1", max_examples=9, waivers="w.toml")
"""


@pytest.fixture
def write_waivers(project: pytest.Pytester):
    """Write the file of waivers of a project."""
    return lambda *entries: project.path.joinpath("w.toml").write_text("".join(entries))


@pytest.fixture(scope="module")
def pin() -> str:
    """The case by which the wrong layer is found out, as a line of an entry."""
    violation = judge_by_id(subject(SwappedMomentum), "BN-EMA-1", max_examples=9).violation
    assert violation is not None
    return f"pin = '{json.dumps(violation.values)}'\n"


@exhaustive
@pytest.mark.parametrize("doors", [["-p", "no:xdist"], ["--conformance-in-process"], ["-n", "2"]])
def test_a_pin_is_judged_alone(project, write_waivers, pin, doors):
    """In a separate process, in pytest's, and on a worker: one case, and no search."""
    write_waivers(SWAPPED, pin)
    result = judge(
        project,
        *("--impl=norms:swapped", "--conformance-select=EMA-1", "--conformance-waivers=w.toml"),
        *("--conformance-report=r.json", "--junitxml=j.xml", *doors),
    )
    result.assert_outcomes(xfailed=1)
    assert result.ret == 0
    (verdict,) = read(project.path / "r.json")["verdicts"]
    assert (verdict["outcome"], verdict["cases"]) == ("waived", 1)
    (case,) = ET.parse(project.path / "j.xml").iter("testcase")
    properties = {one.get("name"): one.get("value") for one in case.iter("property")}
    assert properties["outcome"] == "waived"
    assert case.find("skipped") is not None, "it does not count as passed"


@exhaustive
@pytest.mark.parametrize(
    ("expected", "right", "workers"),
    [("weight of the new", True, ()), ("an axis is wrong", False, ("-n", "1"))],
)
def test_the_diagnosis_is_compared(project, write_waivers, expected, right, workers):
    """A waiver for one mistake does not cover another, with ``--impl``..."""
    write_waivers(SWAPPED, f'diagnosis = "{expected}"')
    result = judge(
        project,
        *("--impl=norms:swapped", "--conformance-select=EMA-1", "--conformance-waivers=w.toml"),
        *("--max-examples=9", "--conformance-report=r.json", *workers),
    )
    said = "*the waiver of BN-EMA-1 for norms:swapped expects 'an axis is wrong', but *"
    assert result.ret == (0 if right else 1)
    if not right:
        result.stdout.fnmatch_lines([said])
    report = read(project.path / "r.json")
    assert report["footer"]["exit_code"] == result.ret
    assert "momentum" in report["diagnoses"]["norms:swapped"]["sentence"]


@exhaustive
@pytest.mark.parametrize(
    ("expected", "right"), [("weight of the new", True), ("an axis is wrong", False)]
)
def test_the_diagnosis_is_compared_in_a_test_file(project, write_waivers, expected, right):
    """... and in a test file of one's own."""
    write_waivers(SWAPPED, f'diagnosis = "{expected}"')
    project.makepyfile(test_mine=ONE_LINE.format("swapped"))
    result = project.runpytest_subprocess()
    result.assert_outcomes(xfailed=right, failed=not right)
    if not right:
        result.stdout.fnmatch_lines(["*expects 'an axis is wrong', but the diagnosis is: *"])


def test_a_pin_is_judged_alone_in_a_test_file(project, write_waivers, pin):
    """The reason says that no other case was searched for."""
    write_waivers(SWAPPED, pin)
    project.makepyfile(test_mine=ONE_LINE.format("swapped"))
    result = project.runpytest_subprocess("-rx")
    result.assert_outcomes(xfailed=1)
    result.stdout.fnmatch_lines(["*waived: known (#1); the pinned case still violates*"])


def test_a_pin_of_another_requirement_waives_nothing(project, write_waivers):
    """The message says what the case lacks."""
    write_waivers(SWAPPED, """pin = '{"sequence": 3}'""")
    project.makepyfile(test_mine=ONE_LINE.format("swapped"))
    result = project.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*it has sequence where BN-EMA-1 has case*"])


def test_a_waiver_that_is_not_needed_fails_its_test(project, write_waivers):
    """The item of that requirement, and no other, says so."""
    write_waivers(ENTRY.format("BN-EMA-1", "norms:right"))
    project.makepyfile(test_mine=ONE_LINE.format("right").replace("EMA-1", "EMA-1,EMA-2"))
    result = project.runpytest_subprocess()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*BN-EMA-1 for norms:right is no longer needed*"])


SHARED = (SWAPPED, ENTRY.format("BN-EMA-1", "norms:other"))
OTHER = "import norms\nnorms.other = norms.swapped\n" + ONE_LINE.format("other")


@exhaustive
@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["one process", "two workers"])
def test_test_files_share_a_file_of_waivers(project, write_waivers, workers):
    """Each has its own entries in it, and those of the other are not errors."""
    write_waivers(*SHARED)
    project.makepyfile(test_one=ONE_LINE.format("swapped"), test_two=OTHER)
    result = project.runpytest_subprocess(*workers)
    result.assert_outcomes(xfailed=2)
    assert result.ret == 0


@pytest.mark.parametrize(
    "arguments",
    [[], *(pytest.param(each, marks=exhaustive) for each in ([".", "-n", "1"], ["-k", "EMA"]))],
    ids=" ".join,
)
def test_an_entry_for_nobody_is_an_error(project, write_waivers, arguments):
    """Once all test files are collected, it is known that none has use for an entry."""
    write_waivers(*SHARED)
    project.makepyfile(test_one=ONE_LINE.format("swapped"))
    result = project.runpytest_subprocess(*arguments)
    result.assert_outcomes(xfailed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    sentence = "the waiver of BN-EMA-1 for norms:other matches nothing: judged was norms:swapped."
    assert result.stdout.str().count(sentence) == 1


@pytest.mark.parametrize(
    "arguments",
    [["test_one.py"], ["-k", "test_one"], pytest.param(["--lf"], marks=exhaustive)],
    ids=" ".join,
)
def test_a_part_of_the_tests_does_not_know(project, write_waivers, arguments):
    """A file that is not collected, or an item that is not selected, may have use for an entry."""
    write_waivers(*SHARED)
    project.makepyfile(test_one=ONE_LINE.format("swapped"), test_two=OTHER)
    if arguments == ["--lf"]:
        project.makepyfile(test_three="def test_three():\n    assert False")
        project.runpytest_subprocess()
    result = project.runpytest_subprocess(*arguments)
    assert "matches nothing" not in result.stdout.str()
