"""Driving ``haiku.BatchNorm``, whose averages are zero-debiased sums."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from conformance.adapters.pure import SUMS, Held, Pure, PureLayer, SummedLayer
from conformance.implementation import Config
from conformance.layers import COUNT

_NAME = "batch_norm"
_AVERAGES = {"running_mean": f"{_NAME}/~/mean_ema", "running_var": f"{_NAME}/~/var_ema"}


def build(config: Config) -> PureLayer:
    """Return a layer with scale and offset, initialised on a batch of mean 0 and variance 1.

    What a layer that was not trained yet evaluates with are the statistics of the batch that
    Haiku asks its user for; no counter is moved by that, and no sum.
    """
    transformed = _transformed(config.momentum, config.eps)
    x = jnp.array([[-1.0], [1.0]]) * jnp.ones((1, config.features))
    params, state = transformed.init(jax.random.key(config.seed), x, True)
    momentum = float(np.float32(config.momentum))
    pure = _pure(config.momentum, config.eps)
    return SummedLayer(pure, _held(params, state), partial(_share, momentum))


def _share(momentum: float, count: Any) -> Any:
    """Return what a sum is divided by, as the module computes it."""
    with np.errstate(over="ignore"):  # momentum above 1 is infinite in the end
        return jnp.float32(1 - np.float64(momentum) ** int(count))


def _transformed(momentum: float, eps: float) -> Any:
    def call(x: Any, is_training: Any) -> Any:
        return hk.BatchNorm(True, True, decay_rate=momentum, eps=eps, name=_NAME)(x, is_training)

    return hk.transform_with_state(call)


def _held(params: Any, state: Any) -> Held:
    """Take the leading axes of length one away, which Haiku keeps for broadcasting."""
    held = {"gamma": params[_NAME]["scale"][0], "beta": params[_NAME]["offset"][0]}
    for name, module in _AVERAGES.items():
        held[name] = state[module]["average"][0]
        held[SUMS[name]] = state[module]["hidden"][0]
    return held | {COUNT: state[_AVERAGES["running_mean"]]["counter"]}


@cache
def _pure(momentum: float, eps: float) -> Pure:
    transformed = _transformed(momentum, eps)

    def pure(held: Held, x: Any, use_running_average: Any) -> tuple[Any, Held]:
        params = {_NAME: {"scale": held["gamma"][None], "offset": held["beta"][None]}}
        state = {
            module: {
                "counter": jnp.asarray(held[COUNT], jnp.int32),
                "hidden": held[SUMS[name]][None],
                "average": held[name][None],
            }
            for name, module in _AVERAGES.items()
        }
        y, updated = transformed.apply(params, state, None, x, not use_running_average)
        return y, _held(params, updated)

    return pure
