"""Statistics over all replicas of a named axis, by pmean; without a name like any other layer."""

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

    def _average(self, x: jax.Array) -> jax.Array:
        local = x.mean(axis=0)
        return local if self.axis_name is None else lax.pmean(local, self.axis_name)

    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        if train:
            mean = self._average(x)
            var = self._average(jnp.square(x - mean))
            m = self.momentum
            self.running_mean[...] = lax.stop_gradient(m * self.running_mean[...] + (1 - m) * mean)
            self.running_var[...] = lax.stop_gradient(m * self.running_var[...] + (1 - m) * var)
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        return (x - mean) / jnp.sqrt(var + self.eps) * self.weight[...] + self.bias[...]
