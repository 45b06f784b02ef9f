"""Where a name of a wrong expression got a wrong value, if with the right one it is right.

The expression is right then, and so may be the value, but not for this use: what is to blame is the
statement, or the call, that chose it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from conformance.diagnosis.approximate import Float64
from conformance.diagnosis.lines.candidates import Repair
from conformance.diagnosis.lines.expressions import Place
from conformance.diagnosis.lines.repairs import Repairs
from conformance.diagnosis.lines.right_values import CHOSEN
from conformance.diagnosis.lines.steps import Quantities
from conformance.diagnosis.lines.tracing import Traced, try_names
from conformance.properties.support.subject import Subject

_USUAL = {"batch mean": 0, "mean in use": 0, "batch variance": 1, "variance in use": 1}
"""The order of results: a statement that takes them in this order is right, what returns is not."""


def where_chosen(
    subject: Subject,
    traced: Traced,
    repairs: Repairs,
    right: Quantities,
    *,
    right_elsewhere: bool,
    name: str = "",
) -> tuple[Place, Repair] | None:
    """Return the only place that chose a wrong operand, and that operand.

    Args:
        subject: The implementation.
        traced: The call.
        repairs: The values that make it right.
        right: What its steps should compute.
        right_elsewhere: Whether the expression computes what is right for something else.
        name: What the operand should be, if that is known.

    Returns:
        None if the expression is right with no other value of a name, or if several places chose.
    """
    call, wrong = traced.call, repairs[0]
    if call.before is None or call.gradients is not None:
        return None
    found = _of_operands(subject, traced, wrong, right)
    if not found and right_elsewhere:
        found = _of_uses(subject, traced, wrong, exchanged=len(repairs) > 1)
    found = [each for each in found if name in {"", *each[1].names}]
    return found[0] if found and len({place for place, _ in found}) == 1 else None


_Found = list[tuple[Place, Repair]]


def _of_operands(subject: Subject, traced: Traced, wrong: Repair, right: Quantities) -> _Found:
    """Return the places that chose operands with which the expression is wrong."""
    config, call = traced.call.config, traced.call.call
    assert call is not None, "a call is traced"  # noqa: S101
    others: Mapping[str, Float64 | np.float64] = {
        **{name: each.value for name, each in right.items() if name in CHOSEN},
        "momentum": np.float64(config.momentum),
        "ε": np.float64(config.eps),
        "N": np.float64(len(call.x)),
    }
    place = traced.expressions[wrong.at].place
    tried = try_names(subject, traced, place, (wrong.value, wrong.right), others)
    return [
        (each.place, Repair(wrong.at, 0, (each.name,), each.value, each.right, clean=wrong.clean))
        for each in tried
    ]


def _of_uses(subject: Subject, traced: Traced, wrong: Repair, *, exchanged: bool) -> _Found:
    """Return the places that chose the value of an expression for those that use it.

    Args:
        subject: The implementation.
        traced: The call.
        wrong: What repairs the call.
        exchanged: Whether another expression has the right value, and needs this one.
    """
    place, name = traced.expressions[wrong.at].place, wrong.names[0]
    users = (each.place for each in traced.expressions if wrong.at in each.sources)
    return [
        (each.place, wrong)
        for user in dict.fromkeys(users)
        if not user.contains(place)
        for each in try_names(subject, traced, user, (wrong.value, None), {name: wrong.right})
        if each.position < 0 or (exchanged and _USUAL.get(name) != each.position)
    ]
