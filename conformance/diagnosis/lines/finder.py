"""Finds the expression that computes what a mistake makes wrong, by replacing values.

A call in which results are wrong is traced into expressions. If another value of one expression
makes all results right, in several calls, and it computes its value from what is right, it is the
place. Of several mistakes each is sought among results that the others predict.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice

from conformance.adapters.operations.executor import ExecutorLost
from conformance.diagnosis.diagnosis import Investigation
from conformance.diagnosis.lines.edited import Edits
from conformance.diagnosis.lines.initial import find_initial
from conformance.diagnosis.lines.line import Line
from conformance.diagnosis.lines.repairs import Repairs, find_repairs
from conformance.diagnosis.lines.showing import Showing
from conformance.diagnosis.lines.stopped import find_leaking, find_stopping
from conformance.diagnosis.lines.traced_calls import (
    calls_before,
    divide_by_rows,
    is_traceable,
    rank,
    simple_call,
)
from conformance.diagnosis.lines.traces import Traces
from conformance.diagnosis.lines.tracing import Traced
from conformance.diagnosis.matching import Evidence
from conformance.diagnosis.observe import Observation
from conformance.diagnosis.scopes import Part
from conformance.diagnosis.search import parts_of
from conformance.properties.support.checks import ViolationFound
from conformance.properties.support.subject import Subject

_SEARCHED = 3
"""Calls in which all repairs are tried, until there is one: the last has another number of rows."""

_CONFIRMED = 2
"""Further calls in which a repair is confirmed, if there are as many: one of them has many rows."""

_TRACED = 6
"""The most calls of few rows that are traced for one mistake."""

_KEPT = 2
"""Right calls of each mode that an edit must leave right."""

_EARLIER = 3
"""The calls that are made before a later one."""

_WHOLE = 2
"""Wrong calls in which an edit is tried after all those before."""

_LATER = 3
"""Calls after others in which an edit is tried."""

_ALTERNATIVES = 8
"""Ways to repair a call of which the others are confirmed."""

_STOPPED = 3
"""Calls in which an expression must stop a gradient."""


class Lines:
    """Finds the lines of mistakes of one implementation."""

    def __init__(self, subject: Subject) -> None:
        self.subject, self.traces = subject, Traces(subject)

    def find(self, found: Investigation) -> list[Line | None]:
        """Return the line of each mistake; None where no expression is shown to make it."""
        return self._find_each(parts_of(found.matches), found.evidence)

    def find_in_gradients(self, found: Investigation) -> list[Line | None]:
        """Return the line of each mistake that was found in gradients besides those in calls."""
        backward = parts_of(match for match in found.matches if match.alternative.backward)
        return [] if found.gradients is None else self._find_each(backward, found.gradients)

    def _find_each(self, parts: tuple[Part, ...], evidence: Evidence) -> list[Line | None]:
        initial = [part.steps.keys() <= {"initial_state"} for part in parts]
        if len(parts) > 1 and not any(initial) and (line := self._find_single(evidence)):
            return [line, *(None for _ in parts[1:])]
        others = [parts[:at] + parts[at + 1 :] for at in range(len(parts))]
        return [
            self._find_initial(each, evidence) if starts else self._find_one(each, evidence)
            for starts, each in zip(initial, others, strict=True)
        ]

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
            line, merges = self._find_repaired(others, evidence, seen)
            edits = self._edits(others, evidence, seen)
            line = line if edits is None else edits.refine(line, merges=merges)
            if line is None and not others:
                line = self._find_stopping(seen)
                line = line if edits is None else edits.refine_stopping(line)
                line = line or self._find_leaking(deviant)
            return edits.find_other() if line is None and edits is not None else line
        return None

    def _find_single(self, evidence: Evidence) -> Line | None:
        """Return the place of a likely edit that corrects all that is named."""
        deviant = (evidence.observations[at] for at in evidence.deviant)
        with suppress(ViolationFound, ExecutorLost):
            edits = self._edits((), evidence, sorted(filter(is_traceable, deviant), key=rank))
            return None if edits is None else edits.find_likely(None)
        return None

    def _find_initial(self, others: tuple[Part, ...], evidence: Evidence) -> Line | None:
        """Return the place that gives an array a wrong initial value."""
        line = find_initial(self.subject, others, evidence)
        made = [evidence.observations[at] for at in evidence.deviant]
        with suppress(ViolationFound, ExecutorLost):
            edits = self._edits(others, evidence, [each for each in made if each.call is None])
            if edits is not None:
                return edits.find_likely(line) or line or edits.find_other()
        return line

    def _edits(
        self, others: tuple[Part, ...], evidence: Evidence, seen: Sequence[Observation]
    ) -> Edits | None:
        """Return edits of the source, if a layer is wrong, and not a forward function."""
        wrong = [each for each in seen if each.before is not None or each.call is None]
        if not wrong:
            return None
        deviant = {id(evidence.observations[at]) for at in evidence.deviant}
        right = [
            each
            for each in evidence.observations
            if id(each) not in deviant and is_traceable(each) and each.before is not None
        ]
        right.sort(key=rank)
        modes = [[e for e in right if e.call and e.call.training is mode] for mode in (True, False)]
        right = [each for calls in modes for each in calls[:_KEPT]]
        repeated = [each for each in (*seen, *right) if each.earlier and each.gradients is None]
        repeated.sort(key=lambda each: each.call is None or not each.call.training)
        before = [(each, calls_before(each, evidence.observations)) for each in repeated]
        later = [(each, earlier[-_EARLIER:]) for each, earlier in before[:_LATER]]
        later += [each for each in before if id(each[0]) in deviant][:_WHOLE]
        first = [(each, ()) for each in wrong]
        return Edits(self.subject, first, right, later, lambda c: self.traces.target(c, others))

    def _find_repaired(
        self, others: tuple[Part, ...], evidence: Evidence, seen: Sequence[Observation]
    ) -> tuple[Line | None, bool]:
        """Return the line of the expression whose right value makes all results right.

        Returns:
            The line, and whether it merges what is right of parts of the batch.
        """
        small, large = divide_by_rows(seen)
        calls = self._trace_all(_varied(small)[:_TRACED], others, evidence)
        for first in islice(calls, _SEARCHED):
            if found := self._search(first, others)[:_ALTERNATIVES]:
                break
        else:
            return None, False
        further = chain(islice(calls, 1), self._trace_all(large, others, evidence), calls)
        confirmed = 0
        for traced in further:
            again = self.traces.repeat(traced, others, first, found)
            found = [each for each, same in zip(found, again, strict=True) if same != ()]
            if not found:
                return None, False
            confirmed += any(again)
            if confirmed == _CONFIRMED:
                break
        merges = all(each.parted for each in found[0])
        return Showing(self.traces, others, evidence).show(first, found), merges

    def _trace_all(
        self, calls: Sequence[Observation], others: tuple[Part, ...], evidence: Evidence
    ) -> Iterator[Traced]:
        """Trace calls one after the other, and yield what is wrong in the trace, too."""
        traced = (self.traces.trace_wrong(call, others, evidence) for call in calls)
        return (each for each in traced if each is not None)

    def _search(self, traced: Traced, others: tuple[Part, ...]) -> list[Repairs]:
        right, elsewhere = self.traces.values(traced.call, others)
        target = self.traces.target(traced.call, others)
        return find_repairs(self.subject, traced, target, right, elsewhere)

    def _find_stopping(self, seen: Sequence[Observation]) -> Line | None:
        """Return the line that stops a gradient; None where it is wrong for another reason."""
        differentiated = [each for each in seen if each.gradients is not None]
        if not (lines := find_stopping(self.subject, differentiated[:_STOPPED], self.traces.trace)):
            return None
        simple = simple_call(self.subject, differentiated[0])
        shown = find_stopping(self.subject, [simple], self.traces.trace)
        return next((line for line in shown if line.place == lines[0].place), lines[0])

    def _find_leaking(self, deviant: Sequence[Observation]) -> Line | None:
        """Return the line where a gradient flows through the running statistics."""
        calls = [each for each in deviant if each.call is not None and each.call.kind == "through"]
        if not calls or len(calls) < len(deviant):
            return None
        simple = simple_call(self.subject, calls[0])
        return find_leaking(self.subject, [simple, *calls[:_STOPPED]])


def _varied(calls: Sequence[Observation]) -> list[Observation]:
    """Return calls in order, but the first one with another number of rows as the last searched."""
    rows = [0 if each.call is None else len(each.call.x) for each in calls]
    before = _SEARCHED - 1
    other = next((at for at, each in enumerate(rows) if each not in rows[:before]), None)
    varied = [*calls]
    if other is not None:
        varied.insert(before, varied.pop(other))
    return varied
