"""BatchNorm3d for (N, D, H, W, C) with arrays (1, 1, 1, 1, C)."""

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm3d(nnx.Module):
    def __init__(self, num_features: int, momentum: float = 0.9, eps: float = 1e-5, *, rngs: nnx.Rngs):
        shape = (1, 1, 1, 1, num_features)
        self.gamma, self.beta = nnx.Param(jnp.ones(shape)), nnx.Param(jnp.zeros(shape))
        self.running_mean = nnx.BatchStat(jnp.zeros(shape))
        self.running_var = nnx.BatchStat(jnp.ones(shape))
        self.momentum, self.eps = momentum, eps

    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        if x.ndim != 5:
            raise ValueError("BatchNorm3d expects five axes")
        if train:
            mean = x.mean(axis=(0, 2, 3), keepdims=True)
            var = x.var(axis=(0, 2, 3), keepdims=True)
            m = self.momentum
            self.running_mean[...] = m * self.running_mean[...] + (1 - m) * jax.lax.stop_gradient(mean.mean(1, keepdims=True))
            self.running_var[...] = m * self.running_var[...] + (1 - m) * jax.lax.stop_gradient(var.mean(1, keepdims=True))
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        return self.gamma[...] * (x - mean) / jnp.sqrt(var + self.eps) + self.beta[...]
