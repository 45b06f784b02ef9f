"""Where a value was passed on that an expression uses in the place of another one.

The expression is right, and so is the value, but not for this use: what is to blame is the
statement that gives the value another name, or hands it to another function.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from conformance.diagnosis.approximate import Float64
from conformance.diagnosis.lines.candidates import Repair
from conformance.diagnosis.lines.expressions import Expression, Place
from conformance.diagnosis.lines.right_values import CHOSEN
from conformance.diagnosis.lines.steps import Quantities

_NEAR = 1e-5
"""The largest relative difference of two numbers that are the same."""


_FAINT = 1e-3
"""The largest part of the others' size that shows too little in a sum with them."""


def where_passed(
    expressions: Sequence[Expression],
    wrong: Repair,
    right: Quantities,
    there: Sequence[Expression] = (),
) -> tuple[Place, Repair] | None:
    """Return the only place that can have passed a wrong operand, and that operand.

    Args:
        expressions: The expressions of the call.
        wrong: The value that repairs it.
        right: What its steps should compute.
        there: The expressions of the call in the other mode, if all is right there.

    Returns:
        None if the expression has the operand under the name that its value was given first, if no
        other operand would make it right, or if several places pass the value on.
    """
    whole = expressions[wrong.at]
    for operand, source in zip(whole.operands, whole.sources, strict=False):
        origin = expressions[source] if source >= 0 else None
        if origin is None or any(whole.place.contains(use.place) for use in origin.uses):
            continue
        fits = (
            name
            for name, each in right.items()
            if name in CHOSEN and _makes_right(wrong.value, wrong.right, operand, each.value)
        )
        name = next(fits, None)
        passing = [*_passing(expressions, source, there)]
        if name is not None and len(passing) == 1:
            found = Repair(source, 0, (name,), operand, right[name].value, clean=wrong.clean)
            return passing[0], found
    return None


def _passing(
    expressions: Sequence[Expression], source: int, there: Sequence[Expression]
) -> list[Place]:
    """Return where a value is handed on, but nothing is computed from it, one place per line."""
    here = [each.place for each in expressions]
    computing = [each.place for each in expressions if source in each.sources]
    found = {}
    for use in expressions[source].uses:
        computes = any(place.contains(use.place) for place in computing)
        left_out = any(use.surrounds(each.place) and each.place not in here for each in there)
        if use.passes and not computes and not left_out:
            found[use.place.file, use.place.line] = use.place
    return [*found.values()]


def _makes_right(got: Float64, right: Float64, operand: Float64, other: Float64) -> bool:
    """Return whether an expression is right that is linear in an operand, with another one."""
    if operand.size != other.size or got.size != right.size:
        return False
    expected = right.reshape(got.shape)
    try:
        here, there = (
            np.broadcast_to(each.reshape(operand.shape), got.shape) for each in (operand, other)
        )
    except ValueError:
        return False
    alike = ((here, there), (here, got), (here, expected), (there, got), (there, expected))
    faint = np.abs(there) <= _FAINT * (np.abs(got) + np.abs(here) + np.abs(expected))
    if faint.all() or any(_are_equal(*pair) for pair in alike):
        return False  # no number shows what the operand is used for
    return any(
        _are_equal(*pair)
        for pair in (
            (got * there, expected * here),
            (got - here, expected - there),
            (got + here, expected + there),
        )
    )


def _are_equal(one: Float64, two: Float64) -> bool:
    size = np.abs(one) + np.abs(two)
    return bool((np.abs(one - two) <= _NEAR * size).all())
