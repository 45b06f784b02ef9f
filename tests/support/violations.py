"""Violations on drawn cases, for reproducer scripts."""

from __future__ import annotations

import numpy as np

from conformance.requirements.finding import Finding
from conformance.requirements.requirement import Level
from conformance.requirements.verdict import Outcome, Verdict
from conformance.strategies.bytestream import SIZE, draw_from_bytes
from conformance.strategies.codec import make_violation
from conformance.strategies.cotangents import GRADIENT, pulled_cases


def verdict_of(finding: Finding, drawn: dict[str, object], identity: str = "BN-TRAIN-1") -> Verdict:
    violation = make_violation(identity, finding, drawn)
    return Verdict(
        requirement=identity,
        implementation="norm.py:Norm",
        kind="seed-shaped nnx.Module",
        outcome=Outcome.VIOLATES,
        level=Level.MUST,
        violation=violation,
    )


def a_case() -> dict[str, object]:
    raw = np.random.default_rng(1).bytes(SIZE)
    return {"case": draw_from_bytes(raw, {"d": pulled_cases(GRADIENT)})["d"].case}
