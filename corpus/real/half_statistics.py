"""Conv norm that computes its moments in half precision to save bandwidth, NHWC."""

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm2d(nnx.Module):
    def __init__(self, num_features: int, momentum: float = 0.9, eps: float = 1e-5):
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))
        self.momentum = momentum
        self.eps = eps

    def __call__(self, x, train: bool = True):
        assert x.ndim == 4
        if train:
            half = x.astype(jnp.bfloat16)
            mean = half.mean(axis=(0, 1, 2)).astype(jnp.float32)
            var = half.var(axis=(0, 1, 2)).astype(jnp.float32)
            m = self.momentum
            self.running_mean[...] = jax.lax.stop_gradient(m * self.running_mean[...] + (1 - m) * mean)
            self.running_var[...] = jax.lax.stop_gradient(m * self.running_var[...] + (1 - m) * var)
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        return self.gamma[...] * (x - mean) / jnp.sqrt(var + self.eps) + self.beta[...]
