"""The values that an expression uses: it is to blame for a wrong one only if these are right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile

import numpy as np

from conformance.diagnosis.approximate import Approximate, Float64, exact
from conformance.diagnosis.lines.expressions import Expression
from conformance.diagnosis.lines.known_values import KnownValues, is_number
from conformance.diagnosis.lines.steps import inputs, quantities
from conformance.diagnosis.observe import Observation
from conformance.numerics.conventions import Conventions


def uses_right_values(
    expression: Expression,
    known: KnownValues,
    call: Observation,
    others: Sequence[Expression] = (),
    within: Sequence[Expression] | None = None,
) -> bool:
    """Return whether an expression computes something wrong from what is right.

    The parts of its own text are to blame with it, and so are its earlier evaluations, as of a sum
    in a loop: what counts is what these are computed from.
    Numbers that nothing computes, as those that a closure keeps, are as good as others; what is
    read of a state that is none of the four arrays may be wrong itself.
    Without parts, arrays that are neither (D,) nor (N, D) are not looked at: of such a size are
    those of all rows, where some do not count.

    Args:
        expression: The expression.
        known: Values that are right.
        call: The call in which it is evaluated.
        others: All expressions of the call.
        within: Those among which its parts are; by default all.
    """
    assert call.call is not None, "a call is traced"  # noqa: S101
    sizes = call.config.features, call.call.x.size
    parts = [each for each in within or others if _is_part(each, expression)]
    before = takewhile(lambda each: each is not expression, others)
    earlier = [each for each in before if each.place == expression.place]

    def is_right(operand: Float64, source: int) -> bool:
        name = known.find(operand)
        if name is not None and (operand.size == 1 or not is_number(name) or is_constant(source)):
            return True
        made_by = [part for part in parts if any(np.array_equal(operand, v) for v in part.values)]
        if any(uses_right_values(part, known, call, others, parts) for part in made_by):
            return True
        return any(
            uses_right_values(each, known, call, others)
            for each in earlier
            if any(np.array_equal(operand, value) for value in each.values)
        )

    def is_constant(source: int) -> bool:
        return source == -1 or (0 <= source < len(others) and not others[source].operands)

    sources = expression.sources or (len(others),) * len(expression.operands)
    return reads_state(expression) or all(
        is_right(operand, source)
        for operand, source in zip(expression.operands, sources, strict=False)
        if others or operand.size <= sizes[0] or operand.size == sizes[1]
    )


def reads_state(expression: Expression) -> bool:
    """Return whether an expression reads what nothing in the call computes, such as a cache."""
    values, operands = expression.values, expression.operands
    given = expression.sources == (-1,) and len(values) == 1
    return given and np.array_equal(values[0].ravel(), operands[0].ravel())


def _is_part(inner: Expression, outer: Expression) -> bool:
    """Return whether the text of an expression is a part of that of another."""
    return inner.place != outer.place and outer.place.contains(inner.place)


def usual_operands(call: Observation, conventions: Conventions) -> Iterator[Approximate]:
    """Yield what a correct layer may compute for each feature on the way to its results.

    Args:
        call: The call.
        conventions: What the implementation declares.
    """
    truth = quantities((), conventions, call)
    yield from inputs(call).values()
    yield from truth.values()
    assert call.call is not None, "a call is traced"  # noqa: S101
    x = call.call.x.astype(np.float64)
    rows = len(x)
    for array in (np.square(x), np.square(x - x.mean(axis=0))):
        yield exact(array)
    for each in (rows, rows - 1, 1 / rows):
        yield exact(np.float64(each))
    for mean in (x.mean(axis=0), np.square(x).mean(axis=0)):
        yield exact(mean)
        yield exact(rows * mean)
    for name in ("batch mean", "batch variance"):
        if name in truth:
            yield truth[name] * truth[name]
            yield rows * truth[name]
    kept = call.config.momentum
    for name, weight in (("running_mean", kept), ("running_var", kept)):
        array = getattr(call.before, name, None)
        if array is not None:
            yield exact(weight * np.asarray(array, np.float64))
    for name in ("stored mean", "stored variance"):
        if name in truth:
            yield (1 - kept) * truth[name]
