"""Batch norm from a course; the root is taken of the square."""

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(self, num_channels: int, momentum: float = 0.9, epsilon: float = 1e-5):
        self.gamma = nnx.Param(jnp.ones((num_channels,)))
        self.beta = nnx.Param(jnp.zeros((num_channels,)))
        self.moving_mean = nnx.BatchStat(jnp.zeros((num_channels,)))
        self.moving_var = nnx.BatchStat(jnp.ones((num_channels,)))
        self.momentum = momentum
        self.epsilon = epsilon

    def __call__(self, x, training: bool = True):
        if training:
            u = jnp.mean(x, axis=tuple(range(x.ndim - 1)))
            var = jnp.var(x, axis=tuple(range(x.ndim - 1)))
            self.moving_mean[...] = self.momentum * self.moving_mean[...] + (1 - self.momentum) * jax.lax.stop_gradient(u)
            self.moving_var[...] = self.momentum * self.moving_var[...] + (1 - self.momentum) * jax.lax.stop_gradient(var)
        else:
            u, var = self.moving_mean[...], self.moving_var[...]
        x_norm = (x - u) / jnp.sqrt(jnp.square(var) + self.epsilon)
        return self.gamma[...] * x_norm + self.beta[...]
