"""The few comparisons that properties make.

A check raises ``ViolationFound`` with the full story or returns nothing; it never returns a
truth value. Every check notes what it compared in the ``Notes`` of the running judgement, so
that a verdict can say how much it rests on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from conformance.numerics.bounds import Bound
from conformance.numerics.oracle import float64
from conformance.properties.support.notes import count
from conformance.requirements.finding import FINITE_NUMBER, Finding, FindingKind


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """The comparison that failed.

    Attributes:
        kind: "within", "identical", "same", "shape", "dtype", "true", "finite", "nan", "array", or
            "has" for something that has to be in a container.
        got: The observed value, as the check received it.
        expected: The expected value.
    """

    kind: str
    got: Any
    expected: Any = None


class ViolationFound(AssertionError):
    """The implementation contradicts the requirement that is being judged.

    Attributes:
        finding: What was found.
        comparison: The comparison that failed; None if an operation failed.
    """

    def __init__(self, finding: Finding, comparison: Comparison | None = None) -> None:
        super().__init__(finding.sentence())
        self.finding, self.comparison = finding, comparison


def violation(
    quantity: str, got: Any, expected: Any, comparison: Comparison | None = None, **rest: Any
) -> NoReturn:
    """Raise the violation of a rule that has no error bound.

    Args:
        quantity: The name of what is wrong.
        got: What the implementation returned.
        expected: What the requirement asks for.
        comparison: The comparison that failed, if one did.
        **rest: Other fields of ``Finding``.

    Raises:
        ViolationFound: Always.
    """
    finding = Finding(quantity=quantity, got=_words(got), expected=_words(expected), **rest)
    raise ViolationFound(finding, comparison)


def check_same(quantity: str, got: Any, expected: Any) -> None:
    """Check that two plain values, such as shapes, types or names, are equal."""
    count(1)
    if got != expected:
        violation(quantity, got, expected, Comparison("same", got, expected))


def check_members(quantity: str, got: Sequence[Any], expected: Sequence[Any]) -> None:
    """Check that two lists have the same members; a violation says which are too many or lack.

    Args:
        quantity: The name of the lists.
        got: The paths of the implementation, in order.
        expected: The required paths, in order.
    """
    count(1)
    if got != expected:
        parts = (
            ("besides", [each for each in got if each not in expected]),
            ("without", [each for each in expected if each not in got]),
        )
        shown = [f"{word} {', '.join(map(_dotted, found))}" for word, found in parts if found]
        text = " and ".join(shown) or "an array more than once"
        wanted = f"{', '.join(map(_dotted, expected)) or 'nothing'}, and no other"
        violation(quantity, text, wanted, Comparison("same", got, expected))


def _dotted(path: Sequence[Any]) -> str:
    return ".".join(map(str, path))


def check_true(quantity: str, holds: bool, *, got: Any, expected: Any) -> None:
    """Check a fact that has no second value to compare with; words describe both sides.

    Args:
        quantity: The name of the fact.
        holds: Whether it is as required.
        got: What a violation says of the implementation.
        expected: What a violation says of the requirement.

    Raises:
        ViolationFound: It is not as required.
    """
    count(1)
    if not holds:
        violation(quantity, got, expected, Comparison("true", holds))


def check_shape(quantity: str, got: npt.NDArray[Any], expected: tuple[int, ...]) -> None:
    """Check only the shape of an array."""
    count(1, sighted=False)
    if got.shape != expected:
        comparison = Comparison("shape", got, expected)
        violation(f"shape of {quantity}", got.shape, expected, comparison)


def check_dtype(quantity: str, got: npt.NDArray[Any], expected: str) -> None:
    """Check only the dtype of an array."""
    count(1, sighted=False)
    if str(got.dtype) != expected:
        comparison = Comparison("dtype", got, expected)
        violation(f"dtype of {quantity}", str(got.dtype), expected, comparison)


def check_finite(quantity: str, got: npt.NDArray[Any]) -> None:
    """Check that every number of an array, of any shape, is finite."""
    finite = np.isfinite(got.astype(np.float64))
    _check_each(quantity, got, finite, FINITE_NUMBER, FindingKind.NON_FINITE)


def check_nan(quantity: str, got: npt.NDArray[Any]) -> None:
    """Check that every number of an array, of any shape, is NaN."""
    _check_each(quantity, got, np.isnan(got.astype(np.float64)), "NaN", FindingKind.VALUE)


def _check_each(
    quantity: str,
    got: npt.NDArray[Any],
    right: npt.NDArray[np.bool_],
    expected: str,
    kind: FindingKind,
) -> None:
    count(got.size)
    bad = np.argwhere(~right)
    if bad.size:
        index = tuple(int(i) for i in bad[0])
        compared = Comparison("nan" if expected == "NaN" else "finite", got)
        violation(quantity, float(got[index]), expected, compared, index=index, kind=kind)


def check_identical(
    quantity: str, got: npt.NDArray[Any], expected: npt.NDArray[Any], *, rule: str = ""
) -> None:
    """Check that two arrays have the same shape, dtype and values, NaN equal to NaN.

    Args:
        quantity: The name of the array.
        got: The array, of any shape.
        expected: The array that it must equal.
        rule: What a violation adds to the expected value.

    Raises:
        ViolationFound: They differ.
    """
    comparison = Comparison("identical", got, expected)
    got, expected = np.asarray(got), np.asarray(expected)  # which may be lazy
    same_kind = got.dtype == expected.dtype and got.shape == expected.shape
    if same_kind and got.tobytes() == expected.tobytes():  # the usual case, and much faster
        count(got.size + 2)
        return
    check_shape(quantity, comparison.got, expected.shape)
    check_dtype(quantity, comparison.got, str(expected.dtype))
    count(got.size)
    differs = (got != expected) & ~(np.isnan(got) & np.isnan(expected))
    if differs.any():
        index = tuple(int(i) for i in np.argwhere(differs)[0])
        wanted = f"{expected[index]}, {rule or 'identical'}"
        kind = FindingKind.VALUE
        violation(quantity, float(got[index]), wanted, comparison, index=index, kind=kind)


def check_within(
    quantity: str,
    got: npt.NDArray[Any],
    expected: npt.NDArray[Any],
    bound: Bound,
    *,
    scale: npt.NDArray[Any] | None = None,
) -> None:
    """Check |got − expected| ≤ bound element by element: shape, finiteness, then values.

    Args:
        quantity: The name of the array.
        got: The computed array, of any shape.
        expected: The oracle's value, or, for a relation, the other computed value.
        bound: Its bound; for a relation the sum of both. Where it is infinite nothing is compared.
        scale: The size of what an error is relative to, in a shape that broadcasts to that of the
            array; None for the expected values.

    Raises:
        ViolationFound: An element is off by more than its bound.
    """
    comparison = Comparison("within", got, expected)
    got, expected = np.asarray(got), np.asarray(expected)  # which may be lazy
    if got.shape != expected.shape:
        check_shape(quantity, comparison.got, expected.shape)
    measured, compared = float64(got), got.size
    unlimited = np.isinf(bound.allowed)
    if unlimited.any():
        unlimited = np.broadcast_to(unlimited, expected.shape)
        expected = np.where(unlimited, 0, expected)  # in a relation it may be infinite there
        measured = np.where(unlimited, 0, measured)
        compared -= int(unlimited.sum())
    notes = count(1 + compared, sighted=False)
    notes.resolve(quantity, expected if scale is None else scale, bound.allowed)
    finite = np.isfinite(measured)
    if not finite.all():
        index = tuple(int(i) for i in np.argwhere(~finite)[0])
        limit = float(np.broadcast_to(bound.allowed, measured.shape)[index])
        found, wanted = float(measured[index]), _wanted(expected[index])
        kind = FindingKind.NON_FINITE
        if isinstance(wanted, str):
            comparison = Comparison("finite", comparison.got)
        violation(quantity, found, wanted, comparison, index=index, bound=limit, kind=kind)
    error = np.abs(measured - expected)
    ratio = error / bound.allowed
    unequal = np.isnan(error)  # in a relation the other value may be NaN
    if unequal.any():
        ratio = np.where(unequal, np.inf, ratio)
    worst = np.unravel_index(int(ratio.argmax()), ratio.shape)
    if ratio[worst] > 1:
        finding = _measured(quantity, worst, measured, expected, bound, ratio)
        raise ViolationFound(finding, comparison)
    notes.measured = True
    of_strict = ratio if bound.strict is bound.allowed else error / bound.strict
    notes.worst_strict = max(notes.worst_strict, float(of_strict.max()))
    largest = max(float(ratio[worst]), notes.by_quantity.get(quantity, 0.0))
    notes.by_quantity[quantity] = largest
    if ratio[worst] >= notes.worst:
        notes.worst, notes.worst_quantity = float(ratio[worst]), quantity


def _wanted(expected: float) -> float | str:
    """Return the expected value for a report; in a relation it may be non-finite as well."""
    return float(expected) if np.isfinite(expected) else FINITE_NUMBER


def _measured(
    quantity: str,
    worst: tuple[Any, ...],
    got: npt.NDArray[Any],
    expected: npt.NDArray[Any],
    bound: Bound,
    ratio: npt.NDArray[Any],
) -> Finding:
    return Finding(
        quantity=quantity,
        got=float(got[worst]),
        expected=float(expected[worst]),
        bound=float(np.broadcast_to(bound.allowed, ratio.shape)[worst]),
        ratio=float(ratio[worst]),
        index=tuple(int(i) for i in worst),
        kind=FindingKind.VALUE,
    )


def _words(value: Any) -> float | str:
    if isinstance(value, float):
        return value
    return value if isinstance(value, str) else repr(value)
