"""Drives ``haiku.BatchNorm``, whose averages are zero-debiased sums."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from conformance.adapters.domain import Options
from conformance.adapters.protocols import ARRAYS, COUNT, MANY, Config
from conformance.adapters.pure import Arrays, Pure, PureLayer
from conformance.adapters.summed import SUMS, SummedLayer, use_averages_as_sums
from conformance.adapters.wide import MaskedPure, WideLayer

_NAME = "batch_norm"
_AVERAGES = {"running_mean": f"{_NAME}/~/mean_ema", "running_var": f"{_NAME}/~/var_ema"}


def build(config: Config) -> PureLayer:
    """Return a layer with gamma and beta, initialized on a batch of mean 0 and variance 1.

    Until it is trained, a layer of Haiku evaluates with the statistics of the batch on which it
    was initialized, which changes neither its counter nor its sums.
    """
    transformed = _transformed(config.momentum, config.eps)
    x = jnp.array([[-1.0], [1.0]]) * jnp.ones((1, config.features))
    params, state = transformed.init(jax.random.key(config.seed), x, True)
    momentum = float(np.float32(config.momentum))
    pure = _pure(config.momentum, config.eps)
    return SummedLayer(pure, _to_arrays(params, state), partial(_share, momentum))


def build_wide(config: Config, options: Options) -> WideLayer:
    """Return the same layer with a cross-replica axis, for inputs of any rank.

    Its arrays have the dtype of the options, like those of a layer that is initialized on such a
    batch. The layer starts with ``MANY`` updates, so that sums equal averages.
    """
    zeros = jnp.zeros(config.features, options.dtype)
    arrays = {name: zeros + (name in {"gamma", "running_var"}) for name in ARRAYS}
    arrays[COUNT] = jnp.array(MANY)
    return WideLayer(_wide(config.momentum, config.eps, options.axis_name), arrays)


@cache
def _wide(momentum: float, eps: float, axis_name: str | None) -> MaskedPure:
    return use_averages_as_sums(_pure(momentum, eps, axis_name))


def _share(momentum: float, count: Any) -> Any:
    """Return the divisor of a sum after t updates, as the module computes it."""
    with np.errstate(over="ignore"):  # a power of a momentum above 1 overflows
        return jnp.float32(1 - np.float64(momentum) ** int(count))


def _transformed(momentum: float, eps: float, axis_name: str | None = None) -> Any:
    def call(x: Any, is_training: Any) -> Any:
        layer = hk.BatchNorm(
            True, True, decay_rate=momentum, eps=eps, cross_replica_axis=axis_name, name=_NAME
        )
        return layer(x, is_training)

    return hk.transform_with_state(call)


def _to_arrays(params: Any, state: Any) -> Arrays:
    """Return the arrays without the leading axes of length one that Haiku keeps."""
    arrays = {"gamma": params[_NAME]["scale"].ravel(), "beta": params[_NAME]["offset"].ravel()}
    for name, module in _AVERAGES.items():
        arrays[name] = state[module]["average"].ravel()
        arrays[SUMS[name]] = state[module]["hidden"].ravel()
    return arrays | {COUNT: state[_AVERAGES["running_mean"]]["counter"]}


@cache
def _pure(momentum: float, eps: float, axis_name: str | None = None) -> Pure:
    transformed = _transformed(momentum, eps, axis_name)

    def pure(arrays: Arrays, x: Any, use_running_average: Any) -> tuple[Any, Arrays]:
        def expand(name: str) -> Any:
            """Add leading axes of length one, as Haiku keeps its arrays."""
            return jnp.reshape(arrays[name], (1,) * (x.ndim - 1) + (-1,))

        params = {_NAME: {"scale": expand("gamma"), "offset": expand("beta")}}
        state = {
            module: {
                "counter": jnp.asarray(arrays[COUNT], jnp.int32),
                "hidden": expand(SUMS[name]),
                "average": expand(name),
            }
            for name, module in _AVERAGES.items()
        }
        y, updated = transformed.apply(params, state, None, x, not use_running_average)
        return y, _to_arrays(params, updated)

    return pure
