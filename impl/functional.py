"""A correct layer as a pure function of its arrays, cut into small steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from conformance.adapters.protocols import Config
from conformance.adapters.pure import Held, PureLayer
from impl.stepwise import Array


@dataclass(frozen=True)
class FunctionalBatchNorm:
    """Batch Normalization as ``f(held, x, use_running_average) -> (y, held)``."""

    momentum: float
    eps: float

    @classmethod
    def layer(cls, config: Config) -> PureLayer:
        """Return a fresh layer that is this function."""
        zeros, ones = jnp.zeros(config.features), jnp.ones(config.features)
        held = {"gamma": ones, "beta": zeros, "running_mean": zeros, "running_var": ones}
        return PureLayer(cls(config.momentum, config.eps), held)

    def __call__(self, held: Held, x: Any, use_running_average: Any) -> tuple[Any, Held]:
        if use_running_average:
            return self.output(held, x, held["running_mean"], held["running_var"]), held
        mean = self.batch_mean(x)
        var = jnp.mean(jnp.square(x - mean), axis=0)
        return self.output(held, x, mean, var), self.updated(held, mean, var)

    def batch_mean(self, x: Any) -> Array:
        return jnp.mean(x, axis=0)

    def updated(self, held: Held, mean: Array, var: Array) -> Held:
        """Return the arrays with the running statistics moved."""
        moved = {
            "running_mean": self.moved(held["running_mean"], mean),
            "running_var": self.moved(held["running_var"], var),
        }
        return {**held, **moved}

    def moved(self, old: Array, new: Array) -> Array:
        return self.momentum * old + (1 - self.momentum) * jax.lax.stop_gradient(new)

    def output(self, held: Held, x: Any, mean: Array, var: Array) -> Any:
        return held["gamma"] * (x - mean) / jnp.sqrt(var + self.eps) + held["beta"]
