"""Finds the expression that computes what a mistake makes wrong, by replacing values.

A call in which results are wrong is traced into expressions. If another value of one expression
makes all results right, in several calls, and it computes its value from what is right, it is the
place. Of several mistakes each is sought among results that the others predict.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

import numpy as np

from conformance.adapters.operations.executor import ExecutorLost
from conformance.adapters.protocols import STATISTICS
from conformance.diagnosis.approximate import Approximate
from conformance.diagnosis.deadline import check_time
from conformance.diagnosis.diagnosis import Investigation
from conformance.diagnosis.lines.blame import Blame
from conformance.diagnosis.lines.expressions import Expression, Place, is_clear
from conformance.diagnosis.lines.known_values import KnownValues
from conformance.diagnosis.lines.line import Line, make_line
from conformance.diagnosis.lines.passed_on import where_passed
from conformance.diagnosis.lines.repairs import (
    Repair,
    Repairs,
    find_repairs,
    repairs_as_before,
    returns_as,
    wrong_results,
)
from conformance.diagnosis.lines.right_values import RightValues, in_other_mode, right_values
from conformance.diagnosis.lines.steps import Quantities, Wrong
from conformance.diagnosis.lines.stopped import find_leaking, find_stopping
from conformance.diagnosis.lines.traced_calls import (
    calls_before,
    divide_by_rows,
    is_traceable,
    rank,
    simple_call,
)
from conformance.diagnosis.lines.tracing import Traced, trace, trace_later
from conformance.diagnosis.matching import Evidence
from conformance.diagnosis.observe import Observation
from conformance.diagnosis.prediction import Predictor
from conformance.diagnosis.scopes import Part
from conformance.diagnosis.search import parts_of
from conformance.properties.support.checks import ViolationFound
from conformance.properties.support.subject import Subject

_SEARCHED = 2
"""Calls in which all repairs are tried, until there is one."""

_CONFIRMED = 2
"""Further calls in which a repair is confirmed, if there are as many: one of them has many rows."""

_TRACED = 6
"""The most calls of few rows that are traced for one mistake."""

_ALTERNATIVES = 8
"""Ways to repair a call of which the others are confirmed."""

_STOPPED = 3
"""Calls in which an expression must stop a gradient."""


@dataclass(slots=True)
class Lines:
    """Finds the lines of mistakes of one implementation.

    Attributes:
        subject: The implementation.
        traced: Calls that were traced.
    """

    subject: Subject
    traced: dict[Any, Traced] = field(default_factory=dict)

    def find(self, found: Investigation) -> list[Line | None]:
        """Return the line of each mistake; None where no expression is shown to make it."""
        parts = parts_of(found.matches)
        evidence = found.evidence
        others = [parts[:at] + parts[at + 1 :] for at in range(len(parts))]
        return [self._find_one(each, evidence) for each in others]

    def find_in_gradients(self, found: Investigation) -> Line | None:
        """Return the line of the mistake that was found in gradients besides those in calls."""
        return None if found.gradients is None else self._find_one((), found.gradients)

    def find_unnamed(self, found: Investigation) -> Line | None:
        """Return the line of what is wrong where no mistake is named."""
        return self._find_one((), found.calls if found.calls.deviant else found.evidence)

    def _find_one(self, others: tuple[Part, ...], evidence: Evidence) -> Line | None:
        """Return the line of a mistake.

        Args:
            others: The mistakes that are made besides.
            evidence: The calls.
        """
        deviant = [evidence.observations[at] for at in evidence.deviant]
        seen = sorted(filter(is_traceable, deviant), key=rank)
        with suppress(ViolationFound, ExecutorLost):
            line = self._find_repaired(others, evidence, seen)
            if line is None and not others:
                line = self._find_stopping(seen) or self._find_leaking(deviant)
            return line
        return None

    def _find_repaired(
        self, others: tuple[Part, ...], evidence: Evidence, seen: Sequence[Observation]
    ) -> Line | None:
        """Return the line of the expression whose right value makes all results right."""
        small, large = divide_by_rows(seen)
        calls = self._trace_all(small[:_TRACED], others, evidence)
        for first in islice(calls, _SEARCHED):
            if found := self._search(first, others)[:_ALTERNATIVES]:
                break
        else:
            return None
        further = chain(islice(calls, 1), self._trace_all(large, others, evidence), calls)
        for traced in islice(further, _CONFIRMED):
            again = self._repeat(traced, others, first, found)
            found = [each for each, same in zip(found, again, strict=True) if same]
            if not found:
                return None
        return self._show(first, found, others, evidence)

    def _trace_all(
        self, calls: Sequence[Observation], others: tuple[Part, ...], evidence: Evidence
    ) -> Iterator[Traced]:
        """Trace calls one after the other, and yield what is wrong in the trace, too."""
        traced = (self._trace_wrong(call, others, evidence) for call in calls)
        return (each for each in traced if each is not None)

    def _trace_wrong(
        self, call: Observation, others: tuple[Part, ...], evidence: Evidence
    ) -> Traced | None:
        """Trace a call as it is wrong: by itself, or after those before it."""
        histories = [[], *filter(None, [calls_before(call, evidence.observations)])]
        for history in histories:
            traced = self._trace(call, history)
            if traced.results and wrong_results(self._target(traced.call, others), traced):
                return traced
        return None

    def _search(self, traced: Traced, others: tuple[Part, ...]) -> list[Repairs]:
        right, elsewhere = self._values(traced.call, others)
        target = self._target(traced.call, others)
        return find_repairs(self.subject, traced, target, right, elsewhere)

    def _repeat(
        self, traced: Traced, others: tuple[Part, ...], first: Traced, found: Sequence[Repairs]
    ) -> list[Repairs]:
        """Repair another call in the same ways; nothing for each that does not make it right."""
        values = self._values(traced.call, others)
        target = self._target(traced.call, others)
        return [
            repairs_as_before(self.subject, traced, target, values, first, each) for each in found
        ]

    def _target(self, call: Observation, others: tuple[Part, ...]) -> Quantities:
        """Return what the results of a call should be; nothing if that is not predicted."""
        predicted = Predictor(others, self.subject.conventions).one(call) or {}
        return {name: each for name, each in predicted.items() if name != "x afterwards"}

    def _values(
        self, call: Observation, others: tuple[Part, ...]
    ) -> tuple[RightValues, RightValues]:
        """Return what is right in a call, and what is right in the other mode."""
        conventions = self.subject.conventions
        other = in_other_mode(call)
        return right_values(others, conventions, call), right_values(others, conventions, other)

    def _show(
        self,
        first: Traced,
        found: Sequence[Repairs],
        others: tuple[Part, ...],
        evidence: Evidence,
    ) -> Line | None:
        """Return the line of a repair, on numbers that are easy to follow if it is seen there."""
        call = first.call
        right, elsewhere = self._values(call, others)
        only = KnownValues(_without(elsewhere.all, right.all))
        deviant = [evidence.observations[index].call for index in evidence.deviant]
        there: Sequence[Expression] = ()
        same = all(each and call.call and each.training == call.call.training for each in deviant)
        if same and self.subject.conventions.moves_statistics():
            there = self._trace(in_other_mode(call)).expressions
        exchanged = returns_as(self._target(in_other_mode(call), others), first)
        wrong = wrong_results(self._target(call, others), first)
        stores = wrong <= {*STATISTICS} and call.call is not None and not call.call.training
        known = KnownValues(elsewhere.all)
        blame = Blame(first.expressions, there, known, only, exchanged, stores)
        shown = blame.find(found)
        if shown is None or self._changes_with_calls(shown[0], first):
            return None
        place, repairs = shown
        passed = self._passed(place, first, repairs, others, there)
        if passed is not None:
            return passed
        named = KnownValues(_without(elsewhere.steps, right.all))
        computed = (repairs[0].value, *first.expressions[repairs[0].at].operands)
        uses = next(filter(None, map(named.find, computed)), "")
        simple = self._trace(simple_call(self.subject, call))
        if simple.results:
            (again,) = self._repeat(simple, others, first, [repairs])
            if again:
                return self._line(place, simple.call, again[0], uses)
        return self._line(place, call, repairs[0], uses)

    def _passed(
        self,
        place: Place,
        first: Traced,
        repairs: Repairs,
        others: tuple[Part, ...],
        there: Sequence[Expression],
    ) -> Line | None:
        """Return the line where a value is passed on in the place of another, if it is clear."""
        if place != first.expressions[repairs[0].at].place:
            return None
        right = self._values(first.call, others)[0].steps
        passed = where_passed(first.expressions, repairs[0], right, there)
        if passed is None:
            return None
        call = first.call
        simple = self._trace(simple_call(self.subject, call))
        if simple.results:
            (again,) = self._repeat(simple, others, first, [repairs])
            right = self._values(simple.call, others)[0].steps
            seen = where_passed(simple.expressions, again[0], right, there) if again else None
            if seen is not None and seen[0] == passed[0]:
                call, passed = simple.call, seen
        return self._line(passed[0], call, passed[1], "")

    def _line(self, place: Place, call: Observation, repair: Repair, uses: str) -> Line:
        right = np.ravel(repair.right)
        value = np.broadcast_to(np.ravel(repair.value), right.shape)
        index = int(np.argmax(is_clear(Approximate(value), Approximate(right))))
        expected, got = float(right[index]), float(value[index])
        wrong = Wrong(repair.names[0], Approximate(value), (index,), expected)
        return make_line(place, self.subject.implementation.name, call, wrong, got, uses)

    def _changes_with_calls(self, place: Place, first: Traced) -> bool:
        """Return whether an expression has other numbers in a later call.

        Then what is wrong is decided where these numbers are.
        """
        if first.call.before is None or first.call.gradients is not None or first.history:
            return False
        here, there = (
            [each.constants for each in expressions if place.contains(each.place)]
            for expressions in (first.expressions, trace_later(self.subject, first.call))
        )
        return bool(there) and here != there

    def _find_stopping(self, seen: Sequence[Observation]) -> Line | None:
        """Return the line that stops a gradient; None where it is wrong for another reason."""
        differentiated = [each for each in seen if each.gradients is not None]
        if not (lines := find_stopping(self.subject, differentiated[:_STOPPED], self._trace)):
            return None
        simple = simple_call(self.subject, differentiated[0])
        shown = find_stopping(self.subject, [simple], self._trace)
        return next((line for line in shown if line.place == lines[0].place), lines[0])

    def _find_leaking(self, deviant: Sequence[Observation]) -> Line | None:
        """Return the line where a gradient flows through the running statistics."""
        calls = [each for each in deviant if each.call is not None and each.call.kind == "through"]
        if not calls or len(calls) < len(deviant):
            return None
        simple = simple_call(self.subject, calls[0])
        return find_leaking(self.subject, [simple, *calls[:_STOPPED]])

    def _trace(self, call: Observation, history: Sequence[Observation] = ()) -> Traced:
        made = call.call
        assert made is not None, "a call is traced"  # noqa: S101
        before = () if call.before is None else call.before.arrays().values()
        arrays = made.x, () if made.cotangent is None else made.cotangent, *before
        given = call.config, made.flag, made.seed, len(history)
        key = *given, *(np.asarray(each).tobytes() for each in arrays)
        if key not in self.traced:
            check_time()
            self.traced[key] = trace(self.subject, call, history)
        return self.traced[key]


def _without(values: Quantities, others: Quantities) -> Quantities:
    """Return values but those that are among others."""
    arrays = {(each.shape, each.value.tobytes()) for each in others.values()}
    return {n: v for n, v in values.items() if (v.shape, v.value.tobytes()) not in arrays}
