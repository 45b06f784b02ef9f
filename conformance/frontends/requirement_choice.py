"""Choosing the requirements of a run by pattern, level and edition."""

from __future__ import annotations

from conformance.frontends.options import OptionError
from conformance.requirements import REQUIREMENTS, Level, Requirement, UnknownRequirement, select
from conformance.requirements.editions import editions_with, judged_rows


def select_requirements(
    patterns: tuple[str, ...],
    level: str | None = None,
    edition: str | None = None,
    *,
    with_may: bool = False,
) -> tuple[Requirement, ...]:
    """Return the selected requirements, in the order of the table.

    Args:
        patterns: Ids, families or globs; none selects everything.
        level: ``must``, ``should`` or ``may``; None for the first two.
        edition: The edition; None for the newest and what was added since.
        with_may: Without a level, select MAY rows by all patterns, not by their ids alone.

    Raises:
        OptionError: A pattern is empty or matches nothing, or nothing of the level is left.
    """
    for pattern in patterns:
        if not pattern.strip(" ,"):
            msg = f"the filter {pattern!r} is empty"
            raise OptionError(msg)
    try:
        chosen = Level(level) if level else None
        rows = select(judged_rows(edition), patterns, chosen, with_may=with_may)
    except UnknownRequirement as error:
        raise OptionError(_elsewhere(patterns) or str(error)) from error
    if not rows:
        msg = f"the filter {', '.join(patterns)} has no requirement of level {level}"
        if level is None:
            msg = f"the filter {', '.join(patterns)} has MAY rows only: add --level may"
        raise OptionError(msg)
    return rows


def _elsewhere(patterns: tuple[str, ...]) -> str:
    """Return which editions have what was not found in one; empty if some of it is in none."""
    try:
        rows = select(REQUIREMENTS, patterns, with_may=True)
    except UnknownRequirement:
        return ""
    there = ", ".join(editions_with(row.id for row in rows))
    return f"{', '.join(patterns)}: not all of it is in this edition. Choose one with it: {there}"
