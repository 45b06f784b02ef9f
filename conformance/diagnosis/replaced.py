"""Finds Variables that a call replaces, a mistake in the structure that no number shows."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.adapters.errors import printable
from conformance.adapters.protocols import STATISTICS, Config
from conformance.diagnosis.lines.line import shorten
from conformance.diagnosis.record import Diagnosis
from conformance.properties.support.checks import ViolationFound
from conformance.properties.support.subject import Subject
from conformance.requirements.requirement import family_of
from conformance.requirements.verdict import Verdict

_CONFIG = Config(features=3, momentum=0.75, eps=1e-5)
_X = np.array([[1, 0, 3], [3, -1, 5], [0, 2, 2], [4, 1, -3], [2, 6, 1]], np.float32)
_LONGEST = 200
_FAMILIES = ("STATE", "SCAN", "SER", "VMAP", "REMAT", "JIT")
"""Families that judge the structure of a layer, or rely on it."""


def find_replaced(subject: Subject, verdicts: list[Verdict]) -> dict[str, Any] | None:
    """Return the diagnosis of a layer that loses its Variables in a training call, as JSON values.

    Args:
        subject: The implementation.
        verdicts: The violations; those of an array's type are explained.
    """
    concerned = [v.requirement for v in verdicts if family_of(v.requirement) in _FAMILIES]
    if not subject.implementation.nnx_module or not concerned:
        return None
    try:
        subject.session.begin_case()
        layer = subject.build(_CONFIG)
        before = layer.ask("describe_holders", label="reading the state")
        layer.train(_X)
        after = layer.ask("describe_holders", label="reading the state")
        lost = [
            name
            for name in STATISTICS
            if name in before
            and before[name]["is_variable"]
            and not after.get(name, {"is_variable": True})["is_variable"]
        ]
        if not lost:
            return None
        places = layer.ask("list_assignments", label="reading the source")
    except (ViolationFound, LookupError, TypeError):
        return None
    found = Diagnosis(
        "observed",
        "variable-replaced",
        f"a training call replaces the Variable of {' and '.join(lost)} by a bare array",
        remedy="write into the Variable, self.mean[...] = value, instead of assigning self.mean",
    )
    return found.to_json() | _explained(verdicts, concerned) | _line(subject, places)


def _line(subject: Subject, places: Any) -> dict[str, Any]:
    """Return the first assignment, as far as a diagnosis has lines without numbers."""
    for file, line, column, text in places:
        if type(line) is int and type(column) is int:
            shown = shorten(printable(str(file)), subject.implementation.name)
            place = {"file": shown, "line": line, "column": column}
            return {"line": place | {"text": printable(str(text))[:_LONGEST]}}
    return {}


def _explained(verdicts: list[Verdict], concerned: list[str]) -> dict[str, Any]:
    """Return what is about the type of an array, and what may be a consequence."""
    explains = [
        verdict.requirement
        for verdict in verdicts
        if verdict.violation is not None and verdict.violation.finding.label.startswith("type of")
    ]
    return {"explains": explains, "unchecked": [each for each in concerned if each not in explains]}
