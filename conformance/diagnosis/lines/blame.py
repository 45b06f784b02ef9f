"""The place that makes a value wrong: where it is computed, or where what is used is chosen.

An expression that is right in the other mode is not wrong itself. Then what tells the wrong call
from the right one is to blame: the place of an operand, or of a call, that only the wrong one has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from conformance.diagnosis.lines.candidates import Repair
from conformance.diagnosis.lines.expressions import Expression, Place
from conformance.diagnosis.lines.known_values import KnownValues
from conformance.diagnosis.lines.repairs import Repairs, is_same

_Way = Callable[[Repair], Iterator[Place]]


@dataclass(frozen=True, slots=True)
class Blame:
    """What is known about a call with wrong results.

    Attributes:
        expressions: Its expressions.
        other: Those of the call in the other mode, if all is right there.
        right_there: What is right there.
        elsewhere: What only the call in the other mode should compute.
        exchanged: Whether the results are those of the other mode: then the mode is wrong.
        stores: Whether only running statistics are wrong, and none should be stored.
    """

    expressions: Sequence[Expression]
    other: Sequence[Expression]
    right_there: KnownValues
    elsewhere: KnownValues
    exchanged: bool
    stores: bool = False

    def find(self, found: Sequence[Repairs]) -> tuple[Place, Repairs] | None:
        """Return the place to blame, and what repairs it; None if none is shown to be wrong.

        Args:
            found: The values whose replacement makes all results right, the best first.
        """
        if not self.other:  # what is right in the other mode may be in the wrong one
            found = [each for each in found if not any(map(self._may_be_of_other_mode, each))]
            return next(((self._place(each[0]), each) for each in found), None)
        first = sorted(found, key=lambda repairs: min(each.at for each in repairs))
        ways: list[tuple[_Way, Sequence[Repairs]]] = [
            (self._itself, found),
            (self._operands, found),
        ]
        if not self.exchanged:
            ways.append((self._around(found), found))
        ways.append((self._callers, first))  # what a call returns is passed to those after it
        if not self.exchanged:
            ways.append((self._mixing, first[::-1] if self.stores else found))
        return next(
            (
                (place, repairs)
                for way, ordered in ways
                for repairs in ordered
                for each in repairs
                for place in way(each)
            ),
            None,
        )

    def _place(self, repair: Repair) -> Place:
        return self.expressions[repair.at].place

    def _is_of_other_mode(self, repair: Repair) -> bool:
        return self.elsewhere.find(repair.value) is not None

    def _may_be_of_other_mode(self, repair: Repair) -> bool:
        """Return whether a value may belong to the other mode, with no right one among operands."""
        operands = self.expressions[repair.at].operands
        left = any(is_same(repair.right, each) for each in operands)
        return self._is_of_other_mode(repair) and not left

    def _itself(self, repair: Repair) -> Iterator[Place]:
        """Yield the place of an expression unless, with the same constants, it is right there."""
        expression = self.expressions[repair.at]
        right = any(
            each.place == expression.place
            and each.constants == expression.constants
            and any(self.right_there.find(value) is not None for value in each.values)
            for each in self.other
        )
        if not right:
            yield expression.place

    def _operands(self, repair: Repair) -> Iterator[Place]:
        yield from self._apart([each.place for each in self._sources(repair)])

    def _callers(self, repair: Repair) -> Iterator[Place]:
        """Yield the calls around what computes a value that is right in the other mode."""
        if not self._is_of_other_mode(repair):
            return
        callers = [*self.expressions[repair.at].callers]
        callers += [place for each in self._sources(repair) for place in each.callers]
        yield from self._apart(callers)

    def _around(self, found: Sequence[Repairs]) -> _Way:
        """Return a way: the expression that has all others in its text, if they are several."""
        places = [self._place(each) for repairs in found for each in repairs]

        def find(repair: Repair) -> Iterator[Place]:
            place = self._place(repair)
            if len(places) > 1 and all(place.contains(each) for each in places):
                yield place

        return find

    def _mixing(self, repair: Repair) -> Iterator[Place]:
        """Yield the place of an expression that uses what is wrong in the mode of the call."""
        if not repair.clean or not self._is_of_other_mode(repair):
            yield self._place(repair)

    def _sources(self, repair: Repair) -> Iterator[Expression]:
        sources = self.expressions[repair.at].sources
        return (self.expressions[each] for each in sources if each >= 0)

    def _apart(self, places: Sequence[Place]) -> Iterator[Place]:
        """Yield those of some places that a right call does not have."""
        common = {place for each in self.other for place in (each.place, *each.callers)}
        return (place for place in places if place not in common)
