"""One line in a test file of one's own."""

from __future__ import annotations

import pytest

from conformance.requirements import REQUIREMENTS, select


def test_one_line_in_a_test_file_is_enough(project: pytest.Pytester):
    """``conformance_tests`` creates one item per requirement, and shows the violations."""
    project.makepyfile(
        test_mine="""
        from conformance import conformance_tests

        test_right = conformance_tests("norms:right", max_examples=3)
        test_swapped = conformance_tests("norms:swapped", select_only="EMA-1")
        """
    )
    listed = project.runpytest_subprocess("--collect-only", "-q", "-k", "test_right")
    items = [line for line in listed.outlines if "::" in line]
    assert items == [f"test_mine.py::test_right[{row.id}]" for row in select(REQUIREMENTS)]
    result = project.runpytest_subprocess("-k", "EMA-1 or FWD-2", "--strict-markers", "-Werror")
    result.assert_outcomes(passed=1, failed=1, skipped=1, deselected=len(select(REQUIREMENTS)) - 2)
    result.stdout.fnmatch_lines(["*    norms:swapped · MUST · violates"])
    assert "judging.py" not in result.stdout.str()


def test_a_test_file_takes_objects_and_markers(project: pytest.Pytester):
    """An ``Implementation`` can be given itself, and -m selects in a test file, too."""
    project.makepyfile(
        test_mine="""
        from conformance import conformance_tests
        from norms import right

        test_batchnorm = conformance_tests(right, max_examples=20)
        """
    )
    result = project.runpytest_subprocess("-n", "2", "-m", 'requirement(family="EMA")')
    result.assert_outcomes(passed=sum(row.family == "EMA" for row in select(REQUIREMENTS)))


def test_a_test_file_observes_what_is_left_open(project: pytest.Pytester):
    """By their level or ids alone; nothing of them passes, and the reason has the observation."""
    project.makepyfile(
        test_mine="""
        from conformance import conformance_tests

        test_level = conformance_tests("impl", level="may", select_only="EPS")
        test_named = conformance_tests("impl", select_only="BN-EPS-2")
        """
    )
    result = project.runpytest_subprocess("-rs")
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["SKIPPED*BN-EPS-2, observed: training gives NaN in that feature*"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("select_only='NOPE'", "no requirement matches 'NOPE'"),
        ("profile='slow'", "profile='slow': expected one of quick, default, thorough"),
        ("level='maybe'", "'maybe' is not a valid Level"),
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
