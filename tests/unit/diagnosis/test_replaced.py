"""A training call that replaces Variables is found, and where the source does it."""

from __future__ import annotations

import json
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jsonschema import validate

from conformance import Implementation
from conformance.diagnosis.replaced import find_replaced
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties.support.subject import Subject
from conformance.report.model import SCHEMA
from conformance.requirements import REQUIREMENTS
from impl import reference


class Rebinding(nnx.Module):
    """Assigns the running mean instead of writing into it."""

    def __init__(self, d: int, momentum: float, eps: float, rngs: nnx.Rngs) -> None:
        del rngs
        self.gamma, self.beta = nnx.Param(jnp.ones(d)), nnx.Param(jnp.zeros(d))
        self.running_mean = nnx.BatchStat(jnp.zeros(d))
        self.running_var = nnx.BatchStat(jnp.ones(d))
        self.momentum, self.eps = momentum, eps

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        if use_running_average:
            mean, var = self.running_mean[...], self.running_var[...]
        else:
            mean, var = x.mean(0), x.var(0)
            m = self.momentum
            self.running_mean = m * self.running_mean + (1 - m) * mean
            self.running_var[...] = m * self.running_var[...] + (1 - m) * var
        return self.gamma * (x - mean) / jnp.sqrt(var + self.eps) + self.beta


def test_a_replaced_variable_is_named_with_its_line():
    """The violation of its type is explained; others may be consequences."""
    subject = Subject(Implementation.nnx(Rebinding))
    verdicts = [
        judge_requirement(REQUIREMENTS[row], subject, budget("quick"))
        for row in ("BN-STATE-5", "BN-SCAN-1")
    ]
    found = find_replaced(subject, verdicts)
    assert found is not None
    assert found["sentence"] == (
        "a training call replaces the Variable of running_mean by a bare array"
    )
    assert (found["explains"], found["unchecked"]) == (["BN-STATE-5"], ["BN-SCAN-1"])
    assert found["line"]["text"].startswith("self.running_mean = m * self.running_mean")
    assert found["line"]["file"].endswith("test_replaced.py")
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    diagnosis = schema["properties"]["diagnoses"]["additionalProperties"]["properties"]
    validate(found["line"], diagnosis["line"])


def test_nothing_is_said_of_a_layer_that_keeps_its_variables():
    """Nor of one that violates nothing of the kind."""
    subject = Subject(Implementation.nnx(Rebinding))
    assert find_replaced(subject, []) is None
    verdict = judge_requirement(REQUIREMENTS["BN-SCAN-1"], subject, budget("quick"))
    assert find_replaced(Subject(reference()), [verdict]) is None
