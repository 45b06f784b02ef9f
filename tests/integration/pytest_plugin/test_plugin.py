"""The pytest plugin, in projects with settings of their own."""

from __future__ import annotations

import pytest
from support.projects import judge
from support.sampling import exhaustive

from conformance.requirements import REQUIREMENTS, select

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


# Without --impl


def test_the_plugin_is_inert_without_an_implementation(project: pytest.Pytester):
    """A user's own tests run as ever, and nothing heavy is imported for them."""
    project.makepyfile(
        """
        import sys

        def test_mine(pytestconfig):
            assert not {"jax", "flax", "conformance.engine.judge"} & set(sys.modules)
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


@pytest.mark.parametrize(
    "workers",
    [[], pytest.param(["-n", "2"], marks=exhaustive)],
    ids=["one process", "two workers"],
)
def test_a_wrong_name_is_a_usage_error(project: pytest.Pytester, workers: list[str]):
    """A name that cannot be resolved ends with exit code 4 and its message, once."""
    result = judge(project, "--impl", "norms:rigth", *workers)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    output = result.stdout.str() + result.stderr.str()
    wanted = "ERROR: module 'norms' (./norms.py) has no attribute 'rigth'. Did you mean 'right'?"
    assert output.count(wanted) == 1
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (
            "--max-examples=0",
            "--max-examples 0: expected at least 1: without a case nothing is judged",
        ),
        (
            "--conformance-memory-limit=0.5",
            "--conformance-memory-limit 0.5: expected a number of GiB*",
        ),
        ("--conformance-call-timeout=0", "--conformance-call-timeout 0.0: expected a number of *"),
        (
            "--conformance-max-time=nan",
            "--conformance-max-time nan: expected a number of seconds greater than 0",
        ),
        ("--conformance-seed=-1", "--conformance-seed -1: expected an integer of at least 0"),
        ("--conformance-shard=3/2", "shard '3/2': expected i/n with 1 ≤ i ≤ n*"),
        (
            "--conformance-report=/",
            "--conformance-report '/': cannot be written: it is a directory*",
        ),
        ("--conformance-pairs=none", "--conformance-pairs none: cannot be read: No such file*"),
        ("--conformance-waivers=none", "none is not a waiver file: *"),
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
    result.assert_outcomes(passed=1, deselected=len(select(REQUIREMENTS)) - 1)


def test_markers_select(project: pytest.Pytester):
    """``-m requirement(id=…)`` selects one requirement."""
    result = judge(project, "--impl", "norms:right", "-v", "-m", 'requirement(id="BN-EMA-1")')
    result.assert_outcomes(passed=1, deselected=len(select(REQUIREMENTS)) - 1)
    result.stdout.fnmatch_lines(["*BN-EMA-1[[]norms:right[]] PASSED*"])


def test_options_select(project: pytest.Pytester):
    """``--conformance-select`` and ``--conformance-level`` decide which items there are."""
    result = judge(
        project,
        *("--impl", "norms:right", "--max-examples", "2", "--collect-only", "-q"),
        *("--conformance-select", "STATE", "--conformance-level", "should"),
    )
    items = [line for line in result.outlines if "BN-" in line]
    assert [line.rsplit("::")[-1] for line in items] == [
        f"BN-STATE-{number}[norms:right]" for number in (8, 9)
    ]


def test_a_violation_fails_with_its_text(project: pytest.Pytester):
    """A violated MUST fails with the finding and its input, and without a traceback."""
    result = judge(project, "--impl", "norms:swapped", "-k", "EMA-1")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(failed=1, deselected=len(select(REQUIREMENTS)) - 1)
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


@exhaustive
def test_several_implementations_are_judged(project: pytest.Pytester):
    """Each ``--impl`` has its own items; naming one twice changes nothing."""
    names = ("norms:right", "norms:swapped", "norms:right")
    result = judge(project, *(f"--impl={name}" for name in names), "-k", "EMA-1")
    result.assert_outcomes(passed=1, failed=1, deselected=2 * (len(select(REQUIREMENTS)) - 1))


def test_what_does_not_apply_is_skipped(project: pytest.Pytester):
    """Where nothing applies, items are skipped, and a run of nothing else has exit code 5."""
    result = judge(project, "--impl", "norms:right", "--conformance-select", "FWD,VMAP", "-rs")
    skipped = sum(row.family in {"FWD", "VMAP"} for row in select(REQUIREMENTS))
    result.assert_outcomes(skipped=skipped)
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result.stdout.fnmatch_lines(["SKIPPED*needs transforms, which the implementation does not*"])


def test_what_is_left_open_is_observed(project: pytest.Pytester):
    """Items of MAY rows cannot fail, so none passes; at the end it is shown what was observed."""
    result = judge(
        project, "--impl", "impl", "--conformance-level", "may", "--conformance-select", "FLAG"
    )
    result.assert_outcomes(skipped=3)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["BN-FLAG-6  The layer may take*", "    NaN and .3: evaluates"])


@pytest.mark.parametrize("strict", [False, pytest.param(True, marks=exhaustive)])
def test_a_violated_should_xfails(project: pytest.Pytester, strict: bool):
    """A violated SHOULD xfails, and fails with ``--conformance-strict``."""
    project.makepyfile(counting=COUNTING)
    options = ["--conformance-strict"] * strict
    result = judge(project, "--impl", "counting:Counting", "-k", "STATE-8", *options)
    if strict:
        result.assert_outcomes(failed=1, deselected=len(select(REQUIREMENTS)) - 1)
    else:
        result.assert_outcomes(xfailed=1, deselected=len(select(REQUIREMENTS)) - 1)
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
