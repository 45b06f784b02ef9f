"""Batch norm for rows with (1, D) arrays; eps guards the division."""

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(self, width: int, alpha: float = 0.9, eps: float = 1e-5):
        self.gamma = nnx.Param(jnp.ones((1, width)))
        self.beta = nnx.Param(jnp.zeros((1, width)))
        self.ema_mean = nnx.BatchStat(jnp.zeros((1, width)))
        self.ema_var = nnx.BatchStat(jnp.ones((1, width)))
        self.alpha = alpha
        self.eps = eps

    def __call__(self, x, train: bool = False):
        if train:
            mean = x.mean(0, keepdims=True)
            var = x.var(0, keepdims=True)
            self.ema_mean[...] = self.alpha * self.ema_mean[...] + (1 - self.alpha) * jax.lax.stop_gradient(mean)
            self.ema_var[...] = self.alpha * self.ema_var[...] + (1 - self.alpha) * jax.lax.stop_gradient(var)
        else:
            mean, var = self.ema_mean[...], self.ema_var[...]
        return self.gamma[...] * (x - mean) / (jnp.sqrt(var) + self.eps) + self.beta[...]
