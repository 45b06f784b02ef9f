"""Pure functions, driven by the names of their arguments and the form of their results."""

# ruff: noqa: ARG001  functions with the arguments that are to be found
from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest
from support.class_judging import BASIC, recognized, violated

from conformance import Implementation
from conformance.adapters.errors import AdapterError
from conformance.adapters.frameworks import recognize_pure_function
from conformance.adapters.protocols import Config
from conformance.requirements import Capability


def _normalize(x, mean, var, eps):
    return (x - mean) / jnp.sqrt(var + eps)


def _statistics(x):
    mean = x.mean(0)
    return mean, jnp.square(x - mean).mean(0)


def _mix(momentum, old, new):
    return momentum * old + (1 - momentum) * new


def flat(x, gamma, beta, mean, var, training, momentum=0.9, eps=1e-5):
    """The usual form."""
    if not training:
        return gamma * _normalize(x, mean, var, eps) + beta, mean, var
    now = _statistics(x)
    new = _mix(momentum, mean, now[0]), _mix(momentum, var, now[1])
    return gamma * _normalize(x, *now, eps) + beta, *new


def no_gamma_gradient(x, gamma, beta, mean, var, training, momentum=0.9, eps=1e-5):
    """Adds γ where it should multiply."""
    y, *new = flat(x, 1, beta, mean, var, training, momentum, eps)
    return y + gamma - 1, *new


def evaluates_alone(inputs, pop_mean, pop_var, scale, offset, *, deterministic, decay, epsilon):
    """Another order, keywords, the other polarity, and y alone in evaluation."""
    y, mean, var = flat(inputs, scale, offset, pop_mean, pop_var, not deterministic, decay, epsilon)
    return y if deterministic else {"out": y, "pop_mean": mean, "pop_var": var}


def trees(params, state, x, train, momentum, eps):
    """Trees in, state out."""
    arguments = params["scale"], params["bias"], state["mean"], state["var"]
    y, mean, var = flat(x, *arguments, train, momentum, eps)
    return y, {**state, "mean": mean, "var": var}


def forgets(params, state, x, train, momentum, eps):
    """Returns the state that it got."""
    return trees(params, state, x, train, momentum, eps)[0], state


def tuples(params, state, x, is_training, momentum, eps):
    """Trees that are pairs; the state comes first."""
    y, *new = flat(x, *params, *state, is_training, momentum, eps)
    return tuple(new), y


class Pair(NamedTuple):
    avg: jnp.ndarray
    variance: jnp.ndarray


def annotated(params, stats: Pair, x, train, momentum, eps):
    """A dict, and a named tuple by its annotation."""
    arguments = params["w"], params["b"], stats.avg, stats.variance
    y, mean, var = flat(x, *arguments, train, momentum, eps)
    return y, stats._replace(avg=mean, variance=var)


class Averages(NamedTuple):
    mu: jnp.ndarray
    sigma2: jnp.ndarray
    steps: jnp.ndarray


def named(g, b, averages, x, train, momentum, eps):
    """A named tuple with a counter."""
    y, mean, var = flat(x, g, b, averages.mu, averages.sigma2, train, momentum, eps)
    return y, Averages(mean, var, averages.steps + train)


def numpy_only(x, gamma, beta, running_mean, running_var, training, momentum, eps):
    """Updates its arguments in place."""
    mean, var = running_mean, running_var
    if training:
        mean, var = x.mean(0), x.var(0)
        running_mean *= np.float32(momentum)
        running_mean += (1 - np.float32(momentum)) * mean
        running_var *= np.float32(momentum)
        running_var += (1 - np.float32(momentum)) * var
    return gamma * (x - mean) / np.sqrt(var + np.float32(eps)) + beta


@pytest.mark.parametrize("found", [flat, evaluates_alone, trees, tuples, annotated])
def test_right_functions_conform(found):
    """They are judged like any layer of JAX."""
    implementation = recognized(found)
    assert Capability.TRANSFORMS_GRAD in implementation.capabilities
    assert violated(implementation, *BASIC) == set()


@pytest.mark.parametrize(
    ("found", "requirement"), [(no_gamma_gradient, "BN-GRAD-2"), (forgets, "BN-EMA-1")]
)
def test_wrong_functions_are_judged(found, requirement):
    """A mistake of the function is a violation."""
    assert violated(recognized(found), requirement) == {requirement}


def scale_only(x, gamma, mean, var, training, momentum, eps):
    """Has no β."""
    return flat(x, gamma, 0, mean, var, training, momentum, eps)


def inference(x, gamma, beta, mean, var, eps):
    """Has no training."""
    return gamma * _normalize(x, mean, var, eps) + beta


def of_the_batch(x, gamma, beta):
    """Has no running statistics, and a fixed ε."""
    return gamma * _normalize(x, *_statistics(x), 1e-3) + beta


_BATCH = {"flag": None, "modes": "training", "running_mean": None, "running_var": None}


@pytest.mark.parametrize(
    ("found", "options"),
    [
        (scale_only, {"beta": None}),
        (inference, {"flag": None, "modes": "evaluation"}),
        (of_the_batch, _BATCH),
    ],
)
def test_functions_may_lack_something_by_design(found, options):
    """What is declared to be missing is not asked for; the rest is judged."""
    implementation = Implementation.function(found, **options)
    assert violated(implementation, "BN-TRAIN-1", "BN-EVAL-1", "BN-GRAD-2") == set()


def test_a_fixed_value_is_measured():
    """A function without an argument for ε is judged at the one that it has."""
    assert dict(Implementation.function(of_the_batch, **_BATCH).design.fixed) == {"eps": 1e-3}

    def outside(x, gamma, beta, mean, var, training, momentum):
        return gamma * (x - mean) / (jnp.sqrt(var) + 1e-3) + beta, mean, var

    with pytest.raises(AdapterError, match=r"no fixed value .*fixed=\{'eps': …\}"):
        Implementation.function(outside)


def test_other_trees_are_made_by_a_function():
    """What cannot be found out is given: how trees are made, and what an entry is called."""

    def initialize(features):
        zeros, ones = jnp.zeros(features), jnp.ones(features)
        return {"averages": Averages(zeros, ones, jnp.zeros((), int))}

    implementation = Implementation.function(named, initialize=initialize)
    assert violated(implementation, *BASIC) == set()
    layer = implementation.build(Config(features=2))
    layer(jnp.ones((3, 2)), use_running_average=False)
    assert layer.pure.places.put(layer.arrays)["averages"].steps == 1


def test_functions_of_numpy_are_judged_without_jax():
    """JAX cannot trace them: gradients and transforms are not judged."""
    implementation = recognized(numpy_only)
    assert not {Capability.GRAD, Capability.TRANSFORMS} & implementation.capabilities
    assert violated(implementation, "BN-INIT-1", "BN-TRAIN-1", "BN-EMA-1", "BN-EVAL-1") == set()


def test_results_may_be_named():
    """Where two numbers per feature could be anything, their order is said."""

    def other(x, gamma, beta, mean, var, training, momentum, eps):
        y, mean, var = flat(x, gamma, beta, mean, var, training, momentum, eps)
        return var, mean, mean, y

    with pytest.raises(AdapterError, match=r"3 unnamed results .*returns="):
        recognized(other)
    order = ("running_var", "running_mean", "copy", "y")
    assert violated(Implementation.function(other, returns=order), *BASIC) == set()


def _no_mode(x, gamma, beta, mean, var):
    return x, mean, var


def _unknown(x, gamma, beta, mean, var, training, groups):
    return x, mean, var


def _raising(x, gamma, beta, mean, var, training, momentum, eps):
    raise ValueError("not today")


def _no_mean(x, gamma, beta, training, momentum, eps):
    return x


def _forward(seed, x, use_running_average):
    return x


@pytest.mark.parametrize(
    ("found", "options", "words"),
    [
        (_no_mode, {}, ["the mode", "flag=None", "Implementation.function(_no_mode, …)"]),
        (_unknown, {}, ["'groups'", "arguments={'groups': …}"]),
        (_raising, {}, ["ValueError: not today", "initialize=…"]),
        (_no_mean, {}, ["running_mean=…", "gamma, beta, training"]),
        (flat, {"returns": ("y",)}, ["returns=('y',)", "3 results"]),
        (flat, {"scale": "gamma"}, ["'scale'", "running_mean"]),
    ],
)
def test_wrong_input_is_explained(found, options, words):
    """The message has the value, the rule and the line to write."""
    with pytest.raises(AdapterError) as caught:
        Implementation.function(found, **options)
    assert [word for word in words if word not in str(caught.value)] == []


def test_other_functions_are_left_alone():
    """A function without running statistics is for others to recognize."""
    assert recognize_pure_function("forward", _forward) is None
    assert recognize_pure_function("no_mean", _no_mean) is None
