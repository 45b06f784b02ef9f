"""The place to show for values whose replacement makes all results right, and its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from conformance.adapters.protocols import STATISTICS
from conformance.diagnosis.approximate import Approximate
from conformance.diagnosis.lines.blame import Blame
from conformance.diagnosis.lines.candidates import Repair
from conformance.diagnosis.lines.chosen import where_chosen
from conformance.diagnosis.lines.expressions import Expression, Place, is_clear
from conformance.diagnosis.lines.known_values import KnownValues
from conformance.diagnosis.lines.line import Line, make_line
from conformance.diagnosis.lines.passed_on import where_passed
from conformance.diagnosis.lines.repairs import Repairs, returns_as, wrong_results
from conformance.diagnosis.lines.right_values import in_other_mode
from conformance.diagnosis.lines.steps import Quantities, Wrong
from conformance.diagnosis.lines.traced_calls import simple_call
from conformance.diagnosis.lines.traces import Traces
from conformance.diagnosis.lines.tracing import Traced, trace_later
from conformance.diagnosis.matching import Evidence
from conformance.diagnosis.observe import Observation
from conformance.diagnosis.scopes import Part


@dataclass(frozen=True, slots=True)
class Showing:
    """Shows the line of one mistake.

    Attributes:
        traces: The traced calls.
        others: The mistakes that are made besides.
        evidence: The calls in which the mistake was found.
    """

    traces: Traces
    others: tuple[Part, ...]
    evidence: Evidence

    def show(self, first: Traced, found: Sequence[Repairs]) -> Line | None:
        """Return the line of a repair, on numbers that are easy to follow if it is seen there."""
        call = first.call
        right, elsewhere = self.traces.values(call, self.others)
        only = KnownValues(_without(elsewhere.all, right.all))
        deviant = [self.evidence.observations[index].call for index in self.evidence.deviant]
        there: Sequence[Expression] = ()
        same = all(each and call.call and each.training == call.call.training for each in deviant)
        if same and self.traces.subject.conventions.moves_statistics():
            there = self.traces.trace(in_other_mode(call)).expressions
        exchanged = returns_as(self.traces.target(in_other_mode(call), self.others), first)
        wrong = wrong_results(self.traces.target(call, self.others), first)
        stores = wrong <= {*STATISTICS} and call.call is not None and not call.call.training
        known = KnownValues(elsewhere.all)
        blame = Blame(first.expressions, there, known, only, exchanged, stores)
        shown = blame.find(found)
        if shown is None or self._changes_with_calls(shown[0], first):
            return None
        place, repairs = shown
        simple, again = self._on_simple_numbers(first, repairs)
        if place == first.expressions[repairs[0].at].place:
            passed = self._passed((first, repairs), (simple, again), there)
            if passed is not None:
                return passed
            complete = KnownValues(right.all).find(repairs[0].value) is not None
            site = self._site(first, repairs, there if complete else ())
            place = site or self._site_of_updated(first, repairs[0]) or place
        named = KnownValues(_without(elsewhere.steps, right.all))
        computed = (repairs[0].value, *first.expressions[repairs[0].at].operands)
        uses = next(filter(None, map(named.find, computed)), "")
        seen, best = (simple, again) if again else (first, repairs)
        return self._line(place, seen.call, best[0], uses)

    def _on_simple_numbers(self, first: Traced, repairs: Repairs) -> tuple[Traced, Repairs]:
        """Return a call that is easy to follow with the same repairs; none if it has others."""
        simple = self.traces.trace(simple_call(self.traces.subject, first.call))
        if not simple.results:
            return simple, ()
        (again,) = self.traces.repeat(simple, self.others, first, [repairs])
        return simple, again or ()

    def _passed(
        self,
        found: tuple[Traced, Repairs],
        simple: tuple[Traced, Repairs],
        there: Sequence[Expression],
    ) -> Line | None:
        """Return the line where a value is passed on in the place of another, if it is clear."""
        passed = self._chosen(*found)
        if passed is not None:
            again = self._chosen(*simple, passed[1].names[0]) if simple[1] else passed
            if again is not None and again[0] == passed[0]:
                call = simple[0].call if simple[1] else found[0].call
                return self._line(again[0], call, again[1], "")
        passed, call = self._handed_on(*found, there), found[0].call
        if passed is None:
            return None
        again = self._handed_on(*simple, there) if simple[1] else None
        if again is not None and again[0] == passed[0]:
            passed, call = again, simple[0].call
        return self._line(passed[0], call, passed[1], "")

    def _chosen(
        self, traced: Traced, repairs: Repairs, name: str = ""
    ) -> tuple[Place, Repair] | None:
        here, other = (each.steps for each in self.traces.values(traced.call, self.others))
        known = KnownValues({**other, **here}).find(repairs[0].value) is not None
        return where_chosen(
            self.traces.subject, traced, repairs, here, right_elsewhere=known, name=name
        )

    def _handed_on(
        self, traced: Traced, repairs: Repairs, there: Sequence[Expression]
    ) -> tuple[Place, Repair] | None:
        right = self.traces.values(traced.call, self.others)[0].steps
        return where_passed(traced.expressions, repairs[0], right, there)

    def _site(self, traced: Traced, repairs: Repairs, there: Sequence[Expression]) -> Place | None:
        """Return the call of a function that is right where another call evaluates it.

        Args:
            traced: The call.
            repairs: What repairs it.
            there: The expressions of a right call in the other mode, if the value is right for
                something else: a function that is wrong for some numbers only is wrong itself.
        """
        repaired = {each.at for each in repairs}
        wrong = traced.expressions[repairs[0].at]
        here = (each for at, each in enumerate(traced.expressions) if at not in repaired)
        others = [each for each in (*here, *there) if each.place == wrong.place]
        callers = {place for each in others for place in each.callers}
        return next((each for each in wrong.callers if others and each not in callers), None)

    def _site_of_updated(self, traced: Traced, repair: Repair) -> Place | None:
        """Return the call of a function that is right for the running statistics as updated."""
        call, callers = traced.call, traced.expressions[repair.at].callers
        if call.before is None or call.call is None or not call.call.training or not callers:
            return None
        after = self.traces.target(call, self.others)
        if not after.keys() >= {*STATISTICS}:
            return None
        moved = {name: after[name].value.astype(np.float32) for name in STATISTICS}
        before = traced.expressions[: repair.at]
        updated = KnownValues({name: after[name] for name in STATISTICS})
        if any(each.callers == callers and _computes(each, updated) for each in before):
            return None  # the function updates them itself
        later = replace(call, before=replace(call.before, **moved))
        _, elsewhere = self.traces.values(later, self.others)
        known = KnownValues({**elsewhere.steps, **elsewhere.forms})
        return callers[0] if known.find(repair.value) is not None else None

    def _line(self, place: Place, call: Observation, repair: Repair, uses: str) -> Line:
        right = np.ravel(repair.right)
        value = np.broadcast_to(np.ravel(repair.value), right.shape)
        index = int(np.argmax(is_clear(Approximate(value), Approximate(right))))
        expected, got = float(right[index]), float(value[index])
        wrong = Wrong(repair.names[0], Approximate(value), (index,), expected)
        return make_line(place, self.traces.subject.implementation.name, call, wrong, got, uses)

    def _changes_with_calls(self, place: Place, first: Traced) -> bool:
        """Return whether an expression has other numbers in a later call.

        Then what is wrong is decided where these numbers are.
        """
        if first.call.before is None or first.call.gradients is not None or first.history:
            return False
        here, there = (
            [each.constants for each in expressions if place.contains(each.place)]
            for expressions in (first.expressions, trace_later(self.traces.subject, first.call))
        )
        return bool(there) and here != there


def _computes(expression: Expression, known: KnownValues) -> bool:
    """Return whether an expression computes a known value, rather than reading it."""
    values = [each for each in expression.values if known.find(each) is not None]
    kept = (np.array_equal(v.ravel(), o.ravel()) for v in values for o in expression.operands)
    return bool(values and expression.operands) and not any(kept)


def _without(values: Quantities, others: Quantities) -> Quantities:
    """Return values but those that are among others."""
    arrays = {(each.shape, each.value.tobytes()) for each in others.values()}
    return {n: v for n, v in values.items() if (v.shape, v.value.tobytes()) not in arrays}
