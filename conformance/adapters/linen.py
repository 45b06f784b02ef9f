"""Driving ``flax.linen.BatchNorm``."""

from __future__ import annotations

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen

from conformance.adapters.pure import Held, Pure, PureLayer
from conformance.implementation import Config


def build(config: Config) -> PureLayer:
    """Return the layer as it is built without options: with ``use_fast_variance``."""
    module = _module(config.momentum, config.eps)
    x = jnp.zeros((1, config.features))
    variables = module.init(jax.random.key(config.seed), x, use_running_average=True)
    return PureLayer(_pure(config.momentum, config.eps), _held(variables))


def _module(momentum: float, eps: float) -> Any:
    return linen.BatchNorm(momentum=momentum, epsilon=eps)


def _held(variables: Any) -> Held:
    return {
        "gamma": variables["params"]["scale"],
        "beta": variables["params"]["bias"],
        "running_mean": variables["batch_stats"]["mean"],
        "running_var": variables["batch_stats"]["var"],
    }


@cache
def _pure(momentum: float, eps: float) -> Pure:
    module = _module(momentum, eps)

    def pure(held: Held, x: Any, use_running_average: Any) -> tuple[Any, Held]:
        params = {"scale": held["gamma"], "bias": held["beta"]}
        statistics = {"mean": held["running_mean"], "var": held["running_var"]}
        y, updated = module.apply(
            {"params": params, "batch_stats": statistics},
            x,
            use_running_average=use_running_average,
            mutable=["batch_stats"],
        )
        return y, _held({"params": params, "batch_stats": statistics} | updated)

    return pure
