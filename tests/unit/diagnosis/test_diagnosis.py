"""The diagnosis names the mistake, or nothing if it does not know."""

from __future__ import annotations

import json
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.sampling import exhaustive

from conformance.adapters.implementation import Implementation
from conformance.adapters.protocols import Config
from conformance.diagnosis import Diagnosis, diagnose
from conformance.diagnosis.approximate import Approximate, maximum, root
from conformance.diagnosis.backward_model import BackwardModel
from conformance.diagnosis.experiment import gradient_series
from conformance.diagnosis.fault_model import ALTERNATIVES, alternative
from conformance.diagnosis.observe import observe
from conformance.diagnosis.reference_model import ReferenceModel
from conformance.diagnosis.search import evidence_of, matches
from conformance.numerics.conventions import STRICT
from conformance.numerics.oracle import evaluate, train
from conformance.numerics.state import State
from conformance.properties.support.subject import Subject
from impl import flax, flax_default, reference
from impl.faulty import FAULTS
from impl.stepwise import StepwiseBatchNorm
from impl.variants import VARIANTS


@cache
def diagnose_fault(name: str) -> Diagnosis:
    return diagnose(FAULTS[name].implementation)


@pytest.mark.parametrize(
    ("fault", "identity"),
    [
        ("unbiased-normalization", "unbiased-normalization"),
        ("running-var-zeros", "running-var-zeros"),
        ("gamma-missing-under-jit", "gamma-unused@compiled"),
        ("flag-truthy", "flag-truthy"),
        ("functional-mean-stopped", "backward-without-centring"),
        ("running-var-float16", "stored-dtype"),
        ("either-flag-evaluates", "either-flag-evaluates"),
        pytest.param("mode-of-the-module-wins", "mode-of-the-module-wins", marks=exhaustive),
        pytest.param(
            "backward-without-projection", "backward-without-projection", marks=exhaustive
        ),
        pytest.param("gamma-unused", "gamma-unused", marks=exhaustive),
        pytest.param("normalizes-with-updated", "normalizes-with-updated", marks=exhaustive),
        pytest.param("evaluation-updates", "evaluation-updates", marks=exhaustive),
        pytest.param("eps-squared", "eps-squared", marks=exhaustive),
        pytest.param("dithered", "varies", marks=exhaustive),
    ],
)
def test_a_known_mistake_is_named(fault: str, identity: str):
    """The first answer is the mistake, and it rests on several calls."""
    found = diagnose_fault(fault)

    kind = "observed" if identity in {"varies", "stored-dtype"} else "alternative"
    assert (found.kind, found.id) == (kind, identity)
    assert found.figure
    assert found.sentence


@pytest.mark.parametrize(
    ("fault", "shown"),
    [
        ("eps-clamped", "1.001e-05"),
        pytest.param("mean-blended", "0.001", marks=exhaustive),
        pytest.param("z-clipped-in-training", "±6", marks=exhaustive),
    ],
)
def test_the_constant_of_a_mistake_is_recovered(fault: str, shown: str):
    """A constant is read off the numbers and printed."""
    assert shown in diagnose_fault(fault).sentence


def test_a_convention_names_the_framework_and_the_way_out():
    """Momentum as the weight of the new value is PyTorch's."""
    assert "PyTorch" in diagnose_fault("momentum-of-the-new").convention
    assert "1−momentum" in diagnose_fault("momentum-of-the-new").convention


@exhaustive
def test_two_conventions_of_one_framework_at_once():
    """A port from PyTorch swaps momentum and stores the unbiased variance."""

    class Ported(StepwiseBatchNorm):
        def update(self, x, mean, var):
            rows = x.shape[0]
            super().update(x, mean, var * (rows / max(rows - 1, 1)))

        def moved(self, old, new):
            return (1 - self.momentum) * old + self.momentum * jax.lax.stop_gradient(new)

    found = diagnose(Implementation.nnx(Ported))

    assert found.id == "pytorch-running"
    assert "PyTorch" in found.convention


@exhaustive
def test_an_undeclared_one_pass_variance_is_named_with_its_declaration():
    """flax computes the variance in one pass by default."""
    declared = flax_default()
    undeclared = Implementation(
        name="flax", build=declared.build, nnx_module=True, deviations=frozenset()
    )

    found = diagnose(undeclared)

    assert found.id == "one-pass-variance"
    assert "Deviation.ONE_PASS_VARIANCE" in found.convention


@exhaustive
@pytest.mark.parametrize(
    "name",
    ["impl", *(pytest.param(n, marks=exhaustive) for n in ("flax", "flax-default", "welford"))],
)
def test_nothing_is_said_about_a_correct_layer(name: str):
    """A correct layer leaves nothing to explain: its gradients are looked at last."""
    named = {"impl": reference, "flax": flax, "flax-default": flax_default}
    implementation = named[name]() if name in named else VARIANTS[name]

    calls = sum(len(series.calls) for series in gradient_series())
    assert diagnose(implementation) == Diagnosis("none", deviating=0, calls=calls)


def test_a_mistake_that_nobody_described_is_not_named():
    """Two unrelated mistakes at once fit no alternative."""

    class Odd(StepwiseBatchNorm):
        def batch_mean(self, x):
            return jnp.mean(jnp.asarray(x), axis=0) * 0.9 + jnp.max(jnp.asarray(x), axis=0) * 0.1

        def batch_var(self, x, mean):
            return super().batch_var(x, mean) + jnp.abs(mean) * 0.01

    assert diagnose(Implementation.nnx(Odd)).kind == "none"


def test_a_diagnosis_is_json():
    """What is reported survives a round trip."""
    found = diagnose_fault("eps-clamped").to_json()

    assert json.loads(json.dumps(found)) == found
    assert found["constants"] == [1.001e-05]


def test_the_model_without_a_mistake_is_the_oracle():
    """The steps of the reference model agree with the oracle."""
    rng = np.random.default_rng(5)
    config = Config(features=3, momentum=0.3, eps=0.1)
    state = State(*(rng.uniform(0.5, 2, 3).astype(np.float32) for _ in range(4)))
    x = rng.standard_normal((5, 3)).astype(np.float32).astype(np.float64)
    model = ReferenceModel(config)
    model.write(state)

    evaluated = model.call(x, True)
    y = model.call(x, False)

    truth = train(config, state, x)
    np.testing.assert_allclose(evaluated.value, evaluate(config, state, x), rtol=1e-13)
    np.testing.assert_allclose(y.value, truth.y, rtol=1e-12)
    np.testing.assert_allclose(model.running_mean.value, truth.running_mean, rtol=1e-13)
    np.testing.assert_allclose(model.running_var.value, truth.running_var, rtol=1e-13)


def test_propagated_errors_hold_for_perturbed_operands():
    """No perturbation within the bounds of the operands leaves the bound of the result."""
    rng = np.random.default_rng(6)
    a, b = rng.uniform(0.5, 2, 200), rng.uniform(0.5, 2, 200)
    e, f = 0.1 * rng.random(200), 0.1 * rng.random(200)

    def result(p, q):
        return (p * q + root(q)) / (p + 1.0) - maximum(p, q)

    bound = result(Approximate(a, e), Approximate(b, f))
    for _ in range(50):
        moved = result(Approximate(a + e * rng.choice([-1, 1], 200)), Approximate(b + f))
        assert (np.abs(moved.value - bound.value) <= bound.error * (1 + 1e-9) + 1e-12).all()


def test_every_alternative_replaces_known_steps_and_differs_from_the_truth():
    """No alternative is the truth under another name."""
    for name, made in ALTERNATIVES.items():
        replaced = set(made.steps(0.25))
        assert all(callable(getattr(BackwardModel, step)) for step in replaced), name
        assert replaced or made.widens, name
    with pytest.raises(ValueError, match="unknown ones: batch_men"):
        alternative("misspelt", "no step has this name", batch_men=abs)
    assert not matches(evidence_of(observe(Subject(reference())), STRICT), backward=True)
