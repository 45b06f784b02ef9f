"""The place of a mistake by the small edit of the source that corrects it.

With an edit that makes the results of all calls right, in both modes, a mistake is corrected,
whatever it is. Many edits are tried, such as one would make: where no replaced value shows the
place, and of the arguments of calls always, since a value is replaced where it is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from conformance.adapters.errors import printable
from conformance.adapters.operations.other_expressions import Rank
from conformance.diagnosis.approximate import Approximate
from conformance.diagnosis.deadline import check_time, looking_for
from conformance.diagnosis.lines.expressions import Place, read_place
from conformance.diagnosis.lines.line import Line, make_initial_line, make_line
from conformance.diagnosis.lines.repairs import wrong_in
from conformance.diagnosis.lines.steps import Quantities, Wrong
from conformance.diagnosis.lines.traced_calls import simple_call
from conformance.diagnosis.lines.tracing import Results, read_results
from conformance.diagnosis.observe import Observation
from conformance.properties.support.subject import Subject

_LIKELY = Rank.VALUE
"""The rank up to which edits are more likely than that a value is used wrongly."""

_LABEL = "editing the source"
_TOGETHER = 40
"""Edits that are tried between two looks at the time."""

_MOST = 1000
"""Edits that are tried of one mistake."""

_GUESSING = 20
"""Seconds in which edits are guessed: nothing of what was tried before was right."""

_CONFIRMED = 2
"""Further wrong calls that an edit must make right, and one with as many rows as there are."""

_READ = re.compile(r"[\w.]+(\[\W*\w*\W*\])?")
"""An expression that reads a value."""

_RENAMES = re.compile(r"\w+ = \w+")
"""A statement that gives a value another name."""

_OF_LIBRARY = re.compile(r"\w+\.[\w.]+\(")
"""A call of a function of a module."""

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
    scope: str


_Call = tuple[Observation, Sequence[Observation]]
"""A call, and those of the same layer to make before."""


@dataclass(slots=True)
class Edits:
    """Edits of what a wrong call executes.

    Attributes:
        subject: The implementation.
        wrong: Calls of layers, or layers that were only constructed, with wrong results; the first
            one tells values apart best. With each are the calls to make before, which are none,
            unless the first call of a layer is right.
        right: Calls with right ones, which an edit must leave right.
        later: Calls after others, each with these: an edit must not be right in a first call only.
        target: Returns what the results of a call should be.
    """

    subject: Subject
    wrong: Sequence[_Call]
    right: Sequence[Observation]
    later: Sequence[_Call]
    target: Callable[[Observation], Quantities]
    _listed: list[_Edit] | None = field(default=None, repr=False)

    def refine(self, line: Line | None, *, merges: bool = False) -> Line | None:
        """Return a line with the edit that corrects it, or the place of one that explains it.

        A value is replaced where it is used: the call that should pass another one is to blame, or
        what should have computed another one.

        Args:
            line: The place of a value that was replaced.
            merges: It is computed from right statistics of parts of the batch, so that no guess
                elsewhere is better.
        """
        likely = [each for each in self._list() if each.rank <= _LIKELY]
        usual = [each for each in likely if each.rank == Rank.CALL]
        if line is None:
            return self._find(usual)
        if line.uses and (other := self._find_of(Rank.SIBLING)):  # what is right for something else
            return other
        weak = _is_number(line.quantity)
        near = [] if weak else [each for each in likely if _meets(each.place, line)]
        if there := self._find(near):
            return self._find_around(line, there, usual) or _with_edit(line, there)
        pulled = any(each.gradients is not None for each, _ in self.wrong)
        # what a rule keeps is right for another use
        chosen = (e for e in likely if e.scope and (pulled or weak or e.rank <= Rank.CHOICE))
        if found := self._find([*dict.fromkeys((*usual, *chosen))]):
            return found
        if merges:
            there = self._find([each for each in self._list() if _meets(each.place, line)])
            return line if there is None else _with_edit(line, there)
        if _READ.fullmatch(line.text):  # it is what it says, so something else should be there
            return self.find_other() or line
        with looking_for(_GUESSING):
            found = self._find_of(Rank.FLATTER) or self._find_of(Rank.NAME, Rank.NAMES)
            found = found or self._find_of(Rank.SHORTER, *([Rank.FACTOR] if pulled else []))
            repeated = found is None or found.text == line.text  # one of two equal calls
            return line if found is None or repeated else _with_edit(line, found, found)
        return line

    def _find_around(self, line: Line, there: Line, usual: Sequence[_Edit]) -> Line | None:
        """Return the call of a function that does what its callers ask for, if it asks wrongly.

        That is a function of which only a call of a library could be another one.
        """
        if not _OF_LIBRARY.match(there.new):
            return None
        return self._find([each for each in usual if not _meets(each.place, line)])

    def refine_stopping(self, line: Line | None) -> Line | None:
        """Return the call that is better left out than the ``stop_gradient`` that it makes."""
        if line is None:
            return None
        shorter = (e for e in self._list() if Rank.FLATTER <= e.rank <= Rank.SHORTER)
        return self._find([each for each in shorter if not _meets(each.place, line)]) or line

    def find_likely(self, line: Line | None) -> Line | None:
        """Return the place of a likely edit; the numbers are those of a line if that is inside."""
        found = self._find([each for each in self._list() if each.rank <= _LIKELY])
        return found if found is None or line is None else _with_edit(line, found, found)

    def find_other(self) -> Line | None:
        """Return the place of any other edit."""
        usual = [each for each in self._list() if Rank.CALL < each.rank < Rank.FACTOR]
        if line := self._find(usual):
            return line
        with looking_for(_GUESSING):
            return self._find([each for each in self._list() if each.rank >= Rank.FACTOR])
        return None

    def _find_of(self, *ranks: Rank) -> Line | None:
        return self._find([each for each in self._list() if each.rank in ranks])

    def _find(self, chosen: Sequence[_Edit]) -> Line | None:
        """Return the place of the most usual edit that makes all calls right, or leaves them so."""
        if not chosen:
            return None
        first, *further = self.wrong
        most = sorted(further[_CONFIRMED:], key=lambda each: _rows(each[0]))[-1:]
        right = ((each, ()) for each in self.right)
        calls = (*further[:_CONFIRMED], *most, *right, *self.later)
        for _, alike in groupby(chosen[:_MOST], key=lambda each: each.rank):
            left = [*self._correcting(*first, [*alike])]
            for call in calls:
                left = [*self._correcting(*call, left)]
            if left:
                return self._line(*first, _choose(left))
        return None

    def _list(self) -> list[_Edit]:
        if self._listed is None:
            alone = self.wrong if self._is_wrong(*self.wrong[0]) else ()
            self.wrong = alone or [each for each in self.later if self._is_wrong(*each)]
            reported: Any = ()
            if self.wrong:
                made = _made(*self.wrong[0])
                reported = self.subject.session.ask("list_edits", made, label=_LABEL)
                self.subject.session.finish()
            found = map(_read, reported if isinstance(reported, list) else [])
            self._listed = [each for each in found if each is not None]
        return self._listed

    def _is_wrong(self, call: Observation, history: Sequence[Observation]) -> bool:
        return bool(wrong_in(self.target(call), self._try(call, [None], history)[0]))

    def _correcting(
        self, call: Observation, history: Sequence[Observation], edits: Sequence[_Edit]
    ) -> Iterator[_Edit]:
        """Yield the edits with which the results of a call are right."""
        right = self.target(call)
        for at in range(0, len(edits), _TOGETHER):
            check_time()
            some = edits[at : at + _TOGETHER]
            for each, results in zip(some, self._try(call, some, history), strict=False):
                if results and not wrong_in(right, results):
                    yield each

    def _try(
        self,
        call: Observation,
        edits: Sequence[_Edit | None],
        history: Sequence[Observation] = (),
    ) -> list[Results]:
        chosen = [["", 0] if each is None else [each.file, each.number] for each in edits]
        reported = self.subject.session.ask("try_edits", _made(call, history), chosen, label=_LABEL)
        self.subject.session.finish()
        return [read_results(each, call) for each in reported or () if isinstance(reported, list)]

    def _line(self, first: Observation, history: Sequence[Observation], edit: _Edit) -> Line | None:
        """Return the place with a wrong result, on numbers that are easy to follow if they are."""
        name = self.subject.implementation.name
        calls = [] if first.call is None else [simple_call(self.subject, first)]
        for call in (*calls, first):
            (results,) = self._try(call, [None], history if call is first else ())
            right = self.target(call)
            wrong_names = wrong_in(right, results)  # one that is not there has no number to show
            for quantity in (name for name in results if name in wrong_names):
                value, expected = (np.ravel(each[quantity].value) for each in (results, right))
                at = int(np.argmax(np.abs(value - expected)))
                wrong = Wrong(quantity, Approximate(value), (at,), float(expected[at]))
                make = make_line if call.call is not None else make_initial_line
                line = make(edit.place, name, call, wrong, float(value[at]))
                return replace(line, how=edit.how, new=edit.new, shown=False)
        return None


def _rows(observation: Observation) -> int:
    return 0 if observation.call is None else len(observation.call.x)


def _is_number(quantity: str) -> bool:
    """Return whether a value was replaced by a constant: a weak hint at what should be there."""
    return quantity.lstrip("-").replace(".", "", 1).isdigit()


def _choose(left: Sequence[_Edit]) -> _Edit:
    """Return the first of some edits; of guessed ones, the first of the last function.

    A factor that a backward pass lacks may be put into what the forward pass keeps for it as well.
    Where a value only gets another name, something is more likely to be missing than elsewhere.
    """
    if left[0].rank < Rank.FACTOR:
        return left[0]
    last = max(left, key=lambda each: each.place.line).scope
    there = [each for each in left if each.scope == last]
    return next((each for each in there if _RENAMES.fullmatch(each.place.text)), there[0])


def _meets(place: Place, line: Line) -> bool:
    """Return whether a place has a line of text in common with a line."""
    apart = place.end_line < line.line or line.end_line < place.line
    return not apart and Path(place.file).name == Path(line.file).name


def _with_edit(line: Line, edit: Line, other: Line | None = None) -> Line:
    """Return a line with an edit of its text, or of what is around; else another line, or it."""
    same = _contains(edit, line) or _contains(line, edit)
    return replace(line, how=edit.how, new=edit.new) if same else other or line


def _contains(around: Line, line: Line) -> bool:
    """Return whether a line is in the text of another one."""
    starts, ends = (around.line, around.column), (around.end_line, around.end_column)
    inside = starts <= (line.line, line.column) and (line.end_line, line.end_column) <= ends
    return inside and around.file == line.file


def _made(observation: Observation, history: Sequence[Observation] = ()) -> dict[str, Any]:
    """Return a call, and those before it, as the operations take it."""
    call, config, before = observation.call, observation.config, observation.before
    given = {name: getattr(config, name) for name in ("features", "momentum", "eps", "seed")}
    given["history"] = [*map(_made, history)]
    if call is None or before is None:
        return {**given, "arrays": {}, "x": None, "flag": False, "training": True, "w": None}
    more = {"x": call.x, "flag": bool(call.flag), "training": call.training, "mode": call.mode}
    return {**given, **more, "arrays": dict(before.arrays()), "w": call.cotangent}


def _read(reported: Any) -> _Edit | None:
    """Return an edit that a process that is not trusted reports; None if it is something else."""
    place = read_place(reported)
    if place is None:
        return None
    number, rank, how, new = (reported.get(name) for name in ("number", "rank", "how", "new"))
    if not (type(number) is int and type(rank) is int and how in _WAYS and isinstance(new, str)):
        return None
    scope = str(reported.get("scope", ""))
    return _Edit(reported["file"], number, rank, place, how, printable(new, ""), scope)
