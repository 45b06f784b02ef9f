"""Gradients of layers that are not NNX modules: of pure functions, and of other frameworks."""

from __future__ import annotations

from importlib import import_module

import jax
import numpy as np
import pytest
from support.numpy_norm import NumpyNorm
from support.peer_layers import implementation_of

from conformance.adapters import peers
from conformance.adapters.implementation import Implementation
from conformance.adapters.pure import PureLayer
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS, Capability
from conformance.requirements.verdict import Outcome


def test_gradients_of_a_pure_layer_are_judged():
    """A layer of flax.linen is not an NNX module; its gradients are judged nevertheless."""
    layer = peers.linen()
    assert Capability.GRAD in layer.capabilities
    assert not {Capability.NNX, Capability.NNX_GRAD} & layer.capabilities
    for number in (1, 4):
        verdict = judge_requirement(
            REQUIREMENTS[f"BN-GRAD-{number}"], Subject(layer), budget(max_examples=20)
        )
        assert verdict.outcome is Outcome.CONFORMS, verdict.violation


def test_a_wrong_gradient_of_a_pure_layer_is_found():
    """A gradient of gamma that is doubled violates BN-GRAD-2."""

    @jax.custom_vjp
    def doubled(value):
        return value

    doubled.defvjp(lambda value: (value, None), lambda _, w: (2 * w,))
    build = import_module("conformance.adapters.linen").build

    def build_wrong(config):
        layer = build(config)
        inner = layer.pure

        def pure(state, x, flag):
            y, after = inner(state | {"gamma": doubled(state["gamma"])}, x, flag)
            return y, after | {"gamma": state["gamma"]}

        return PureLayer(pure, layer.arrays)

    subject = Subject(Implementation(name="wrong", build=build_wrong, pure=True))
    verdict = judge_requirement(REQUIREMENTS["BN-GRAD-2"], subject, budget(max_examples=4))
    assert verdict.outcome is Outcome.VIOLATES
    assert np.isfinite(verdict.violation.finding.ratio)


class _Quadratic:
    """A differentiable call by formulas in NumPy; ``factor`` scales the gradient of gamma."""

    def __init__(self, layer, x, evaluate, factor):
        self.layer, self.x, self.evaluate, self.factor = layer, np.array(x), evaluate, factor

    def gradients(self, w):
        w = np.array(w)
        state = self.layer.read()
        mean, var = state["running_mean"], state["running_var"]
        if not self.evaluate:
            mean, var = self.x.mean(axis=0), self.x.var(axis=0)
        r = 1 / np.sqrt(var + np.float32(self.layer.config.eps))
        z = (self.x - mean) * r
        pulled = 0 if self.evaluate else w.mean(axis=0) + z * (w * z).mean(axis=0)
        return self.factor * (w * z).sum(axis=0), w.sum(axis=0), state["gamma"] * r * (w - pulled)

    def pullback(self):
        then = _Quadratic(_Frozen(self.layer), self.x, self.evaluate, self.factor)
        return then.gradients

    def through_statistics(self, *cotangents):
        return 0 * self.x * len(cotangents)


class _Frozen:
    def __init__(self, layer):
        self.config, self.state = layer.config, layer.read()

    def read(self):
        return self.state


@pytest.mark.parametrize(("factor", "outcome"), [(1, "conforms"), (2, "violates")])
@pytest.mark.parametrize("requirement", ["BN-GRAD-2", "BN-GRAD-9"])
def test_a_framework_may_differentiate_by_itself(factor, outcome, requirement):
    """Without JAX gradients are judged as well, and a doubled one of gamma is found."""

    class Own(NumpyNorm):
        def __init__(self, config):
            super().__init__(config)
            self.config = config

        def call(self, x, *, evaluate):
            return _Quadratic(self, x, evaluate, factor)

    layer = Implementation(name="own", build=Own, own_gradients=True)
    assert Capability.GRAD in layer.capabilities
    verdict = judge_requirement(REQUIREMENTS[requirement], Subject(layer), budget(max_examples=8))
    assert verdict.outcome.value == outcome, verdict.violation


@pytest.mark.parametrize("name", ["torch-1d", "torch-2d"])
@pytest.mark.parametrize("number", [1, 2, 3, 4, 8, 9])
def test_gradients_of_torch_are_judged(name, number):
    """torch.autograd computes the gradients of Batch Normalization, none through statistics."""
    verdict = judge_requirement(
        REQUIREMENTS[f"BN-GRAD-{number}"], Subject(implementation_of(name)), budget(max_examples=10)
    )
    assert verdict.outcome in {Outcome.CONFORMS, Outcome.DEVIATES}, verdict.violation
