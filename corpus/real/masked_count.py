"""Padding-aware batch norm for (batch, time, features), mask (batch, time)."""

import jax
import jax.numpy as jnp
from flax import nnx


class MaskedBatchNorm(nnx.Module):
    def __init__(self, num_features: int, momentum: float = 0.9, eps: float = 1e-5):
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))
        self.momentum = momentum
        self.eps = eps

    def __call__(self, x, training: bool, mask=None):
        axes = tuple(range(x.ndim - 1))
        if training:
            if mask is None:
                mean, var = x.mean(axes), x.var(axes)
            else:
                keep = mask[..., None]
                n = jnp.maximum(mask.sum(), 1)
                mean = jnp.sum(jnp.where(keep, x, 0.0), axes) / n
                var = jnp.mean(jnp.where(keep, (x - mean) ** 2, 0.0), axes)
            m = self.momentum
            self.running_mean[...] = m * self.running_mean[...] + (1 - m) * jax.lax.stop_gradient(mean)
            self.running_var[...] = m * self.running_var[...] + (1 - m) * jax.lax.stop_gradient(var)
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        return self.gamma[...] * (x - mean) / jnp.sqrt(var + self.eps) + self.beta[...]
