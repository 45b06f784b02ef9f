"""Results as JSON lines, one per mutant and judge, and the verdicts that people gave."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.mutation.mutants import Mutant

Result = dict[str, Any]
Key = tuple[str, str, str]
"""A mutant's id and edit, and the judge: ``suite`` or ``upstream``."""

VERDICTS = Path(__file__).with_name("verdicts.toml")
EQUIVALENT, OUT_OF_SCOPE, HOLE = "equivalent", "out of declared scope", "hole"


@dataclass
class Record:
    """The results of a run, kept in a file as they come in."""

    file: Path
    results: dict[Key, Result] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path) -> Record:
        """Return what the file holds."""
        record = cls(file)
        for line in file.read_text("utf-8").splitlines():
            entry = json.loads(line)
            if "note" in entry:
                record.notes[entry["note"]] = entry["value"]
            else:
                record.results[entry["id"], entry["edit"], entry["judge"]] = entry
        return record

    def add(self, key: Key, result: Result) -> None:
        """Take down one result."""
        identity, edit, judge = key
        entry = {"id": identity, "edit": edit, "judge": judge, **result}
        self.results[key] = entry
        self._append(entry)

    def note(self, name: str, value: Any) -> None:
        """Take down something about the whole run."""
        self.notes[name] = value
        self._append({"note": name, "value": value})

    def of(self, mutant: Mutant, judge: str) -> Result:
        """Return the result of a mutant; empty if there is none."""
        return self.results.get((mutant.identity, mutant.edit, judge), {})

    def _append(self, entry: Result) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(entry, ensure_ascii=False) + "\n")


@dataclass(frozen=True)
class Opinion:
    """Why a mutant survives: ``verdict`` is one of the three, ``why`` gives the reason."""

    verdict: str
    why: str


def opinions(file: Path = VERDICTS) -> dict[tuple[str, str], Opinion]:
    """Return the opinion on each mutant, by id and edit."""
    return dict(_opinions(tomllib.loads(file.read_text("utf-8"))))


def _opinions(tables: dict[str, Any]) -> Iterator[tuple[tuple[str, str], Opinion]]:
    for table in tables.get("group", []):
        assert table["verdict"] in {EQUIVALENT, OUT_OF_SCOPE, HOLE}, table
        opinion = Opinion(table["verdict"], " ".join(table["why"].split()))
        for identity, edit in table["mutants"].items():
            yield (identity, edit), opinion
