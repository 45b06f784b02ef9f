"""An edition: the requirements as they were published, which no later release changes."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from conformance.requirements.requirement import Level, Requirement
from conformance.requirements.table import ROWS_AS_WRITTEN

DIRECTORY = Path(__file__).parent
"""Where the published editions are, a file each, and the reasons for changes in the draft."""

DRAFT = "draft"
"""The name of what the next edition will say, as far as it is written."""

_NAME = re.compile(r"([0-9]{4})\.([1-9][0-9]*)")

Frozen = Mapping[str, str]
"""The fields of a row that an edition fixes: level, needs, statement, formula, grounds."""


class UnknownEdition(ValueError):
    """There is no edition of this name; the message lists those that there are."""


@dataclass(frozen=True, slots=True, eq=False)  # its rows are restored once
class Edition:
    """The requirements of one edition.

    Attributes:
        name: The year and a number, such as ``2026.1``, or ``draft``.
        rows: What it fixes of each of its requirements, by id.
        reasons: Why a requirement is not as in the edition before, by id.
    """

    name: str
    rows: Mapping[str, Frozen]
    reasons: Mapping[str, str] = field(default_factory=dict)

    def to_text(self) -> str:
        """Return the edition as the text of its file."""
        data = {"edition": self.name, "reasons": dict(self.reasons), "requirements": self.rows}
        return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def edition_order(name: str) -> tuple[int, int]:
    """Return the key by which names of editions are sorted.

    Args:
        name: The name, such as ``2026.1``.

    Raises:
        UnknownEdition: It is not a year and a number.
    """
    if (found := _NAME.fullmatch(name)) is None:
        msg = f"edition {name!r}: expected a year and a number, such as 2026.1"
        raise UnknownEdition(msg)
    return int(found[1]), int(found[2])


@cache
def published_editions() -> tuple[Edition, ...]:
    """Return the published editions, from the oldest to the newest."""
    names = sorted((path.stem for path in DIRECTORY.glob("*.json")), key=edition_order)
    return tuple(_read(DIRECTORY / f"{name}.json") for name in names)


def _read(path: Path) -> Edition:
    data = json.loads(path.read_text(encoding="utf-8"))
    return Edition(data["edition"], data["requirements"], data["reasons"])


@cache
def draft_edition() -> Edition:
    """Return what the next edition will say, as far as it is written."""
    rows = {row.id: freeze(row) for row in ROWS_AS_WRITTEN.values() if not row.until}
    reasons = tomllib.loads((DIRECTORY / "draft.toml").read_text(encoding="utf-8"))
    return Edition(DRAFT, rows, reasons)


def newest_edition() -> Edition:
    """Return the newest published edition; the draft as long as there is none."""
    return published_editions()[-1] if published_editions() else draft_edition()


def edition_named(name: str) -> Edition:
    """Return the edition of a name.

    Args:
        name: The name of a published edition, or ``draft``.

    Raises:
        UnknownEdition: There is none of this name.
    """
    if problem := why_unknown(name):
        msg = f"edition {name!r}: {problem}"
        raise UnknownEdition(msg)
    return next(edition for edition in _editions() if edition.name == name)


def why_unknown(name: str) -> str:
    """Return that there is no edition of a name, and which there are; empty if there is one."""
    there = [edition.name for edition in _editions()]
    rule = f"this version of the suite does not have it. There are: {', '.join(there)}"
    return "" if name in there else rule


def _editions() -> tuple[Edition, ...]:
    return (*published_editions(), draft_edition())


def editions_with(identities: Iterable[str]) -> list[str]:
    """Return the names of the editions that have any of these requirements."""
    wanted = set(identities)
    return [edition.name for edition in _editions() if wanted & edition.rows.keys()]


def judged_rows(name: str | None = None) -> dict[str, Requirement]:
    """Return the rows that a run judges, by id.

    Args:
        name: The edition, which has exactly these rows; None for those of the newest one and what
            was added since, as a SHOULD at most.

    Raises:
        UnknownEdition: There is none of this name.
    """
    edition = newest_edition() if name is None else edition_named(name)
    added = [row.id for row in ROWS_AS_WRITTEN.values() if not row.until] if name is None else []
    wanted = {*edition.rows, *added}
    return {identity: row for identity, row in rows_of(edition).items() if identity in wanted}


def freeze(row: Requirement) -> Frozen:
    """Return what an edition fixes of a row."""
    return {
        "level": row.level.value,
        "needs": row.needs.value,
        "statement": row.statement,
        "formula": row.formula,
        "grounds": row.grounds,
    }


@cache
def rows_of(edition: Edition) -> dict[str, Requirement]:
    """Return every row that the suite can judge, with level and text as an edition has them.

    A row that the edition does not have is a SHOULD at most, so it can fail no run.

    Args:
        edition: The edition.
    """
    return {
        row.id: _restored(row, edition.rows[row.id]) if row.id in edition.rows else _lowered(row)
        for row in ROWS_AS_WRITTEN.values()
    }


def _restored(row: Requirement, frozen: Frozen) -> Requirement:
    """Return a row as published; ``needs`` says what its property needs today."""
    return replace(
        row,
        level=Level(frozen["level"]),
        statement=frozen["statement"],
        formula=frozen["formula"],
        grounds=frozen["grounds"],
    )


def _lowered(row: Requirement) -> Requirement:
    return replace(row, level=Level.SHOULD) if row.level is Level.MUST else row
