"""Diagnoses are verified on the violations, and suggestions are tried before they are made."""

from __future__ import annotations

import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from conformance.adapters.implementation import Declaration, Implementation
from conformance.adapters.operations.executor import LocalExecutor
from conformance.adapters.protocols import Config
from conformance.diagnosis.diagnosis import diagnose
from conformance.diagnosis.explanation import examine
from conformance.diagnosis.modelled_layer import ModelledLayer, modelled
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS
from impl.faulty import FAULTS
from impl.stepwise import Array, StepwiseBatchNorm

_CHOSEN = ("BN-EMA-1", "BN-EMA-2", "BN-EPS-1", "BN-TRAIN-1", "BN-AFF-1")


def explained(implementation: Implementation, *chosen: str) -> dict[str, Any]:
    subject = Subject(implementation)
    judged = [
        judge_requirement(REQUIREMENTS[row], subject, budget("quick")) for row in chosen or _CHOSEN
    ]
    bad = [verdict for verdict in judged if verdict.outcome.bad]
    declared = Declaration(
        name=implementation.name,
        kind=implementation.kind,
        capabilities=implementation.capabilities,
        deviations=implementation.deviations,
        nnx_module=implementation.nnx_module,
    )
    return examine(Subject(declared, LocalExecutor(implementation))).explain(bad, time.time() + 60)


def test_a_mistake_explains_what_it_violates_itself():
    """The named mistake violates the same requirements by the same numbers."""
    found = explained(modelled("eps-outside"))
    assert found["id"] == "eps-outside"
    assert found["explains"] == ["BN-EPS-1", "BN-TRAIN-1", "BN-AFF-1"]
    assert found["unchecked"] == []


def test_a_mistake_that_explains_nothing_is_not_named():
    """Nothing is credited for another number, and what explains no violation is not said."""
    implementation = modelled("eps-outside")
    subject = Subject(modelled("momentum-of-the-new"))
    other = judge_requirement(REQUIREMENTS["BN-EMA-1"], subject, budget("quick"))
    declared = Declaration(
        name="x",
        kind="",
        capabilities=implementation.capabilities,
        deviations=frozenset(),
        nnx_module=False,
    )
    examined = examine(Subject(declared, LocalExecutor(implementation)))
    found = examined.explain([other], time.time() + 60)
    assert found["kind"] == "none"
    assert found["known"]
    assert "line" not in found


def test_a_larger_bound_alone_is_no_reason_to_name_one_pass():
    """Small errors elsewhere than where one pass loses digits have another reason."""
    assert FAULTS["one-pass"].diagnosed == (diagnose(FAULTS["one-pass"].implementation).id,)
    assert diagnose(FAULTS["double-mask-count"].implementation).kind == "none"


def test_a_declaration_is_tried_before_it_is_suggested():
    """What it would leave violated is counted; a swapped momentum leaves nothing."""
    found = explained(modelled("momentum-of-the-new"), "BN-EMA-1", "BN-EMA-2")
    assert found["declaring"]["names"] == ["MOMENTUM_OF_NEW_VALUE"]
    assert found["declaring"]["remaining"] == []
    assert found["declaring"]["tried"] == len(found["explains"]) > 0


class _OddEvaluation(ModelledLayer):
    """Returns in evaluation what no known mistake returns, for single rows only."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        y = super().__call__(x, use_running_average)
        odd = use_running_average and np.shape(x)[0] == 1
        return y + np.float32(0.37) * np.cos(np.arange(y.size).reshape(y.shape)) if odd else y


def test_without_a_mistake_what_is_known_is_said():
    """Which quantities are right, which is wrong, in which mode, under which condition."""

    def build(config: Config) -> _OddEvaluation:
        return _OddEvaluation(config, ())

    found = explained(Implementation(name="odd", build=build), "BN-EVAL-1")
    assert found["kind"] == "none"
    wrong, right = found["known"]
    assert "all in training" in right
    assert wrong.startswith("First wrong: y in evaluation, exactly where N = 1 (")


def test_nothing_is_said_of_calls_that_all_raise():
    """An exception is reported as such; no mistake reproduces nothing."""

    class Raising(ModelledLayer):
        def __call__(self, *_: Any) -> Any:
            raise KeyError("weights")

    found = explained(Implementation(name="r", build=lambda c: Raising(c, ())), "BN-EMA-1")
    assert found["kind"] == "observed"
    assert "KeyError" in found["sentence"]


class _Scaled(StepwiseBatchNorm):
    """Evaluation takes ε twice."""

    def evaluate(self, x: Any) -> Array:
        return self.output(x, self.running_mean[...], self.running_var[...] + self.eps)


class _AndStopped(_Scaled):
    """And the batch mean is a constant for the backward pass of training."""

    def batch_mean(self, x: Any) -> Array:
        return jax.lax.stop_gradient(super().batch_mean(x))


def test_wrong_gradients_of_a_mode_that_is_right_are_named_besides():
    """A mistake in evaluation does not hide one in the backward pass of training."""
    found = explained(Implementation.nnx(_AndStopped), "BN-EVAL-1", "BN-GRAD-3")
    assert (found["id"], found["explains"]) == ("eps-twice@evaluation", ["BN-EVAL-1"])
    (besides,) = found["further"]
    assert (besides["id"], besides["explains"]) == ("backward-without-centring", ["BN-GRAD-3"])
    assert "further" not in explained(Implementation.nnx(_Scaled), "BN-EVAL-1", "BN-GRAD-4")


class _OnePassAndStopped(StepwiseBatchNorm):
    """The variance is E[x²] − E[x]², and the batch mean a constant for the backward pass."""

    def batch_mean(self, x: Any) -> Array:
        return jax.lax.stop_gradient(jnp.mean(x, axis=0))

    def batch_var(self, x: Any, mean: Array) -> Array:
        del mean
        return jnp.mean(x * x, axis=0) - jnp.square(jnp.mean(x, axis=0))


def test_a_variance_in_one_pass_does_not_hide_wrong_gradients():
    """What would be right if it were declared is right; each violation has its own cause."""
    found = explained(Implementation.nnx(_OnePassAndStopped), "BN-NUM-1", "BN-GRAD-3")
    assert (found["id"], found["explains"]) == ("one-pass-variance", ["BN-NUM-1"])
    (besides,) = found["further"]
    assert (besides["id"], besides["explains"]) == ("backward-without-centring", ["BN-GRAD-3"])
    assert "stop_gradient" in besides["line"]["text"]


class _OnePassAndShifted(StepwiseBatchNorm):
    """The variance is E[x²] − E[x]², which may be negative, and γ multiplies β, too."""

    def batch_var(self, x: Any, mean: Array) -> Array:
        return jnp.mean(x * x, axis=0) - jnp.square(mean)

    def output(self, x: Any, mean: Array, var: Array) -> Array:
        return self.gamma[...] * ((x - mean) / jnp.sqrt(var + self.eps) + self.beta[...])


def test_a_number_that_is_not_finite_hides_no_mistake():
    """Where y is NaN, there is no number to compare with that of the mistakes."""
    found = explained(Implementation.nnx(_OnePassAndShifted), "BN-TRAIN-1", "BN-TRAIN-4")
    assert "BN-TRAIN-1" in found["explains"]
