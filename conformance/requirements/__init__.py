"""The vocabulary, standard library only: requirements by theme, editions, deviations, verdicts.

Listing and explaining requirements costs nothing.
"""

from __future__ import annotations

from conformance.requirements.editions import newest_edition, rows_of
from conformance.requirements.requirement import TRANSFORMS, Capability, Level, Requirement
from conformance.requirements.selection import UnknownRequirement, select
from conformance.requirements.table import THEMES

__all__ = [
    "REQUIREMENTS",
    "THEMES",
    "TRANSFORMS",
    "Capability",
    "Level",
    "Requirement",
    "UnknownRequirement",
    "families",
    "select",
]

REQUIREMENTS: dict[str, Requirement] = rows_of(newest_edition())
"""Every requirement by id, in the order of presentation, as the newest edition has it.

``select`` leaves out those of MAY."""


def families() -> tuple[str, ...]:
    """Return the families in the order of the table, such as ``("INIT", "STATE", …)``."""
    return tuple(dict.fromkeys(row.family for row in REQUIREMENTS.values()))
