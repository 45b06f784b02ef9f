"""The requirement table: the normative text of the suite, as data.

Standard library only, so that listing and explaining requirements costs nothing.
"""

from __future__ import annotations

from conformance.requirements import (
    construction,
    domain,
    evaluation,
    gradients,
    harness,
    robustness,
    serialisation,
    training,
    transforms,
)
from conformance.requirements.model import TRANSFORMS, Capability, Level, Requirement
from conformance.requirements.selection import UnknownRequirement, select

__all__ = [
    "REQUIREMENTS",
    "TRANSFORMS",
    "Capability",
    "Level",
    "Requirement",
    "UnknownRequirement",
    "families",
    "select",
]

REQUIREMENTS: dict[str, Requirement] = {
    row.id: row
    for table in (
        construction,
        training,
        evaluation,
        harness,
        robustness,
        transforms,
        gradients,
        serialisation,
        domain,
    )
    for row in table.ROWS
}
"""Every requirement by id, in the order in which they are presented."""


def families() -> tuple[str, ...]:
    """Return the families in the order of the table, such as ``("INIT", "STATE", …)``."""
    return tuple(dict.fromkeys(row.family for row in REQUIREMENTS.values()))
