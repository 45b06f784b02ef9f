"""A conv layer's batch norm, NCHW, that reuses the code for rows."""

import jax
import jax.numpy as jnp
from flax import nnx


class SpatialBatchNorm(nnx.Module):
    def __init__(self, num_channels: int, momentum: float = 0.9, eps: float = 1e-5):
        self.gamma = nnx.Param(jnp.ones(num_channels))
        self.beta = nnx.Param(jnp.zeros(num_channels))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_channels))
        self.running_var = nnx.BatchStat(jnp.ones(num_channels))
        self.momentum = momentum
        self.eps = eps

    def __call__(self, x, training: bool):
        N, C, H, W = x.shape
        rows = x.reshape(N * H * W, C)
        if training:
            mean, var = rows.mean(0), rows.var(0)
            m = self.momentum
            self.running_mean[...] = m * self.running_mean[...] + (1 - m) * jax.lax.stop_gradient(mean)
            self.running_var[...] = m * self.running_var[...] + (1 - m) * jax.lax.stop_gradient(var)
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        rows = self.gamma[...] * (rows - mean) / jnp.sqrt(var + self.eps) + self.beta[...]
        return rows.reshape(N, C, H, W)
