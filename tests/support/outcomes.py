"""How an implementation is judged by some requirements."""

from __future__ import annotations

from collections.abc import Iterable

from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS
from conformance.requirements.verdict import Outcome


def outcomes(subject: Subject, rows: Iterable[str]) -> list[Outcome]:
    """Return the outcome of each requirement, without making counterexamples small."""
    return [
        judge_requirement(REQUIREMENTS[row], subject, budget(minimize=False)).outcome
        for row in rows
    ]
