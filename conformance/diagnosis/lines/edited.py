"""The place of a mistake by the small edit of the source that corrects it.

With an edit that makes the results of all calls right, in both modes, a mistake is corrected,
whatever it is. Many edits are tried, such as one would make: where no replaced value shows the
place, and of the arguments of calls always, since a value is replaced where it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

import numpy as np

from conformance.adapters.errors import printable
from conformance.diagnosis.approximate import Approximate
from conformance.diagnosis.deadline import check_time
from conformance.diagnosis.lines.expressions import Place, read_place
from conformance.diagnosis.lines.line import Line, make_line
from conformance.diagnosis.lines.repairs import wrong_in
from conformance.diagnosis.lines.steps import Quantities, Wrong
from conformance.diagnosis.lines.traced_calls import simple_call
from conformance.diagnosis.lines.tracing import Results, read_results
from conformance.diagnosis.observe import Observation
from conformance.properties.support.subject import Subject

USUAL = 0
"""The rank of edits of arguments; see ``source_edits``."""

_LABEL = "editing the source"
_TOGETHER = 40
"""Edits that are tried between two looks at the time."""

_MOST = 200
"""Edits that are tried of one mistake."""

_CONFIRMED = 2
"""Further wrong calls that an edit must make right."""

_KEPT = 3
"""Right calls that an edit must leave right."""

_WAYS = {"instead", "also", "in training", "without"}


@dataclass(frozen=True, slots=True)
class _Edit:
    """An edit: its number in a file, how usual it is, and how it changes a place."""

    file: str
    number: int
    rank: int
    place: Place
    how: str
    new: str


@dataclass(slots=True)
class Edits:
    """Edits of what a wrong call executes.

    Attributes:
        subject: The implementation.
        wrong: Calls of layers with wrong results, the first of which tells values apart best.
        right: Calls with right ones.
        target: Returns what the results of a call should be.
    """

    subject: Subject
    wrong: Sequence[Observation]
    right: Sequence[Observation]
    target: Callable[[Observation], Quantities]
    _listed: list[_Edit] | None = field(default=None, repr=False)

    def find(self, *, usual: bool) -> Line | None:
        """Return the place of the most usual edit that makes all calls right, or leaves them so.

        Args:
            usual: Whether to try only those of arguments, or only others.
        """
        first, *further = self.wrong
        further = [*further[:_CONFIRMED], *self.right[:_KEPT]]
        chosen = [each for each in self._list() if (each.rank == USUAL) is usual]
        for _, alike in groupby(chosen[:_MOST], key=lambda each: each.rank):
            left = [*self._correcting(first, [*alike])]
            for call in further:
                left = [*self._correcting(call, left)]
            if left:
                return self._line(first, left[0])
        return None

    def _list(self) -> list[_Edit]:
        if self._listed is None:
            reported = self.subject.session.ask("list_edits", _made(self.wrong[0]), label=_LABEL)
            self.subject.session.finish()
            found = map(_read, reported if isinstance(reported, list) else [])
            self._listed = [each for each in found if each is not None]
        return self._listed

    def _correcting(self, call: Observation, edits: Sequence[_Edit]) -> Iterator[_Edit]:
        """Yield the edits with which the results of a call are right."""
        right = self.target(call)
        for at in range(0, len(edits), _TOGETHER):
            check_time()
            some = edits[at : at + _TOGETHER]
            for each, results in zip(some, self._try(call, some), strict=False):
                if results and not wrong_in(right, results):
                    yield each

    def _try(self, call: Observation, edits: Sequence[_Edit | None]) -> list[Results]:
        chosen = [["", 0] if each is None else [each.file, each.number] for each in edits]
        reported = self.subject.session.ask("try_edits", _made(call), chosen, label=_LABEL)
        self.subject.session.finish()
        return [read_results(each, call) for each in reported or () if isinstance(reported, list)]

    def _line(self, first: Observation, edit: _Edit) -> Line | None:
        """Return the place with a wrong result, on numbers that are easy to follow if they are."""
        name = self.subject.implementation.name
        for call in (simple_call(self.subject, first), first):
            (results,) = self._try(call, [None])
            right = self.target(call)
            for quantity in sorted(wrong_in(right, results), key=lambda each: each != "y"):
                value, expected = (np.ravel(each[quantity].value) for each in (results, right))
                at = int(np.argmax(np.abs(value - expected)))
                wrong = Wrong(quantity, Approximate(value), (at,), float(expected[at]))
                line = make_line(edit.place, name, call, wrong, float(value[at]))
                return replace(line, how=edit.how, new=edit.new)
        return None


def _made(observation: Observation) -> dict[str, Any]:
    """Return a call as the operations take it."""
    call, config, before = observation.call, observation.config, observation.before
    assert call is not None, "a call is made"  # noqa: S101
    assert before is not None, "a layer has a state"  # noqa: S101
    return {
        **{name: getattr(config, name) for name in ("features", "momentum", "eps", "seed")},
        "arrays": dict(before.arrays()),
        "x": call.x,
        "flag": bool(call.flag),
        "training": bool(call.training),
        "w": call.cotangent,
    }


def _read(reported: Any) -> _Edit | None:
    """Return an edit that a process that is not trusted reports; None if it is something else."""
    place = read_place(reported)
    if place is None:
        return None
    number, rank, how, new = (reported.get(name) for name in ("number", "rank", "how", "new"))
    if not (type(number) is int and type(rank) is int and how in _WAYS and isinstance(new, str)):
        return None
    return _Edit(reported["file"], number, rank, place, how, printable(new, ""))
