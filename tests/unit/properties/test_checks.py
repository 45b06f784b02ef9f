"""The comparisons of properties: when they fail, their messages, and their notes."""

from __future__ import annotations

import numpy as np
import pytest

from conformance.adapters.protocols import Config
from conformance.numerics.bounds import Bound
from conformance.numerics.state import State
from conformance.properties.support.checks import (
    ViolationFound,
    check_finite,
    check_identical,
    check_members,
    check_nan,
    check_same,
    check_shape,
    check_true,
    check_within,
    violation,
)
from conformance.properties.support.notes import Notes, note_rows, taking_notes
from conformance.strategies.tall import Tall

A = np.array


def within(got, expected, allowed=0.5, strict=None, quantity: str = "y") -> Notes:
    """Run ``check_within`` under constant bounds and return what it noted."""
    expected = A(expected, np.float64)
    bound = Bound(np.full(expected.shape, allowed), np.full(expected.shape, strict or allowed))
    with taking_notes() as notes:
        check_within(quantity, A(got), expected, bound)
    return notes


def sentence(check, *arguments, **keywords) -> str:
    """Return what a check that fails says."""
    with pytest.raises(ViolationFound) as found:
        check(*arguments, **keywords)
    assert str(found.value) == found.value.finding.sentence()
    return str(found.value)


def test_equal_values_pass_and_count():
    """``check_same`` counts one comparison."""
    with taking_notes() as notes:
        check_same("leaves", ["a"], ["a"])
    assert notes == Notes(comparisons=1, sighted=True)


def test_unequal_values_are_shown():
    """``check_same`` shows strings as they are and other values by their repr."""
    assert sentence(check_same, "dtype", "int32", "float32") == (
        "dtype: got int32, expected float32"
    )
    assert sentence(check_same, "leaves", ["a"], ("a",)) == "leaves: got ['a'], expected ('a',)"


def test_facts_are_described_in_words():
    """``check_true`` passes on a truth and otherwise says both sides."""
    with taking_notes() as notes:
        check_true("gamma", True, got="", expected="")
    assert notes.comparisons == 1
    message = sentence(check_true, "gamma", False, got="Variable", expected="Param")
    assert message == "gamma: got Variable, expected Param"


def test_shapes_are_compared():
    """``check_shape`` names both shapes."""
    check_shape("y", np.zeros((2, 3)), (2, 3))
    message = sentence(check_shape, "y", np.zeros((3, 2)), (2, 3))
    assert message == "shape of y: got (3, 2), expected (2, 3)"


def test_finite_numbers_pass():
    """``check_finite`` counts every number."""
    with taking_notes() as notes:
        check_finite("y", np.zeros((2, 3)))
    assert notes.comparisons == 6


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_found(bad: float):
    """``check_finite`` names the first position with a NaN or an infinity."""
    message = sentence(check_finite, "y", A([[0, 0], [0, bad]]))
    assert message == f"y: got {bad}, expected a finite number at [1, 1]"


def test_nan_is_required():
    """``check_nan`` wants NaN everywhere; an infinity is none."""
    with taking_notes() as notes:
        check_nan("y", A([np.nan, np.nan]))
    assert notes.comparisons == 2
    assert sentence(check_nan, "y", A([np.nan, 1.5])) == "y: got 1.5, expected NaN at feature 1"
    assert sentence(check_nan, "y", A([np.inf])) == "y: got inf, expected NaN at feature 0"


def test_identical_arrays_pass():
    """``check_identical`` counts shape, dtype and every number, and takes NaN for equal."""
    with taking_notes() as notes:
        check_identical("y", A([1.0, np.nan]), A([1.0, np.nan]))
    assert notes.comparisons == 4


def test_different_arrays_are_found():
    """``check_identical`` compares shape, then dtype, then values, and quotes the rule."""
    one = np.ones(2, np.float32)
    assert sentence(check_identical, "rm", one[:1], one) == ("shape of rm: got (1,), expected (2,)")
    assert sentence(check_identical, "rm", one.astype(int), one) == (
        "dtype of rm: got int64, expected float32"
    )
    other = A([1, 1.5], np.float32)
    assert sentence(check_identical, "rm", other, one) == (
        "rm: got 1.5, expected 1.0, identical at feature 1"
    )
    assert sentence(check_identical, "rm", other, one, rule="exactly one") == (
        "rm: got 1.5, expected 1.0, exactly one at feature 1"
    )
    assert sentence(check_identical, "rm", A([np.nan]), A([1.0])) == (
        "rm: got nan, expected 1.0, identical at feature 0"
    )


def test_identical_means_to_the_last_bit():
    """``check_identical`` sees a difference of one unit in the last place."""
    one = np.ones(1, np.float32)
    with pytest.raises(ViolationFound):
        check_identical("rm", np.nextafter(one, np.float32(2)), one)


def test_errors_within_the_bound_pass():
    """``check_within`` accepts an error of exactly the bound and notes the worst ratio."""
    notes = within([1.0, 2.5], [1.25, 2.0])
    assert notes == Notes(
        comparisons=3,
        worst=1.0,
        worst_quantity="y",
        worst_strict=1.0,
        measured=True,
        by_quantity={"y": 1.0},
        bounded=True,
        resolution={0: {"y": 0.25}},
    )


def test_the_worst_of_each_quantity_is_kept():
    """Notes are kept by quantity, with the largest ratio of each."""
    with taking_notes() as notes:
        check_within("y", np.array([1.0]), np.array([0.5]), Bound(np.array(1.0), np.array(1.0)))
        check_within("y", np.array([1.0]), np.array([0.9]), Bound(np.array(1.0), np.array(1.0)))
        check_within("rm", np.array([1.0]), np.array([1.0]), Bound(np.array(1.0), np.array(1.0)))

    assert notes.by_quantity == {"y": 0.5, "rm": 0.0}


def test_errors_beyond_the_bound_are_found():
    """``check_within`` shows the worst place, its bound, and how many times it is exceeded."""
    message = sentence(within, [[1.0, 2.0], [3.0, 8.0]], [[2.0, 2.0], [3.0, 4.0]])
    assert message == "y: got 8, expected 4 ± 0.5 at [1, 1] (error ÷ bound 8)"


def test_one_feature_is_called_a_feature():
    """In a one-dimensional array the position is a feature."""
    message = sentence(within, [1.0, 1.2345678], [1.0, 0.0], 0.0125, quantity="running_mean")
    assert message == (
        "running_mean: got 1.234568, expected 0 ± 0.013 at feature 1 (error ÷ bound 99)"
    )


def test_the_declared_bound_is_noted_apart():
    """An error between the strict and the allowed bound passes, and the notes show it."""
    notes = within([1.0], [0.0], allowed=2.0, strict=0.25)
    assert (notes.worst, notes.worst_strict) == (0.5, 4.0)


def test_the_worst_of_several_checks_is_kept():
    """Notes add up comparisons and keep the quantity with the largest ratio."""
    with taking_notes() as notes:
        for quantity, got in (("a", 0.1), ("b", 0.4), ("c", 0.2)):
            check_within(quantity, A([got]), A([0.0]), Bound(A([1.0]), A([0.5])))
    assert notes == Notes(
        comparisons=6,
        worst=0.4,
        worst_quantity="b",
        worst_strict=0.8,
        measured=True,
        bounded=True,
        by_quantity={"a": 0.1, "b": 0.4, "c": 0.2},
    )


def test_the_error_that_is_still_decided_is_noted():
    """It is the smallest bound ÷ size of the numbers that are not 0, by quantity and by rows."""
    bound = Bound(A([1.0, 0.1, 0.1]), A([1.0, 0.1, 0.1]))
    with taking_notes() as notes:
        note_rows(
            {"drawn": Tall(Config(features=3), State.fresh(3), 99, np.zeros((3, 3), np.int64))}
        )
        check_within("y", A([2.0, 2.0, 0.0]), A([2.0, 2.0, 0.0]), bound)
        check_within("y", A([2.0, 1.0, 0.0]), A([2.0, 1.0, 0.0]), bound)
        check_within("rm", A([1.0, 0.5, 0.0]), A([1.0, 0.5, 0.0]), bound)
        check_within("zero", np.zeros(3), np.zeros(3), bound)
    assert notes.resolution == {99: {"y": 0.05, "rm": 0.2}}
    assert notes.decided() == {"99": 0.2}
    assert notes.blind


@pytest.mark.parametrize(("allowed", "sighted"), [(0.011, False), (0.01, True)])
def test_a_comparison_that_sees_no_error_of_a_hundredth_is_none(allowed: float, sighted: bool):
    """Only one that does counts against vacuity; a shape beside it does not, other facts do."""
    assert within([1.0], [1.0], allowed=allowed).blind is not sighted
    bound = Bound(A([allowed]), A([allowed]))
    with taking_notes() as notes:
        check_shape("y", np.ones(1), (1,))
        assert not notes.blind
        check_within("y", np.ones(1), np.ones(1), bound)
        assert notes.blind is not sighted
        check_same("count", 1, 1)
        assert not notes.blind


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_result_that_is_not_finite_is_a_violation(bad: float):
    """NaN and infinities are never within a bound, however wide."""
    assert sentence(within, [0.0, bad], [0.0, 1.5], 1e30) == (
        f"y: got {bad}, expected 1.5 at feature 1"
    )


def test_a_relation_with_a_broken_side_is_a_violation():
    """Where the other computed value is not finite, no number agrees with it."""
    assert "error ÷ bound inf" in sentence(within, [0.0], [np.nan])
    assert "error ÷ bound inf" in sentence(within, [0.0], [np.inf])
    assert sentence(within, [np.nan], [np.nan]) == (
        "y: got nan, expected a finite number at feature 0"
    )


def test_shapes_come_before_values():
    """A wrong shape is reported as such, even where broadcasting would agree or NaN stands."""
    assert sentence(within, [[np.nan]], [0.0]) == "shape of y: got (1, 1), expected (1,)"


def test_results_in_half_precision_are_compared_as_they_are():
    """The dtype of a result does not matter to ``check_within``; its values do."""
    assert within(A([1.0], np.float16), [1.0]).worst == 0.0
    assert within([1], [1.0]).worst == 0.0


def test_checks_work_without_notes():
    """Outside a judgement a check still checks."""
    check_same("shape", 1, 1)
    with pytest.raises(ViolationFound):
        check_same("shape", 1, 2)


def test_notes_do_not_mix():
    """Each judgement has its own notes, nested or not, and gets them back after a violation."""
    with taking_notes() as outer:
        check_same("a", 1, 1)
        with taking_notes() as inner, pytest.raises(ViolationFound):
            check_same("b", 1, 2)
        check_same("c", 1, 1)
    assert (outer.comparisons, inner.comparisons) == (2, 1)


def test_violations_are_assertions_with_a_finding():
    """A violation is an ``AssertionError``, so that any runner takes it for a failure."""
    with pytest.raises(AssertionError, match=r"^y: got 1\.5, expected 2$") as found:
        violation("y", 1.5, 2)
    assert (found.value.finding.got, found.value.finding.expected) == (1.5, "2")


@pytest.mark.parametrize(
    ("got", "text"),
    [
        ([("a", "b"), ("c",), ("d",)], "besides c"),
        ([("a", "b")], "without d"),
        ([("c",), ("d",)], "besides c and without a.b"),
        ([("a", "b"), ("a", "b"), ("d",)], "an array more than once"),
    ],
)
def test_members_that_are_too_many_or_lack_are_named(got, text):
    """A violation does not repeat what is right, and says what is required."""
    with pytest.raises(ViolationFound) as raised:
        check_members("leaves", got, [("a", "b"), ("d",)])
    assert raised.value.finding.got == text
    assert raised.value.finding.expected == "a.b, d, and no other"
    check_members("leaves", [("a", "b"), ("d",)], [("a", "b"), ("d",)])
