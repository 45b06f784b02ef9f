"""The statistics of the batch are taken as constants, not only the averages."""

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(self, hidden_dim: int, momentum: float = 0.99, epsilon: float = 1e-5):
        self.scale = nnx.Param(jnp.ones(hidden_dim))
        self.bias = nnx.Param(jnp.zeros(hidden_dim))
        self.mean = nnx.BatchStat(jnp.zeros(hidden_dim))
        self.var = nnx.BatchStat(jnp.ones(hidden_dim))
        self.momentum = momentum
        self.epsilon = epsilon
        self.training = True

    def __call__(self, x):
        if self.training:
            mean = jax.lax.stop_gradient(x.mean(axis=0))
            var = jax.lax.stop_gradient(x.var(axis=0))
            self.mean[...] = self.momentum * self.mean[...] + (1 - self.momentum) * mean
            self.var[...] = self.momentum * self.var[...] + (1 - self.momentum) * var
        else:
            mean, var = self.mean[...], self.var[...]
        return (x - mean) / jnp.sqrt(var + self.epsilon) * self.scale[...] + self.bias[...]
