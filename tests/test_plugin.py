"""The pytest plugin, in projects with settings of their own."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import jsonschema
import pytest

from conformance.report.model import SCHEMA
from conformance.requirements import REQUIREMENTS

TESTS = Path(__file__).parent

NORMS = f"""
import sys
sys.path.append({str(TESTS)!r})
from numpy_norm import NumpyNorm, SwappedMomentum, implementation

right = implementation(NumpyNorm)
swapped = implementation(SwappedMomentum)
"""

COUNTING = """
import jax.numpy as jnp
from flax import nnx
from impl.batchnorm import MyBatchNorm


class Counting(MyBatchNorm):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.calls = 0

    def __call__(self, x, use_running_average):
        self.calls += 1
        return super().__call__(x, use_running_average)
"""

NOTHING_TO_JUDGE = (
    "ERROR: conformance: no implementation to judge. Name one with --impl, such as --impl impl, "
    "--impl my_package.norm:MyBatchNorm or --impl ./my_norm.py:MyBatchNorm"
)

ALIEN = """
[pytest]
python_files = spec_*.py
python_functions = should_*
python_classes = Describe*
filterwarnings = error
addopts = --strict-markers --strict-config -ra
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A directory with a right and a wrong layer, neither of which needs a framework."""
    (pytester.path / "norms.py").write_text(NORMS, encoding="utf-8")
    return pytester


def judge(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run pytest on the requirements, as users do."""
    return project.runpytest_subprocess("--pyargs", "conformance", *arguments)


def read(path: Path) -> dict:
    """Return a report after checking it against the schema."""
    data = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.validate(data, json.loads(SCHEMA.read_text(encoding="utf-8")))
    return data


# Without --impl


def test_the_plugin_is_inert_without_an_implementation(project: pytest.Pytester):
    """A user's own tests run as ever, and nothing heavy is imported for them."""
    project.makepyfile(
        """
        import sys

        def test_mine(pytestconfig):
            assert not {"jax", "flax", "conformance.judging"} & set(sys.modules)
            assert not pytestconfig.pluginmanager.has_plugin("conformance-session")
        """
    )
    result = project.runpytest_subprocess("--strict-markers", "-W", "error")
    result.assert_outcomes(passed=1)


def test_nothing_to_judge_is_a_usage_error(project: pytest.Pytester):
    """``--pyargs conformance`` without ``--impl`` ends with exit code 4 and one message."""
    result = judge(project)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([NOTHING_TO_JUDGE])
    assert "Traceback" not in result.stderr.str() + result.stdout.str()


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["one process", "two workers"])
def test_a_wrong_name_is_a_usage_error(project: pytest.Pytester, workers: list[str]):
    """A name that cannot be resolved ends with exit code 4 and its message, once."""
    result = judge(project, "--impl", "norms:rigth", *workers)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    said = result.stdout.str() + result.stderr.str()
    wanted = "ERROR: module 'norms' (./norms.py) has no attribute 'rigth'. Did you mean 'right'?"
    assert said.count(wanted) == 1
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--max-examples=0", "--max-examples=0 must be at least 1: with no case nothing is judged"),
        ("--conformance-select=NOPE", "no requirement matches 'NOPE': expected an id such as*"),
    ],
)
def test_wrong_options_are_usage_errors(project: pytest.Pytester, option: str, message: str):
    """Options that make no sense are refused before anything is judged."""
    result = judge(project, "--impl", "norms:right", option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])


# Judging


def test_a_foreign_project_can_judge(project: pytest.Pytester):
    """Naming rules, strictness and warnings of a user's project do not get in the way."""
    project.makeini(ALIEN)
    result = judge(project, "--impl", "impl", "-k", "INIT-1")
    assert result.ret == 0
    result.assert_outcomes(passed=1, deselected=len(REQUIREMENTS) - 1)


def test_markers_select(project: pytest.Pytester):
    """``-m requirement(id=…)`` selects one requirement."""
    result = judge(project, "--impl", "norms:right", "-v", "-m", 'requirement(id="BN-EMA-1")')
    result.assert_outcomes(passed=1, deselected=len(REQUIREMENTS) - 1)
    result.stdout.fnmatch_lines(["*BN-EMA-1[[]norms:right[]] PASSED*"])


def test_options_select(project: pytest.Pytester):
    """``--conformance-select`` and ``--conformance-level`` decide what becomes an item."""
    result = judge(
        project,
        *("--impl", "norms:right", "--max-examples", "2", "--collect-only", "-q"),
        *("--conformance-select", "STATE", "--conformance-level", "should"),
    )
    items = [line for line in result.outlines if "BN-" in line]
    assert [line.rsplit("::")[-1] for line in items] == ["BN-STATE-8[norms:right]"]


def test_a_violation_fails_with_its_text(project: pytest.Pytester):
    """A violated MUST fails with what a reader needs, and without a traceback."""
    result = judge(project, "--impl", "norms:swapped", "-k", "EMA-1")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(failed=1, deselected=len(REQUIREMENTS) - 1)
    result.stdout.fnmatch_lines(
        [
            "BN-EMA-1  A training call moves the running mean towards the batch mean;",
            "    rm' = m·rm + (1−m)·μ",
            "    norms:swapped · MUST · violates",
            "    running_mean: got *, expected * ± *",
            "    x = [[][[]*",
            "    momentum = *",
            "    Again:    conformance run norms:swapped -k BN-EMA-1",
            "    Explain:  conformance explain BN-EMA-1",
        ]
    )
    assert "Traceback" not in result.stdout.str()
    assert "judging.py" not in result.stdout.str()


def test_several_implementations_are_judged(project: pytest.Pytester):
    """Each ``--impl`` has its own items; naming one twice changes nothing."""
    names = ("norms:right", "norms:swapped", "norms:right")
    result = judge(project, *(f"--impl={name}" for name in names), "-k", "EMA-1")
    result.assert_outcomes(passed=1, failed=1, deselected=2 * (len(REQUIREMENTS) - 1))


def test_what_does_not_apply_is_skipped(project: pytest.Pytester):
    """Where nothing applies, items are skipped, and a run of nothing else has exit code 5."""
    result = judge(project, "--impl", "norms:right", "--conformance-select", "FWD,VMAP", "-rs")
    skipped = sum(row.family in {"FWD", "VMAP"} for row in REQUIREMENTS.values())
    result.assert_outcomes(skipped=skipped)
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result.stdout.fnmatch_lines(["SKIPPED*needs transforms, which the implementation does not*"])


@pytest.mark.parametrize("strict", [False, True])
def test_a_violated_should_xfails(project: pytest.Pytester, strict: bool):
    """A violated SHOULD xfails, and fails with ``--conformance-strict``."""
    project.makepyfile(counting=COUNTING)
    options = ["--conformance-strict"] * strict
    result = judge(project, "--impl", "counting:Counting", "-k", "STATE-8", *options)
    if strict:
        result.assert_outcomes(failed=1, deselected=len(REQUIREMENTS) - 1)
    else:
        result.assert_outcomes(xfailed=1, deselected=len(REQUIREMENTS) - 1)
    assert result.ret == int(strict)


def test_warnings_of_a_layer_are_no_violations(project: pytest.Pytester):
    """A layer that warns is judged by its numbers, even where warnings are errors."""
    project.makepyfile(
        warning="""
        import warnings
        from norms import NumpyNorm, implementation

        class Warning(NumpyNorm):
            def statistics(self, x):
                warnings.warn("careful", RuntimeWarning)
                return super().statistics(x)

        norm = implementation(Warning)
        """
    )
    project.makeini(ALIEN)
    result = judge(project, "--impl", "warning:norm", "-k", "EMA-1", "--max-examples", "5")
    assert result.ret == 0


# What a run leaves behind


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
    rows = [row for row, one in REQUIREMENTS.items() if one.family in {"INIT", "EMA", "FWD"}]
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
    """With ``-x`` the report names what was not reached."""
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


# A test file of one's own


def test_one_line_in_a_test_file_is_enough(project: pytest.Pytester):
    """``conformance_tests`` gives one item per requirement, and shows what is violated."""
    project.makepyfile(
        test_mine="""
        from conformance import conformance_tests

        test_right = conformance_tests("norms:right", max_examples=3)
        test_swapped = conformance_tests("norms:swapped", select_only="EMA-1")
        """
    )
    listed = project.runpytest_subprocess("--collect-only", "-q", "-k", "test_right")
    items = [line for line in listed.outlines if "::" in line]
    assert items == [f"test_mine.py::test_right[{row}]" for row in REQUIREMENTS]
    result = project.runpytest_subprocess("-k", "EMA-1 or FWD-1", "--strict-markers", "-Werror")
    result.assert_outcomes(passed=1, failed=1, skipped=1, deselected=len(REQUIREMENTS) - 2)
    result.stdout.fnmatch_lines(["*    norms:swapped · MUST · violates"])
    assert "judging.py" not in result.stdout.str()


def test_a_test_file_takes_objects_and_markers(project: pytest.Pytester):
    """An ``Implementation`` can be given itself, and -m selects in a test file, too."""
    project.makepyfile(
        test_mine="""
        from conformance import conformance_tests
        from norms import right

        test_batchnorm = conformance_tests(right, max_examples=3)
        """
    )
    result = project.runpytest_subprocess("-n", "2", "-m", 'requirement(family="EMA")')
    result.assert_outcomes(passed=sum(row.family == "EMA" for row in REQUIREMENTS.values()))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("select_only='NOPE'", "no requirement matches 'NOPE'"),
        ("profile='slow'", "profile='slow': expected one of quick, default, thorough"),
        ("level='may'", "'may' is not a valid Level"),
    ],
)
def test_wrong_arguments_are_refused_at_once(
    project: pytest.Pytester, arguments: str, message: str
):
    """A mistake in the one line is an error of collection, not a green run of nothing."""
    line = f"test_batchnorm = conformance_tests('impl', {arguments})"
    project.makepyfile(test_mine=f"from conformance import conformance_tests\n{line}")
    result = project.runpytest_subprocess()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert message in result.stdout.str()


def test_a_wrong_name_in_a_test_file_fails(project: pytest.Pytester):
    """A name that cannot be resolved fails each item with the message for it."""
    project.makepyfile(
        test_mine="""
        from conformance import conformance_tests

        test_batchnorm = conformance_tests("norms:rigth", select_only="EMA-1")
        """
    )
    result = project.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*has no attribute 'rigth'. Did you mean 'right'?*"])
