"""The first expression of a call with a wrong value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance.diagnosis.approximate import Approximate
from conformance.diagnosis.lines import hand_written_backward as backward
from conformance.diagnosis.lines.expressions import Expression, align
from conformance.diagnosis.lines.implied import Implied, find_implied
from conformance.diagnosis.lines.line import Line, make_line
from conformance.diagnosis.lines.right_operands import uses_right_values, usual_operands
from conformance.diagnosis.lines.steps import STATISTICS, Wrong, is_known
from conformance.diagnosis.observe import Observation
from conformance.numerics.conventions import Conventions
from conformance.properties.support.subject import Subject


def first_implied(
    subject: Subject,
    expressions: Sequence[Expression],
    call: Observation,
    others: Sequence[Approximate] = (),
    *,
    parts: bool = True,
) -> Line | None:
    """Return the first expression of a call with a value that a wrong result implies.

    Args:
        subject: The implementation.
        expressions: Those of the call.
        call: The call and its results.
        others: Values that are computed correctly for something else.
        parts: Whether parts of the expression may be wrong, if they use what is right. What has
            its axes in another order cannot be told from what is right.
    """
    known = [*usual_operands(call, subject.conventions), *others]
    values = [value for expression in expressions for value in expression.values]
    for implied in imply(call, subject.conventions, others):
        before = [align(value, each) for value in values for each in implied.after]
        if implied.after and all(each is None for each in before):
            return None
        if is_known(implied.wrong.predicted, known):
            return None
        for at, line in first_wrong(subject, expressions, call, [implied.wrong]):
            within = expressions if parts else ()
            right = uses_right_values(expressions[at], known, call, within)
            return line if right else None
    return None


def first_wrong(
    subject: Subject, expressions: Sequence[Expression], call: Observation, wrong: Sequence[Wrong]
) -> Iterator[tuple[int, Line]]:
    """Yield the first expression with a wrong value: its place in the list, and its line.

    Where a wrong statistic is found at no expression, those after it are not to blame.
    """
    found: list[tuple[int, Wrong, float]] = []
    for each in wrong:
        places = (
            (at, float(got[each.index]))
            for at, expression in enumerate(expressions)
            for value in expression.values
            if (got := align(value, each.predicted)) is not None
        )
        place = next(places, None)
        if place is not None:
            found.append((place[0], each, place[1]))
        elif each.name in STATISTICS:
            break
    if found:
        at, each, number = min(found, key=lambda one: one[0])
        name = subject.implementation.name
        yield at, make_line(expressions[at].place, name, call, each, number)


def imply(
    call: Observation, conventions: Conventions, others: Sequence[Approximate] = ()
) -> list[Implied]:
    """Return what the first wrong result of a call, or of its gradients, implies."""
    if call.gradients is None:
        return find_implied(call, conventions, others)
    return [Implied(each) for each in backward.find_implied_gradients(call, conventions)]
