"""Finds the expression that computes what a mistake makes wrong.

A model predicts what each step of a call computes with the mistake and without it. The first
expression of the layer with a value that only the mistake explains is the place. A value that is
right for something else does not count: a layer that evaluates with the batch mean may compute
that mean correctly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from conformance.adapters.operations.executor import ExecutorLost
from conformance.adapters.protocols import Config
from conformance.diagnosis.deadline import check_time
from conformance.diagnosis.diagnosis import Investigation
from conformance.diagnosis.experiment import Call
from conformance.diagnosis.lines import hand_written_backward as backward
from conformance.diagnosis.lines.expressions import Expression, align
from conformance.diagnosis.lines.first import first_implied, first_wrong, imply
from conformance.diagnosis.lines.line import Line
from conformance.diagnosis.lines.steps import ORDER, Wrong, find_wrong, quantities
from conformance.diagnosis.lines.stopped import find_stopping
from conformance.diagnosis.lines.tracing import trace, trace_later
from conformance.diagnosis.matching import Evidence
from conformance.diagnosis.observe import Observation
from conformance.diagnosis.scopes import Part
from conformance.diagnosis.search import parts_of
from conformance.numerics.conventions import Conventions
from conformance.numerics.state import State
from conformance.properties.support.checks import ViolationFound
from conformance.properties.support.subject import Subject

_LARGEST = 64
"""The most numbers in a batch that is traced."""

_TRACED = 3
"""Calls of the experiment that are traced for one mistake."""

_FEWEST_ROWS = 3
"""Fewer rows have a variance of zero, or deviations from the mean of one size."""

_COUNTED = 24
"""Calls, the simplest, of which those are traced in which most quantities are wrong."""

_X = np.array([[0], [1], [5]], np.float32)
_CONFIG = Config(features=1, momentum=0.75, eps=0.1)
_STATE = State(*(np.array([each], np.float32) for each in (1.5, -0.5, 0.25, 2.0)))
"""A call whose numbers are easy to follow."""

_W = np.array([[1], [0], [0.5]], np.float32)
_FORWARD = Config(features=1, momentum=0.9, eps=1e-5)
"""A cotangent of that call, and the configuration of forward functions."""


@dataclass(slots=True)
class Lines:
    """Finds the lines of mistakes of one implementation; each call is traced once.

    Attributes:
        subject: The implementation.
        traced: Calls that were made, and their expressions.
    """

    subject: Subject
    traced: dict[Any, tuple[Observation, list[Expression]]] = field(default_factory=dict)

    def find(self, found: Investigation) -> list[Line | None]:
        """Return the line of each mistake; None where no expression is shown to compute it."""
        parts = parts_of(found.matches)
        deviant = (found.evidence.observations[index] for index in found.evidence.deviant)
        seen = [*filter(_is_traceable, deviant)]
        lines = [self._find_one(parts, at, seen) for at in range(len(parts))]
        if lines == [None]:
            return [self._find_stopping(seen)]
        return [
            None if line and self._is_acquitted(line, found.evidence, seen) else line
            for line in lines
        ]

    def find_unnamed(self, found: Investigation) -> Line | None:
        """Return the line of the first wrong quantity where no mistake is named."""
        evidence = found.calls if found.calls.deviant else found.evidence
        deviant = [evidence.observations[index] for index in evidence.deviant]
        conventions = self.subject.conventions
        seen = [o for o in filter(_is_traceable, deviant) if imply(o, conventions)]
        tried = sorted(seen, key=_rank)[:_TRACED]
        lines = [line for call in tried for line in self._locate_implied(call)]
        if not lines:
            return self._find_stopping([*filter(_is_traceable, deviant)])
        if len({line.place for line in lines}) > 1:
            return None
        if self._is_acquitted(lines[0], evidence, seen):
            return None
        simple = (each for o in self._simple_calls(tried[0]) for each in self._locate_implied(o))
        return next((line for line in simple if line.place == lines[0].place), lines[0])

    def _is_acquitted(self, line: Line, evidence: Evidence, seen: Sequence[Observation]) -> bool:
        """Return whether a mistake is not in an expression, but in when or with what it is used."""
        elsewhere = self._is_right_elsewhere(line, evidence, seen)
        return elsewhere or self._changes_with_calls(line, seen)

    def _changes_with_calls(self, line: Line, seen: Sequence[Observation]) -> bool:
        """Return whether an expression has other numbers in a later call.

        Then what is wrong is decided where these numbers are.
        """
        observation = min(seen, key=_rank)
        if observation.before is None or observation.gradients is not None:
            return False
        with suppress(ViolationFound, ExecutorLost):
            later = trace_later(self.subject, observation)
            here, there = (
                [each.constants for each in expressions if line.contains(each.place)]
                for expressions in (self._trace(observation)[1], later)
            )
            return bool(there) and here != there
        return False

    def _is_right_elsewhere(
        self, line: Line, evidence: Evidence, seen: Sequence[Observation]
    ) -> bool:
        """Return whether the same expression is right in the other mode, where all is right.

        Then it is not wrong, but used where another one should be. An expression with other
        constants is another one.
        """
        deviant = [evidence.observations[index].call for index in evidence.deviant]
        observation = min(seen, key=_rank)
        call = observation.call
        if call is None or any(o and o.training != call.training for o in deviant):
            return False
        flag = float(call.training) if observation.before is None else call.training
        other = replace(observation, call=replace(call, flag=flag))
        here, there = (
            [each for each in self._trace(o)[1] if line.is_at(each.place)]
            for o in (observation, other)
        )
        find = quantities if other.gradients is None else backward.backward_quantities
        truth = find((), self.subject.conventions, other).values()
        same = {each.constants for each in here}
        values = [value for each in there if each.constants in same for value in each.values]
        return any(align(value, right) is not None for value in values for right in truth)

    def _find_one(
        self, parts: tuple[Part, ...], at: int, seen: Sequence[Observation]
    ) -> Line | None:
        """Return the line of one mistake among several.

        Simple numbers may be equal by chance: the expression must be found in a call of the
        experiment. The calls in which most quantities are wrong come first, because a quantity
        before those that are found wrong may be too close to the right one, or equal to another.
        """
        others = parts[:at] + parts[at + 1 :]
        conventions = self.subject.conventions
        near = sorted(seen, key=_rank)[:_COUNTED]
        count = {id(o): len(_find_wrong(parts, others, conventions, o)) for o in near}
        tried = sorted(near, key=lambda o: (*_rank(o)[:1], -count[id(o)], *_rank(o)))[:_TRACED]
        lines = [line for call in tried for line in self._locate(call, parts, others)]
        if not lines:
            return None
        order = ORDER if tried[0].gradients is None else backward.ORDER
        first = min(lines, key=lambda line: order.index(line.quantity))
        simple = (
            line for o in self._simple_calls(tried[0]) for line in self._locate(o, parts, others)
        )
        return next((line for line in simple if line.place == first.place), first)

    def _find_stopping(self, seen: Sequence[Observation]) -> Line | None:
        """Return the line that stops a gradient; None where it is wrong for another reason."""
        tried = sorted((o for o in seen if o.gradients is not None), key=_rank)[:_TRACED]
        with suppress(ViolationFound, ExecutorLost):
            if not (lines := find_stopping(self.subject, tried)):
                return None
            simple = self._simple_calls(tried[0])
            shown = (line for call in simple for line in find_stopping(self.subject, [call]))
            return next((line for line in shown if line.place == lines[0].place), lines[0])
        return None

    def _simple_calls(self, like: Observation) -> Iterator[Observation]:
        """Yield calls of the kind of another one whose numbers are easy to follow."""
        config = self.subject.implementation.design.configured(_CONFIG)
        for flag in (False, True):
            if like.before is None:
                yield Observation(0, _FORWARD, Call(_X, float(flag)))
            elif like.gradients is None:
                yield Observation(0, config, Call(_X, flag), _STATE)
            else:
                call = Call(_X, flag, cotangent=_W, kind="gradient")
                yield Observation(0, config, call, _STATE, gradients={})

    def _locate(
        self, call: Observation, parts: Sequence[Part], others: Sequence[Part]
    ) -> Iterator[Line]:
        """Yield the first expression in one call with a value that only the mistake explains."""
        if _find_wrong(parts, others, self.subject.conventions, call):
            made, expressions = self._trace(call)
            wrong = _find_wrong(parts, others, self.subject.conventions, made)
            yield from (line for _, line in first_wrong(self.subject, expressions, made, wrong))

    def _locate_implied(self, call: Observation) -> Iterator[Line]:
        """Yield the first expression in one call with a value that a wrong result implies."""
        made, expressions = self._trace(call)
        line = first_implied(self.subject, expressions, made)
        if line is not None:
            yield line

    def _trace(self, call: Observation) -> tuple[Observation, list[Expression]]:
        """Make a call anew, and return its observation and its expressions; none if it raises."""
        made = call.call
        assert made is not None, "a call is traced"  # noqa: S101
        before = () if call.before is None else call.before.arrays().values()
        arrays = made.x, () if made.cotangent is None else made.cotangent, *before
        key = call.config, made.flag, made.seed, *(np.asarray(each).tobytes() for each in arrays)
        if key not in self.traced:
            check_time()
            self.traced[key] = call, []
            with suppress(ViolationFound, ExecutorLost):
                self.traced[key] = trace(self.subject, call)
        return self.traced[key]


def _is_traceable(observation: Observation) -> bool:
    call, before = observation.call, observation.before
    if call is None or observation.raised or call.kind not in {"call", "gradient"} or call.around:
        return False
    arrays = () if before is None else before.arrays().values()
    finite = all(np.isfinite(each).all() for each in (call.x, *arrays))
    plain = type(call.flag) in ((bool,) if before is not None else (bool, int, float))
    return finite and plain and call.x.size <= _LARGEST


def _find_wrong(
    parts: Sequence[Part], others: Sequence[Part], conventions: Conventions, call: Observation
) -> list[Wrong]:
    find = find_wrong if call.gradients is None else backward.find_wrong_gradients
    return find(parts, others, conventions, call)


def _rank(observation: Observation) -> tuple[bool, int]:
    """Return a key by which batches that tell values apart come first, the smallest before."""
    rows, features = (0, 0) if observation.call is None else observation.call.x.shape
    return rows < _FEWEST_ROWS or features == 1, rows * features
