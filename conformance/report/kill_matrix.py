"""The kill matrix: which fault of a gallery violates which requirement.

A *listed* pair is one that the record of the fault names: that requirement must be violated.
Other requirements may be violated as well, because a mistake usually has several effects.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from conformance.requirements import REQUIREMENTS, select
from conformance.requirements.verdict import Outcome, Verdict

VERSION = 1


@dataclass(slots=True)
class Row:
    """One fault, and the verdicts on it.

    Attributes:
        family: Family of the fault.
        sentence: What the fault does wrong.
        source: Where the mistake was observed.
        breaks: The requirements that its record lists.
        judged: The requirements on which it was judged.
        violates: By violated requirement, the number of cases up to the first counterexample.
        failed: By requirement, the outcome of an inconclusive verdict, such as "errored".
        stamp: What is known about the measurement, such as the commit.
    """

    family: str
    sentence: str
    source: str
    breaks: list[str]
    judged: list[str] = field(default_factory=list)
    violates: dict[str, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    stamp: dict[str, str] = field(default_factory=dict)

    @property
    def missed(self) -> list[str]:
        """Listed requirements that were judged and are not violated."""
        return [i for i in self.breaks if i in self.judged and i not in self.violates]

    @property
    def killed(self) -> bool:
        """Whether any requirement is violated."""
        return bool(self.violates)


@dataclass(slots=True)
class KillMatrix:
    """Rows by the name of the fault, in the order of the gallery.

    Attributes:
        rows: By name of the fault.
        conditions: The conditions under which it was made, for readers.
        gallery: Name of the gallery.
    """

    rows: dict[str, Row]
    conditions: str = ""
    gallery: str = "fault"

    @classmethod
    def of(cls, gallery: Mapping[str, Any], verdicts: Iterable[Verdict]) -> KillMatrix:
        """Return the matrix of a gallery.

        Args:
            gallery: Records of faults by name.
            verdicts: Verdicts on implementations named ``gallery:name``.
        """
        matrix = cls(
            {
                name: Row(fault.family, fault.sentence, fault.source, list(fault.breaks))
                for name, fault in gallery.items()
            }
        )
        for verdict in verdicts:
            matrix.note(verdict)
        return matrix

    def note(self, verdict: Verdict) -> None:
        """Add one verdict."""
        row = self.rows.get(verdict.implementation.partition(":")[2])
        if row is None or verdict.outcome is Outcome.UNSUPPORTED:
            return
        row.judged.append(verdict.requirement)
        if verdict.outcome is Outcome.VIOLATES:
            row.violates[verdict.requirement] = verdict.cases
        elif verdict.outcome.bad:
            row.failed[verdict.requirement] = verdict.outcome.value

    @property
    def missed(self) -> list[tuple[str, str]]:
        """Listed pairs that were judged and are not violated."""
        return [(name, identity) for name, row in self.rows.items() for identity in row.missed]

    @property
    def survivors(self) -> list[str]:
        """Judged faults that violate nothing."""
        return [name for name, row in self.rows.items() if row.judged and not row.killed]

    @property
    def killers(self) -> dict[str, list[str]]:
        """The faults that each requirement kills, for every requirement of the table."""
        return {
            requirement.id: [n for n, row in self.rows.items() if requirement.id in row.violates]
            for requirement in select(REQUIREMENTS)
        }

    @property
    def unproved(self) -> list[str]:
        """Requirements that no fault violates: nothing shows that they can fail."""
        return [identity for identity, killed in self.killers.items() if not killed]

    def write(self, path: Path) -> None:
        """Write the matrix as JSON."""
        head = {
            "version": VERSION,
            "conditions": self.conditions,
            "gallery": self.gallery,
            "requirements": list(self.killers),
        }
        # one line per fault, for readable diffs
        faults = ",\n ".join(f"{_json(n)}: {_json(asdict(row))}" for n, row in self.rows.items())
        path.write_text(f'{_json(head)[:-1]}, "faults": {{{faults}}}}}\n', encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> KillMatrix:
        """Return the matrix that ``write`` wrote."""
        data = json.loads(path.read_text(encoding="utf-8"))
        rows = {name: Row(**row) for name, row in data["faults"].items()}
        return cls(rows, data["conditions"], data["gallery"])


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
