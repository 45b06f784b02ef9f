"""The first expression of a call with a value that a wrong result implies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from conformance.diagnosis.approximate import Approximate
from conformance.diagnosis.lines.expressions import Expression, align
from conformance.diagnosis.lines.implied import find_implied
from conformance.diagnosis.lines.known_values import anonymous
from conformance.diagnosis.lines.line import Line, make_line
from conformance.diagnosis.lines.right_operands import uses_right_values, usual_operands
from conformance.diagnosis.lines.steps import Wrong, is_known
from conformance.diagnosis.observe import Observation
from conformance.properties.support.subject import Subject

_NEAR = 1e-4
"""The largest difference, relative to x, that is not shown."""


def first_implied(
    subject: Subject,
    expressions: Sequence[Expression],
    call: Observation,
    others: Sequence[Approximate],
) -> Line | None:
    """Return the first expression of a call with a value that a wrong result implies.

    Args:
        subject: The implementation.
        expressions: Those of the call.
        call: The call and its results.
        others: Values that are computed correctly for something else.
    """
    known = [*usual_operands(call, subject.conventions), *others]
    values = [value for expression in expressions for value in expression.values]
    assert call.call is not None, "a call is traced"  # noqa: S101
    near = _NEAR * np.abs(call.call.x).max(initial=0)
    for implied in find_implied(call, subject.conventions, others):
        before = [align(value, each) for value in values for each in implied.after]
        if implied.after and all(each is None for each in before):
            return None
        if is_known(implied.wrong.predicted, known):
            return None
        for expression, got in _computing(expressions, implied.wrong):
            right = uses_right_values(expression, anonymous(known), call)
            right &= abs(got - implied.wrong.expected) > near
            name = subject.implementation.name
            return make_line(expression.place, name, call, implied.wrong, got) if right else None
    return None


def _computing(
    expressions: Sequence[Expression], wrong: Wrong
) -> Iterator[tuple[Expression, float]]:
    """Yield the expressions with a wrong value, and its first wrong number in each."""
    for expression in expressions:
        for value in expression.values:
            got = align(value, wrong.predicted)
            if got is not None:
                yield expression, float(got[wrong.index])
