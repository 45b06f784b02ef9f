"""Batch norm before a layer that has a bias: it only scales."""

import jax
import jax.numpy as jnp
from flax import nnx


class ScaleOnlyBatchNorm(nnx.Module):
    def __init__(self, dim: int, momentum: float = 0.9, eps: float = 1e-5):
        self.gamma = nnx.Param(jnp.ones(dim))
        self.running_mean = nnx.BatchStat(jnp.zeros(dim))
        self.running_var = nnx.BatchStat(jnp.ones(dim))
        self.momentum = momentum
        self.eps = eps

    def __call__(self, x, train):
        if train:
            mean, var = x.mean(0), x.var(0)
            mix = lambda old, new: self.momentum * old + (1 - self.momentum) * jax.lax.stop_gradient(new)
            self.running_mean[...] = mix(self.running_mean[...], mean)
            self.running_var[...] = mix(self.running_var[...], var)
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        return self.gamma[...] * (x - mean) / jnp.sqrt(var + self.eps)
