"""Driving ``haiku.BatchNorm``."""

from __future__ import annotations

from functools import cache
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from conformance.adapters.pure import Held, Pure, PureLayer
from conformance.implementation import Config

_MANY = 2**30
"""Statistics that are written are those of a layer that has seen many batches."""

_NAME = "batch_norm"
_AVERAGES = {"running_mean": f"{_NAME}/~/mean_ema", "running_var": f"{_NAME}/~/var_ema"}
_SUMS = {"running_mean": "hidden_mean", "running_var": "hidden_var"}


def build(config: Config) -> PureLayer:
    """Return a layer with scale and offset, initialised on a batch of zeros."""
    transformed = _transformed(config.momentum, config.eps)
    x = jnp.zeros((1, config.features))
    params, state = transformed.init(jax.random.key(config.seed), x, True)
    return _Layer(_pure(config.momentum, config.eps), _held(params, state), {"seen": _MANY})


class _Layer(PureLayer):
    """Writing an average writes the sum from which it is computed, too."""

    def write(self, values: Any) -> None:
        hidden = {_SUMS[name]: value for name, value in values.items() if name in _SUMS}
        PureLayer.write(self, {**values, **hidden})


def _transformed(momentum: float, eps: float) -> Any:
    def call(x: Any, is_training: Any) -> Any:
        return hk.BatchNorm(True, True, decay_rate=momentum, eps=eps, name=_NAME)(x, is_training)

    return hk.transform_with_state(call)


def _held(params: Any, state: Any) -> Held:
    """Take the leading axes of length one away, which Haiku keeps for broadcasting."""
    held = {"gamma": params[_NAME]["scale"][0], "beta": params[_NAME]["offset"][0]}
    for name, module in _AVERAGES.items():
        held[name] = state[module]["average"][0]
        held[_SUMS[name]] = state[module]["hidden"][0]
    return held | {"seen": state[_AVERAGES["running_mean"]]["counter"]}


@cache
def _pure(momentum: float, eps: float) -> Pure:
    transformed = _transformed(momentum, eps)

    def pure(held: Held, x: Any, use_running_average: Any) -> tuple[Any, Held]:
        params = {_NAME: {"scale": held["gamma"][None], "offset": held["beta"][None]}}
        state = {
            module: {
                "counter": jnp.asarray(held["seen"], jnp.int32),
                "hidden": held[_SUMS[name]][None],
                "average": held[name][None],
            }
            for name, module in _AVERAGES.items()
        }
        y, updated = transformed.apply(params, state, None, x, not use_running_average)
        return y, _held(params, updated)

    return pure
