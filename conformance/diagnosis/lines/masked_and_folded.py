"""The line of a mistake that only masks, several axes or inputs of 16 bits show.

The rows that count, and the statistics before and after them, are a call like any other. What its
results imply is sought among the expressions of the call on the masked or folded batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis.errors import UnsatisfiedAssumption

from conformance.adapters.domain import Options, Results
from conformance.adapters.operations.executor import ExecutorLost
from conformance.adapters.operations.values import Given
from conformance.diagnosis.approximate import Approximate, exact
from conformance.diagnosis.conditions import draw_cases
from conformance.diagnosis.experiment import Call
from conformance.diagnosis.lines.expressions import read_expressions
from conformance.diagnosis.lines.first import first_implied
from conformance.diagnosis.lines.implied import is_wrong
from conformance.diagnosis.lines.line import Line
from conformance.diagnosis.observe import Observation
from conformance.numerics.state import State
from conformance.properties.masks import shape_mask, shape_rows
from conformance.properties.support.checks import ViolationFound
from conformance.properties.support.domain_checks import DomainLayer, call, domain_of, start
from conformance.properties.support.subject import Subject
from conformance.strategies.case import Case
from conformance.strategies.domain_cases import Folded, Masked, fold, unfold
from conformance.strategies.precision_cases import Half, PulledHalf

DOMAIN = ("MASK", "ND", "TYPE")
"""The families of requirements whose cases are traced."""

_CASES = 24
"""Cases that are tried until two of them have a line."""

_LARGEST = 64
"""The most numbers in a batch that is traced."""


@dataclass(frozen=True, slots=True)
class _Input:
    """A batch in the form in which a layer takes it.

    Attributes:
        case: The rows, (N, D).
        kept: Which rows count, (N,).
        layer: The layer.
        x: The batch in the layout of the layer.
        w: A cotangent in that layout, which makes the program one that was compiled before.
        mask: The mask as the layer takes it.
        axis: The feature axis of x.
    """

    case: Case
    kept: Any
    layer: DomainLayer
    x: Any
    w: Any = None
    mask: Any = None
    axis: int = -1


def find_domain_line(subject: Subject, requirement: str) -> Line | None:
    """Return the line of what is wrong in the extended domain, if two cases have the same one.

    Args:
        subject: The implementation.
        requirement: A violated requirement.
    """
    found: list[Line] = []
    for drawn in draw_cases(subject, requirement, _CASES):
        with suppress(ViolationFound, ExecutorLost, UnsatisfiedAssumption):
            found += _lines_of(subject, drawn)
        if len(found) > 1:
            return found[0] if len({line.place for line in found}) == 1 else None
    return None


def _lines_of(subject: Subject, drawn: dict[str, Any]) -> Iterator[Line]:
    value = next(iter(drawn.values()))
    given = _input_of(subject, value)
    if given is None or given.case.x.size > _LARGEST:
        return
    results = call(given.layer, given.x, given.w, given.mask)
    for observation in _observe(given, results):
        if not is_wrong(observation, subject.conventions):
            continue
        made = observation.call
        assert made is not None, "it was made"  # noqa: S101
        asked = given.layer.ref, given.x, given.mask, made.flag
        reported = subject.session.ask("trace_program", *asked, label="tracing a call")
        expressions = read_expressions(reported and reported.get("expressions"))
        line = first_implied(subject, expressions, observation, [*_others(given)])
        yield from () if line is None else (line,)
        return  # what comes later may be wrong for the same reason


def _input_of(subject: Subject, drawn: Any) -> _Input | None:
    """Return a drawn case as the layer takes it; None for other kinds of cases."""
    case, every = drawn.case, np.ones(len(drawn.case.x), bool)
    config, state = case.config, case.state
    if isinstance(drawn, Masked):
        layer = start(subject, config, state, Options())
        mask = shape_mask(subject, drawn, drawn.kept, layer)
        x, w = (shape_rows(subject, drawn, rows) for rows in (case.x, drawn.w))
        return _Input(case, drawn.kept, layer, x, w, mask)
    if isinstance(drawn, Folded):
        axis = drawn.axis if domain_of(subject).axis else -1
        options = Options(axis=axis if domain_of(subject).axis else None)
        layer = start(subject, config, state, options)
        x, w = (fold(rows, drawn.around, axis) for rows in (case.x, drawn.w))
        return _Input(case, every, layer, x, w, axis=axis)
    if isinstance(drawn, Half | PulledHalf):
        taken = [p for p in domain_of(subject).narrowed_precisions if p.x == drawn.dtype]
        if taken:
            layer = start(subject, config, state, Options(dtype=taken[0].dtype))
            x = Given(case.x, f"jnp.asarray{{}}, jnp.{drawn.dtype}")
            return _Input(case, every, layer, x, getattr(drawn, "w", None))
    return None


def _observe(given: _Input, results: Results) -> Iterator[Observation]:
    """Yield the calls on the rows that count, as if there were no others."""
    before, case = given.layer.state, given.case.with_x(given.case.x[given.kept])
    shape = np.shape(given.x.value if isinstance(given.x, Given) else given.x)
    for flag, y in ((False, results.y), (True, results.evaluated)):
        if y.shape == shape:
            rows = np.asarray(unfold(y, given.axis), np.float64)[given.kept]
            state = before if flag else State(**results.after)
            yield Observation(0, case.config, Call(case.x, flag), before, rows, state)


def _others(given: _Input) -> Iterator[Approximate]:
    """Yield the statistics of other rows: what has their value averages correctly."""
    x, kept = given.case.x.astype(np.float64), given.kept
    left_out = [x[~kept]] * (not kept.all())
    for rows in (x, *left_out):
        yield exact(rows.mean(axis=0))
        yield exact(rows.var(axis=0))
