"""Frozen for fine-tuning: it normalises with the averages, which it still updates."""

import jax
import jax.numpy as jnp
from flax import nnx


class FrozenBatchNorm(nnx.Module):
    def __init__(self, num_features: int, momentum: float = 0.9, eps: float = 1e-5):
        self.weight = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))
        self.momentum = momentum
        self.eps = eps

    def __call__(self, x, train: bool = False):
        y = (x - self.running_mean[...]) / jnp.sqrt(self.running_var[...] + self.eps)
        if train:
            m = self.momentum
            self.running_mean[...] = m * self.running_mean[...] + (1 - m) * jax.lax.stop_gradient(x.mean(axis=0))
            self.running_var[...] = m * self.running_var[...] + (1 - m) * jax.lax.stop_gradient(x.var(axis=0))
        return y * self.weight[...] + self.bias[...]
