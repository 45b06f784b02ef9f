"""Judges one requirement on a layer that is found by what it is."""

from __future__ import annotations

from typing import Any

from conformance.adapters.frameworks import recognize_class, recognize_pure_function
from conformance.adapters.implementation import Implementation
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS
from conformance.requirements.verdict import Outcome

BASIC = ("BN-INIT-1", "BN-TRAIN-1", "BN-EMA-1", "BN-EVAL-1", "BN-GRAD-1", "BN-JIT-3")
"""Requirements on a layer, its gradients and transforms."""


def violated(implementation: Implementation, *requirements: str) -> set[str]:
    """Return the requirements that an implementation violates; each of them applies."""
    subject, few = Subject(implementation), budget(max_examples=25, minimize=False)
    verdicts = {name: judge_requirement(REQUIREMENTS[name], subject, few) for name in requirements}
    outcomes = {name: verdict.outcome for name, verdict in verdicts.items()}
    assert set(outcomes.values()) <= {Outcome.CONFORMS, Outcome.DEVIATES, Outcome.VIOLATES}
    return {name for name, outcome in outcomes.items() if outcome is Outcome.VIOLATES}


def recognized(found: Any) -> Implementation:
    """Return a class or a function as the implementation that it is recognized as."""
    recognize = recognize_class if isinstance(found, type) else recognize_pure_function
    implementation = recognize(found.__name__, found)
    assert implementation is not None
    return implementation
