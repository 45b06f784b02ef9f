"""Batch norm of a wave model, (batch, channels, length)."""

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm1d(nnx.Module):
    def __init__(self, channels: int, eps: float = 1e-5, momentum: float = 0.9):
        self.eps = eps
        self.momentum = momentum
        self.weight = nnx.Param(jnp.ones((1, channels, 1)))
        self.bias = nnx.Param(jnp.zeros((1, channels, 1)))
        self.running_mean = nnx.BatchStat(jnp.zeros((1, channels, 1)))
        self.running_var = nnx.BatchStat(jnp.ones((1, channels, 1)))

    def __call__(self, x, training: bool = True):
        assert x.ndim == 3
        if training:
            mean = x.mean(axis=0, keepdims=True)
            var = x.var(axis=0, keepdims=True)
            m = self.momentum
            for stat, new in ((self.running_mean, mean), (self.running_var, var)):
                new = jax.lax.stop_gradient(new.mean(axis=-1, keepdims=True))
                stat[...] = m * stat[...] + (1 - m) * new
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        return (x - mean) / jnp.sqrt(var + self.eps) * self.weight[...] + self.bias[...]
