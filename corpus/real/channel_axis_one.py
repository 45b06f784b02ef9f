"""Features on axis 1 of inputs of any rank: (N, C), (N, C, L), (N, C, H, W) and so on."""

import jax
import jax.numpy as jnp
from flax import nnx


class _BatchNorm(nnx.Module):
    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.9):
        self.weight = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))
        self.eps, self.momentum = eps, momentum


class BatchNorm(_BatchNorm):
    def __call__(self, x, training=False):
        others = (0, *range(2, x.ndim))
        if training:
            mean, var = jnp.mean(x, others), jnp.var(x, others)
            k = self.momentum
            self.running_mean[...] = jax.lax.stop_gradient(k * self.running_mean[...] + (1 - k) * mean)
            self.running_var[...] = jax.lax.stop_gradient(k * self.running_var[...] + (1 - k) * var)
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        mean, var, weight, bias = (
            jnp.expand_dims(a, others) for a in (mean, var, self.weight[...], self.bias[...])
        )
        return (x - mean) / jnp.sqrt(var + self.eps) * weight + bias
