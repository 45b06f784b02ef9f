"""What came of each edit, and of the layer as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from conformance.mutation.mutants import Mutant
from conformance.mutation.reach import Place
from conformance.requirements.verdict import Outcome


class EditOutcome(Enum):
    """What became of one edit."""

    CAUGHT = "caught"
    NOT_CAUGHT = "not caught"
    NOT_JUDGED = "not judged"


ENDED = "ended by the limit"
"""What catches an edit that hangs, or takes more memory than it may."""

CRASHED = "its process ended"
"""What catches an edit that ends its process."""


@dataclass(frozen=True, kw_only=True)
class JudgedEdit:
    """One edit, and what became of it.

    Attributes:
        edit: The edit.
        outcome: What became of it.
        by: The requirement that is violated, ``ENDED`` or ``CRASHED``; empty if none is.
        should: Only a SHOULD is violated.
        detail: What was found; of an edit that was not judged, why.
        recognized: How the edited layer is recognized, if otherwise than the original.
        same_program: Its traced program is that of the original.
        reached: A case executes the edited statement.
        seconds: Wall time.
    """

    edit: Mutant
    outcome: EditOutcome
    by: str = ""
    should: bool = False
    detail: str = ""
    recognized: str = ""
    same_program: bool = False
    reached: bool = True
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        edit = self.edit
        return {
            "line": edit.line,
            "in": edit.definition,
            "kind": edit.kind,
            "before": edit.before,
            "after": edit.after,
            "outcome": self.outcome.value,
            "by": self.by,
            "level": "" if not self.by else "should" if self.should else "must",
            "detail": self.detail,
            "recognized": self.recognized,
            "same_program": self.same_program,
            "reached": self.reached,
            "seconds": round(self.seconds, 2),
        }


@dataclass(frozen=True, kw_only=True)
class Original:
    """The layer as it is, and what judging it showed.

    Attributes:
        file: The file of its module.
        text: The source of the module.
        definitions: What is edited of it.
        line: How the layer was recognized; empty for an adapter.
        suggestions: What to declare, if it is meant.
        mined: Numbers of its source.
        program: A digest of its traced program; empty if it has none.
        outcomes: The outcome by requirement.
        places: Its statements and branches.
        executed: The numbers of those that a case executes.
    """

    file: str = ""
    text: str = ""
    definitions: tuple[str, ...] = ()
    line: str = ""
    suggestions: tuple[str, ...] = ()
    mined: tuple[float, ...] = ()
    program: str = ""
    outcomes: Mapping[str, str] = field(default_factory=dict)
    places: tuple[Place, ...] = ()
    executed: frozenset[int] = frozenset()


@dataclass(kw_only=True)
class MutationResult:
    """What is known of a layer and its edits; it grows while they are judged.

    Attributes:
        name: The layer, as the user typed it.
        seed: Which edits were drawn, if not all are judged.
        original: The layer as it is.
        made: How many edits there are.
        planned: How many of them are to be judged.
        found: What became of those that were judged so far.
    """

    name: str
    seed: int = 0
    original: Original = field(default_factory=Original)
    made: int = 0
    planned: int = 0
    found: list[JudgedEdit] = field(default_factory=list)

    def count(self, outcome: EditOutcome) -> int:
        """Return how many edits have an outcome."""
        return sum(each.outcome is outcome for each in self.found)

    def of(self, outcome: EditOutcome) -> list[JudgedEdit]:
        """Return the edits with an outcome, in the order of the source."""
        found = (each for each in self.found if each.outcome is outcome)
        return sorted(found, key=lambda each: each.edit.number)

    @property
    def set_aside(self) -> dict[str, str]:
        """The requirements that the layer itself does not meet, with their outcomes."""
        return {row: end for row, end in self.original.outcomes.items() if Outcome(end).bad}
