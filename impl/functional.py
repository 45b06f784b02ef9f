"""A correct layer as a pure function of its arrays, divided into small steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from conformance.adapters.protocols import Config
from conformance.adapters.pure import Arrays, PureLayer
from impl.stepwise import Array


@dataclass(frozen=True)
class FunctionalBatchNorm:
    """Batch Normalization as ``f(arrays, x, use_running_average) -> (y, arrays)``."""

    momentum: float
    eps: float

    @classmethod
    def layer(cls, config: Config) -> PureLayer:
        """Return a fresh layer of this function."""
        zeros, ones = jnp.zeros(config.features), jnp.ones(config.features)
        arrays = {"gamma": ones, "beta": zeros, "running_mean": zeros, "running_var": ones}
        return PureLayer(cls(config.momentum, config.eps), arrays)

    def __call__(self, arrays: Arrays, x: Any, use_running_average: Any) -> tuple[Any, Arrays]:
        if use_running_average:
            return self.output(arrays, x, arrays["running_mean"], arrays["running_var"]), arrays
        mean = self.batch_mean(x)
        var = jnp.mean(jnp.square(x - mean), axis=0)
        return self.output(arrays, x, mean, var), self.updated(arrays, mean, var)

    def batch_mean(self, x: Any) -> Array:
        return jnp.mean(x, axis=0)

    def updated(self, arrays: Arrays, mean: Array, var: Array) -> Arrays:
        """Return the arrays after one update of the running statistics.

        Args:
            arrays: The arrays before, (D,).
            mean: The mean of the batch, (D,).
            var: The biased variance of the batch, (D,).
        """
        moved = {
            "running_mean": self.moved(arrays["running_mean"], mean),
            "running_var": self.moved(arrays["running_var"], var),
        }
        return {**arrays, **moved}

    def moved(self, old: Array, new: Array) -> Array:
        return self.momentum * old + (1 - self.momentum) * jax.lax.stop_gradient(new)

    def output(self, arrays: Arrays, x: Any, mean: Array, var: Array) -> Any:
        return arrays["gamma"] * (x - mean) / jnp.sqrt(var + self.eps) + arrays["beta"]
