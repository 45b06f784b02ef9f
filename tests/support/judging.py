"""Judging a tiny layer, or a claim of our own, by one requirement."""

from __future__ import annotations

from typing import Any

from conformance.engine.budget import Budget, budget
from conformance.engine.judge import PropertyRun, judge, judge_requirement
from conformance.properties import Property
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS
from conformance.requirements.verdict import Verdict
from conformance.strategies.palette_cases import cases
from support.numpy_norm import subject


def judge_by_id(subject: Subject, identity: str, **rest: Any) -> Verdict:
    return judge_requirement(REQUIREMENTS[identity], subject, budget(**rest))


def judge_claim(claim: Any, *, share: float = 1.0, chosen: Budget | None = None) -> Verdict:
    """Return the verdict of a claim of our own, in the place of BN-EMA-1."""
    prop = Property(REQUIREMENTS["BN-EMA-1"], claim, {"case": cases}, share, ())
    return judge(PropertyRun(prop, subject(), chosen or budget()))
