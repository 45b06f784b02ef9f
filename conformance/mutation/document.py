"""The result of judging edits as a JSON document."""

from __future__ import annotations

from typing import Any

from conformance.mutation.reach import missed
from conformance.mutation.results import EditOutcome, MutationResult
from conformance.report.model import read_environment

VERSION = 1
"""Of the document; it changes when a key changes its meaning."""


def document(result: MutationResult) -> dict[str, Any]:
    """Return the result as JSON values."""
    original = result.original
    return {
        "version": VERSION,
        "implementation": result.name,
        "file": original.file,
        "definitions": list(original.definitions),
        "environment": read_environment(),
        "complete": len(result.found) == result.planned,
        "seed": result.seed if result.planned < result.made else None,
        "counts": {
            "made": result.made,
            "planned": result.planned,
            **{each.value.replace(" ", "_"): result.count(each) for each in EditOutcome},
        },
        "set_aside": result.set_aside,
        "unreached": [
            {"line": place.line, "branch": place.branch or None}
            for place in missed(original.places, original.executed)
        ],
        "edits": [each.to_json() for outcome in EditOutcome for each in result.of(outcome)],
    }
