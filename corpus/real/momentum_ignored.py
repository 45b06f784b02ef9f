"""Takes a momentum and stores it; the update was copied from elsewhere."""

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm1d(nnx.Module):
    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.9, *, rngs: nnx.Rngs):
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.weight = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, train: bool = True):
        if train:
            mean, var = jnp.mean(x, axis=0), jnp.var(x, axis=0)
            self.running_mean[...] = 0.9 * self.running_mean[...] + 0.1 * jax.lax.stop_gradient(mean)
            self.running_var[...] = 0.9 * self.running_var[...] + 0.1 * jax.lax.stop_gradient(var)
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        return (x - mean) / jnp.sqrt(var + self.eps) * self.weight[...] + self.bias[...]
