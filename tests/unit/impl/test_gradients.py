"""Hand-written backward passes against numerical derivatives, independently of the oracle."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from impl.debiased import DebiasedBatchNorm
from impl.faulty import backward as faulty
from impl.handwritten import HandWrittenBackward
from impl.stepwise import StepwiseBatchNorm
from impl.variants.backward import (
    ChainRuleBackward,
    MergedBackward,
    RecomputedResiduals,
    Rematerialized,
)

CORRECT = (
    HandWrittenBackward,
    MergedBackward,
    RecomputedResiduals,
    ChainRuleBackward,
    Rematerialized,
    DebiasedBatchNorm,
)
ROWS, FEATURES = 5, 3
ATOL = 1e-8
"""Per element, in float64; the derivatives of the inputs below are of order 1."""


def output(
    layer_class: type[StepwiseBatchNorm], evaluate: bool, x: jax.Array, *parameters: jax.Array
) -> jax.Array:
    """Return y of a new float64 layer with these parameters, as a pure function of them and x."""
    layer = layer_class(FEATURES, 0.75, 1e-3, nnx.Rngs(0))
    layer.gamma, layer.beta = map(nnx.Param, parameters)
    layer.running_mean, layer.running_var = (
        nnx.Variable(jnp.full((FEATURES,), value)) for value in (0.5, 2.0)
    )
    return layer(x, evaluate)


def check(layer_class: type[StepwiseBatchNorm], evaluate: bool) -> None:
    """Compare the reverse-mode derivatives of y with differences, in float64."""
    with jax.enable_x64(True):
        generator = np.random.default_rng(7)
        shapes = (ROWS, FEATURES), (FEATURES,), (FEATURES,)
        arguments = [jnp.asarray(generator.normal(size=shape)) for shape in shapes]
        function: Callable[..., jax.Array] = partial(output, layer_class, evaluate)
        chex.assert_numerical_grads(function, arguments, order=1, atol=ATOL, modes=("rev",))


@pytest.mark.parametrize("evaluate", [False, True])
@pytest.mark.parametrize("layer_class", CORRECT, ids=lambda each: each.__name__)
def test_derivatives_are_those_of_differences(layer_class: type[StepwiseBatchNorm], evaluate: bool):
    """dx, dγ and dβ of both modes agree with numerical differences."""
    check(layer_class, evaluate)


@pytest.mark.parametrize(
    ("layer_class", "evaluate"),
    [
        (faulty.WithoutProjection, False),
        (faulty.WithoutCentring, False),
        (faulty.GammaAbsolute, False),
        (faulty.TrainingBackwardInEvaluation, True),
    ],
)
def test_a_wrong_backward_pass_is_seen(layer_class: type[StepwiseBatchNorm], evaluate: bool):
    """The comparison can fail: derivatives of the gallery's faults do not pass."""
    with pytest.raises(AssertionError):
        check(layer_class, evaluate)
