"""The values that an expression uses: it is to blame for a wrong one only if these are right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from conformance.diagnosis.approximate import Approximate, exact
from conformance.diagnosis.lines.expressions import Expression, align
from conformance.diagnosis.lines.steps import inputs, quantities
from conformance.diagnosis.observe import Observation
from conformance.numerics.conventions import Conventions


def uses_right_values(
    expression: Expression, known: Sequence[Approximate], call: Observation
) -> bool:
    """Return whether an expression computes something wrong from what is right.

    Where some rows do not count, arrays of all rows are not looked at.

    Args:
        expression: The expression.
        known: Values that are right: (N, D), (D,) or without axes.
        call: The call in which it is evaluated.
    """
    assert call.call is not None, "a call is traced"  # noqa: S101
    sizes = call.config.features, call.call.x.size
    return all(
        any(align(operand, each) is not None for each in known)
        for operand in expression.operands
        if operand.size <= sizes[0] or operand.size == sizes[1]
    )


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
