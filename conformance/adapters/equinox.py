"""Driving ``equinox.nn.BatchNorm``: one example per lane of a ``jax.vmap`` with a named axis."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from conformance.adapters.pure import Held, Pure, PureLayer
from conformance.implementation import Config

Mode = Literal["batch", "ema"]

_AXIS = "batch"
_MANY = 2**30
"""Statistics that are written are those of a layer that has seen many batches."""


def build(config: Config, mode: Mode) -> PureLayer:
    """Return a layer in the given mode; what it holds as a counter is written with statistics."""
    module, state = _made(config.features, config.momentum, config.eps, mode)
    pure = _pure(config.features, config.momentum, config.eps, mode)
    index = module.batch_counter if mode == "batch" else module.ema_first_time_index
    written = {"seen": jnp.array(_MANY) if mode == "batch" else jnp.array(False)}
    mean, var = state.get(_statistics(module, mode))
    held = {
        "gamma": module.weight,
        "beta": module.bias,
        "running_mean": mean,
        "running_var": var,
        "seen": state.get(index),
    }
    return PureLayer(pure, held, written)


def _made(features: int, momentum: float, eps: float, mode: Mode) -> tuple[Any, Any]:
    made: tuple[Any, Any] = eqx.nn.make_with_state(eqx.nn.BatchNorm)(
        features, _AXIS, eps=eps, momentum=momentum, mode=mode
    )
    return made


def _statistics(module: Any, mode: Mode) -> Any:
    return module.batch_state_index if mode == "batch" else module.ema_state_index


@cache
def _pure(features: int, momentum: float, eps: float, mode: Mode) -> Pure:
    made, fresh = _made(features, momentum, eps, mode)
    of_seen = made.batch_counter if mode == "batch" else made.ema_first_time_index
    of_statistics = _statistics(made, mode)

    def pure(held: Held, x: Any, use_running_average: Any) -> tuple[Any, Held]:
        module = eqx.tree_at(lambda m: (m.weight, m.bias), made, (held["gamma"], held["beta"]))
        unused = jax.tree.map(lambda leaf: leaf, fresh)  # a state can be set once
        state = unused.set(of_statistics, (held["running_mean"], held["running_var"]))
        state = state.set(of_seen, held["seen"])

        def call(row: Any, state: Any) -> tuple[Any, Any]:
            out: tuple[Any, Any] = module(row, state, inference=use_running_average)
            return out

        y, state = jax.vmap(call, in_axes=(0, None), out_axes=(0, None), axis_name=_AXIS)(x, state)
        mean, var = state.get(of_statistics)
        after = {"running_mean": mean, "running_var": var, "seen": state.get(of_seen)}
        return y, held | after

    compiled = jax.jit(pure, static_argnums=2)  # as the documentation does; a vmap is slow else

    def called(held: Held, x: Any, use_running_average: Any) -> tuple[Any, Held]:
        traced = isinstance(use_running_average, jax.Array | np.ndarray)
        return (pure if traced else compiled)(held, x, use_running_average)

    return called
