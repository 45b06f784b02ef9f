"""The average follows the standard deviation and is called a variance."""

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(self, size: int, momentum: float = 0.9, eps: float = 1e-5):
        self.gamma = nnx.Param(jnp.ones(size))
        self.beta = nnx.Param(jnp.zeros(size))
        self.running_mean = nnx.BatchStat(jnp.zeros(size))
        self.running_var = nnx.BatchStat(jnp.ones(size))
        self.momentum = momentum
        self.eps = eps

    def __call__(self, x, inference: bool = False):
        if inference:
            return self.gamma[...] * (x - self.running_mean[...]) / self.running_var[...] + self.beta[...]
        mean = x.mean(axis=0)
        std = jnp.sqrt(x.var(axis=0) + self.eps)
        m = self.momentum
        self.running_mean[...] = jax.lax.stop_gradient(m * self.running_mean[...] + (1 - m) * mean)
        self.running_var[...] = jax.lax.stop_gradient(m * self.running_var[...] + (1 - m) * std)
        return self.gamma[...] * (x - mean) / std + self.beta[...]
