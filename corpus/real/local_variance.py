"""Synchronised over a named axis: the mean is, the variance was forgotten."""

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax


class SyncBatchNorm(nnx.Module):
    def __init__(self, num_features: int, momentum: float = 0.9, eps: float = 1e-5, axis_name: str | None = None):
        self.weight = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))
        self.momentum = momentum
        self.eps = eps
        self.axis_name = axis_name

    def __call__(self, x: jax.Array, training: bool) -> jax.Array:
        if training:
            mean = x.mean(axis=0)
            var = x.var(axis=0)
            if self.axis_name is not None:
                mean = lax.pmean(mean, self.axis_name)
            m = self.momentum
            self.running_mean[...] = lax.stop_gradient(m * self.running_mean[...] + (1 - m) * mean)
            self.running_var[...] = lax.stop_gradient(m * self.running_var[...] + (1 - m) * var)
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        return (x - mean) / jnp.sqrt(var + self.eps) * self.weight[...] + self.bias[...]
