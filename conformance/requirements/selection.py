"""Choosing requirements by pattern and level."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from conformance.requirements.requirement import Level, Requirement


class UnknownRequirement(ValueError):
    """A pattern matches no requirement."""


def select(
    table: Mapping[str, Requirement],
    patterns: Iterable[str] = (),
    level: Level | None = None,
    *,
    with_may: bool = False,
) -> tuple[Requirement, ...]:
    """Return the requirements that match any of the patterns, in the order of the table.

    A MAY row is not a requirement: it is chosen by its level or its id, and by no other pattern.

    Args:
        table: Requirements by id.
        patterns: Ids (``BN-EMA-1``), families (``EMA``) or globs over ids (``*-1``), ignoring
            case, with or without ``BN-``; several may be joined by commas. None selects all.
        level: Restrict the result to this level; None for MUST and SHOULD.
        with_may: Without a level, choose MAY rows by all patterns.

    Raises:
        UnknownRequirement: A pattern matches nothing; the message suggests similar ids.
    """
    wanted = [part.strip() for text in patterns for part in text.split(",") if part.strip()]
    chosen = {row.id for pattern in wanted for row in _matches(table, pattern)}
    named = {f"BN-{_short(pattern)}" for pattern in wanted}

    def fits(row: Requirement) -> bool:
        if level is not None:
            return row.level is level
        return with_may or row.level is not Level.MAY or row.id in named

    return tuple(row for row in table.values() if (not wanted or row.id in chosen) and fits(row))


def _short(pattern: str) -> str:
    return pattern.upper().removeprefix("BN-")


def _matches(table: Mapping[str, Requirement], pattern: str) -> list[Requirement]:
    name, short = pattern.upper(), _short(pattern)
    found = [
        row
        for row in table.values()
        if row.family == short or fnmatchcase(row.id, name) or fnmatchcase(row.id, f"BN-{short}")
    ]
    if not found:
        known = [*table, *dict.fromkeys(row.family for row in table.values())]
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join(near)}?" if near else "`conformance list` shows all."
        raise UnknownRequirement(
            f"no requirement matches {pattern!r}: expected an id such as BN-EMA-1, a family "
            f"such as EMA, or a glob such as 'BN-*-1'. {hint}"
        )
    return found
