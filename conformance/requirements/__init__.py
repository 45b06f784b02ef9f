"""The vocabulary, standard library only: requirement tables by theme, deviations, verdicts.

Listing and explaining requirements costs nothing.
"""

from __future__ import annotations

from importlib import import_module

from conformance.requirements.requirement import TRANSFORMS, Capability, Level, Requirement
from conformance.requirements.selection import UnknownRequirement, select

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

THEMES = (
    "initialization",
    "state",
    "training",
    "running_stats",
    "evaluation",
    "affine",
    "flags",
    "robustness",
    "large",
    "compilation",
    "transforms",
    "gradients",
    "serialization",
    "sequences",
    "dimensions",
    "masks",
    "precision",
    "synchronization",
)
"""The modules of ``requirements`` and of ``properties``, in the order of presentation."""

REQUIREMENTS: dict[str, Requirement] = {
    row.id: row
    for theme in THEMES
    for row in import_module(f"conformance.requirements.{theme}").ROWS
}
"""Every row by id, in the order of presentation. ``select`` leaves out those of MAY."""


def families() -> tuple[str, ...]:
    """Return the families in the order of the table, such as ``("INIT", "STATE", …)``."""
    return tuple(dict.fromkeys(row.family for row in REQUIREMENTS.values()))
