"""Batch norm whose mode can be set on the layer or for one call.

A value given in the call takes precedence; without one, the layer's setting holds.
Layers start out in inference mode so that freshly loaded checkpoints are safe to serve.
"""
from typing import Optional

import jax
import jax.numpy as jnp
from flax import nnx


class SwitchableBatchNorm(nnx.Module):
    def __init__(
        self,
        num_features: int,
        *,
        use_running_average: bool = True,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        rngs: Optional[nnx.Rngs] = None,
    ):
        self.use_running_average = use_running_average
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def _resolve_mode(self, use_running_average: Optional[bool]) -> bool:
        return use_running_average or self.use_running_average

    def __call__(self, x, use_running_average: Optional[bool] = None):
        if self._resolve_mode(use_running_average):
            return self._normalize(x, self.mean[...], self.var[...])

        mean = jnp.mean(x, axis=0)
        var = jnp.mean(jnp.square(x), axis=0) - jnp.square(mean)
        var = jnp.maximum(var, 0.0)
        self.mean[...] = self.momentum * self.mean[...] + (1 - self.momentum) * mean
        self.var[...] = self.momentum * self.var[...] + (1 - self.momentum) * var
        return self._normalize(x, mean, var)

    def _normalize(self, x, mean, var):
        mul = self.scale[...] * jax.lax.rsqrt(var + self.epsilon)
        return (x - mean) * mul + self.bias[...]
