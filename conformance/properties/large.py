"""LARGE: batches as large as those of networks.

A layer that is too slow for a size, or has no memory for it, is not judged there, and the verdict
says so; see ``conformance.properties.support.attempts``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from conformance.numerics import bounds, oracle
from conformance.numerics.bounds import Bound
from conformance.numerics.state import AnyArray, State
from conformance.properties.support.attempts import attempt
from conformance.properties.support.checks import check_within
from conformance.properties.support.claims import (
    check_evaluated,
    check_evaluated_at_once,
    compare_statistics,
)
from conformance.properties.support.differentiation import (
    GRADIENTS,
    check_gradient,
    expected_gradients,
    gradients_of,
)
from conformance.properties.support.either_column import check_either
from conformance.properties.support.program_size import fits, leave_out
from conformance.properties.support.property import Palettes, requirement
from conformance.properties.support.running_stats_model import check_count
from conformance.properties.support.subject import Subject
from conformance.strategies.case import Case
from conformance.strategies.mined import mined_rows, mined_widths
from conformance.strategies.shape_grid import Entry
from conformance.strategies.tall import (
    Sparse,
    Tall,
    Wide,
    sparse_cases,
    tall_cases,
    wide_cases,
)


def _palettes(*shapes: tuple[int, int]) -> Palettes:
    return tuple((Entry(rows, features, 0.25, 1e-3),) for rows, features in shapes)


_USUAL = ((1025, 4), (4097, 4), (65537, 4), (131073, 4), (802816, 3))
_ALL = (
    *((rows, 4) for rows in (1025, 4095, 4096, 4097, 5001, 65535, 65536, 65537)),
    *((rows, 4) for rows in (131070, 131071, 131072, 131073)),
    *((2097152, 1), (802816, 3)),
)
"""Sizes next to powers of two, where counts of 16 bits end and blocks are cut; 5001; 256 images of
56 × 56; and 2²¹ rows. Each has less than 4 million numbers, which take 16 MB."""

MANY_ROWS = _palettes(*_USUAL)
MANY_ROWS_BY_PROFILE = {"quick": _palettes(*_USUAL[:3]), "thorough": _palettes(*_ALL)}
DIFFERENTIATED = _palettes(*_USUAL[:3])
DIFFERENTIATED_BY_PROFILE = {
    "quick": _palettes(*_USUAL[:2]),
    "thorough": _palettes(*_ALL),
}
_WIDE = ((5, 1025), (3, 4097), (2, 65537))
MANY_FEATURES = _palettes(*_WIDE)
MANY_FEATURES_BY_PROFILE = {
    "quick": _palettes(*_WIDE[:2]),
    "thorough": _palettes(*_WIDE, (3, 65536), (4, 65535), (5, 131073)),
}

_UNCOMPILED = 4097
"""The number of rows at which the layer is called without jit."""


@requirement(
    "BN-LARGE-1",
    share=0.01,
    simplest=False,
    palettes=MANY_ROWS,
    by_profile=MANY_ROWS_BY_PROFILE,
    mined=mined_rows,
    drawn=tall_cases,
)
def many_rows_are_right(subject: Subject, drawn: Tall) -> None:
    """training, then evaluation with the new statistics, on sums that are exact in any order"""
    case, kinds = drawn.case, drawn.columns[:, 0]
    _judge(subject, case, bounds.exact_statistics(case.x, kinds, subject.conventions), kinds)


@requirement(
    "BN-LARGE-2",
    share=0.01,
    simplest=False,
    palettes=MANY_FEATURES,
    by_profile=MANY_FEATURES_BY_PROFILE,
    mined=mined_widths,
    drawn=wide_cases,
)
def many_features_are_right(subject: Subject, drawn: Wide) -> None:
    """training, then evaluation with the new statistics, at widths beyond 16 bits"""
    _judge(subject, drawn.case)


def _judge(
    subject: Subject,
    case: Case,
    errors: tuple[Bound, Bound] | None = None,
    kinds: npt.NDArray[np.int64] | None = None,
) -> None:
    """Train and evaluate once; y and both running statistics must be right.

    Args:
        subject: The implementation.
        case: The batch, (N, D), and the state before.
        errors: The bounds for mean and variance, (D,), if not those of any batch.
        kinds: The kinds of its columns, (D,), if its sums are exact.
    """
    c = subject.conventions
    rounds = c.stored_roundoff() > 0  # what is read again may not be rounded
    apart = rounds or len(case.x) == _UNCOMPILED

    def act() -> tuple[State, AnyArray, AnyArray, State] | None:
        layer, before, x = subject.start(case)
        if not fits(subject, layer, case.x.shape, compiled=not apart):
            leave_out(subject, case.x.shape)
            return None
        if apart:
            trained, evaluated = layer.train(x), layer.evaluate(x)
        else:
            trained, evaluated = subject.train_then_evaluate(layer, x)
        after = layer.usable_state
        subject.session.finish()
        return before, trained, evaluated, after

    results = attempt(subject, case.x.shape, act)
    if results is None:
        return
    before, trained, evaluated, after = results
    expected = oracle.train(case.config, before, case.x, c)
    bound = bounds.train(case.config, before, case.x, c, errors=errors)
    compare_statistics(after.arrays(), expected, bound)
    if kinds is not None:
        check_either(c, case, before, after, expected, kinds)
    check_within("y in training", trained, expected.y, bound.y)
    check_count(after, c.counted(before.count))
    if apart or not c.moves_statistics():
        check_evaluated(case.config, after, case.x, evaluated, c)
    else:
        check_evaluated_at_once(subject, case, after, evaluated, bound)


@requirement(
    "BN-LARGE-3",
    share=0.01,
    simplest=False,
    palettes=DIFFERENTIATED,
    by_profile=DIFFERENTIATED_BY_PROFILE,
    drawn=sparse_cases,
)
def gradients_of_many_rows_are_right(subject: Subject, drawn: Sparse) -> None:
    """the gradients of Σ w·y in training and in evaluation, where w is 0 in most rows"""
    case, w = drawn.tall.case, drawn.w
    errors = bounds.exact_statistics(case.x, drawn.tall.columns[:, 0], subject.conventions)

    def act() -> tuple[State, list[dict[str, AnyArray]]] | None:
        layer, before, x = subject.start(case)
        if not fits(subject, layer, case.x.shape, compiled=True, times=2 * 3):
            leave_out(subject, case.x.shape)
            return None
        pulled = [gradients_of(layer, x, w, evaluate=mode) for mode in (False, True)]
        subject.session.finish()
        return before, pulled

    results = attempt(subject, case.x.shape, act, differentiated=True)
    if results is None:
        return
    before, pulled = results
    for mode, got in zip((False, True), pulled, strict=True):
        expected = expected_gradients(subject, before, case, w, evaluate=mode, errors=errors)
        for name in GRADIENTS:
            check_gradient(name, got, expected, "evaluation" if mode else "training")
