"""Finds the ``stop_gradient`` that makes a gradient wrong, or the place where one is missing.

A gradient that JAX derives is not computed by an expression of the layer. But one can stop it: if
the gradients are right without any such expression, and wrong with a single one of them, that is
the place. Where a gradient flows through the running statistics, the place is the first expression
whose gradient only they receive, if stopping it makes theirs zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from conformance.diagnosis.approximate import Approximate, Float64
from conformance.diagnosis.lines.expressions import Expression, align, read_expressions
from conformance.diagnosis.lines.line import Line, make_line
from conformance.diagnosis.lines.steps import Quantities, Wrong
from conformance.diagnosis.lines.tracing import Traced
from conformance.diagnosis.observe import Observation
from conformance.diagnosis.prediction import Predictor
from conformance.properties.support.subject import Subject

_GRADIENTS = {"dx": "gradient of x", "dγ": "gradient of gamma", "dβ": "gradient of beta"}


def find_stopping(
    subject: Subject, calls: Sequence[Observation], trace: Callable[[Observation], Traced]
) -> list[Line]:
    """Return the lines of the expressions that stop a gradient in each of some calls.

    Args:
        subject: The implementation.
        calls: Calls with wrong gradients, the one to show first.
        trace: Returns a call as it was traced.
    """
    found = [[*_stopping(subject, call, trace(call).call)] for call in calls]
    places = [{line.place for line in lines} for lines in found]
    return (
        [line for line in found[0] if all(line.place in each for each in places)] if found else []
    )


def _stopping(subject: Subject, call: Observation, made: Observation) -> Iterator[Line]:
    """Yield the expressions each of which alone makes a gradient of a call wrong.

    Args:
        subject: The implementation.
        call: The call.
        made: The same with the gradients that the layer has.
    """
    free, *stopping = _unstop(subject, call)
    truth = Predictor((), subject.conventions).one(made)
    if truth is None or free is None or _wrong(free, truth, made) is not None:
        return
    for expression in stopping:
        wrong = expression and _wrong(expression, truth, made)
        if expression and wrong:
            got = float(wrong.predicted.value[wrong.index])
            yield make_line(expression.place, subject.implementation.name, made, wrong, got)


def find_leaking(subject: Subject, calls: Sequence[Observation]) -> Line | None:
    """Return the line where a gradient through the running statistics should be stopped.

    Args:
        subject: The implementation.
        calls: Calls with such a gradient, the one to show first.
    """
    found = [[*_leaking(subject, call)] for call in calls]
    for line in found[0] if found else ():
        if all(any(line.place == each.place for each in lines) for lines in found):
            return line
    return None


def _leaking(subject: Subject, call: Observation) -> Iterator[Line]:
    made = call.call
    assert made is not None, "a call is differentiated"  # noqa: S101
    layer = subject.build(call.config, call.before)
    reported = layer.ask("stop_gradient", made.x, made.cotangent, label="tracing a call")
    subject.session.finish()
    for expression in read_expressions(reported):
        flowing, stopped = expression.values
        index = int(np.abs(flowing).argmax())
        if flowing.shape == made.x.shape and flowing.any() and not stopped.any():
            zeros = Approximate(np.zeros(made.x.size))
            wrong = Wrong("gradient through the statistics", zeros, (index,), 0.0)
            name, got = subject.implementation.name, float(flowing.ravel()[index])
            yield make_line(expression.place, name, call, wrong, got)


def _unstop(subject: Subject, call: Observation) -> Sequence[Expression | None]:
    made = call.call
    assert made is not None, "a call is differentiated"  # noqa: S101
    layer = subject.build(call.config, call.before)
    given = made.x, made.cotangent, bool(made.flag)
    reported = layer.ask("unstop_gradient", *given, label="tracing a call")
    subject.session.finish()
    return read_expressions(reported) or [None]


def _wrong(expression: Expression, truth: Quantities, call: Observation) -> Wrong | None:
    """Return a gradient that is not as it should be, with its value in the layer.

    Args:
        expression: What alone stops gradients, and the gradients then: of x first.
        truth: The right gradients.
        call: The call, with the gradients that the layer has.
    """
    of_x, *others = expression.values
    for symbol, name in _GRADIENTS.items():
        expected = truth.get(name)
        seen = (call.gradients or {}).get(name)
        given = [of_x] if symbol == "dx" else others
        if expected is None or seen is None or any(_is(each, expected) for each in given):
            continue
        value = np.asarray(seen, np.float64)
        if value.shape == expected.shape and not _is(value, expected):
            gap = np.abs(value - expected.value)
            index = tuple(map(int, np.unravel_index(int(gap.argmax()), gap.shape)))
            return Wrong(symbol, Approximate(value), index, float(expected.value[index]))
    return None


def _is(value: Float64, expected: Approximate) -> bool:
    return value.shape == expected.shape and align(value, expected) is not None
