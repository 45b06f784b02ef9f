"""Observations as a table for a terminal, and as one JSON document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from conformance.adapters.errors import printable
from conformance.diagnosis.behaviours.behaviour import BEHAVIOURS, Observation

Observed = tuple[str, str, Sequence[Observation]]
"""The name of an implementation, what it was recognized as, and the observations."""

VERSION = 1
"""The version of the document."""


def table(name: str, kind: str, observations: Sequence[Observation]) -> Table:
    """Return one implementation's table: a row per behaviour."""
    made = Table(title=_shown(f"{name}: {kind}"), title_justify="left", show_lines=True)
    made.add_column("behaviour", no_wrap=True)
    made.add_column("what it does", overflow="fold")
    for each in observations:
        made.add_row(each.behaviour, _shown(str(each)))
    return made


def _shown(text: str) -> str:
    """Return text of an implementation literally, without markup and control characters."""
    return escape(printable(text))


def document(observed: Sequence[Observed]) -> dict[str, Any]:
    """Return all observations as JSON values."""
    return {
        "version": VERSION,
        "behaviours": {name: each.question for name, each in BEHAVIOURS.items()},
        "implementations": [
            {"name": name, "kind": kind, "observations": [each.to_json() for each in found]}
            for name, kind, found in observed
        ],
    }
