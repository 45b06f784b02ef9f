"""The rows as the modules of the themes have them: the draft of the next edition."""

from __future__ import annotations

from importlib import import_module

from conformance.requirements.requirement import Requirement

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

ROWS_AS_WRITTEN: dict[str, Requirement] = {
    row.id: row
    for theme in THEMES
    for row in import_module(f"conformance.requirements.{theme}").ROWS
}
"""Every row of every edition by id, in the order of presentation, with the text of the draft."""
