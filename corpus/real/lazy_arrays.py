"""The number of features is taken from the first input; no array exists before."""

import jax
import jax.numpy as jnp
from flax import nnx


class LazyBatchNorm(nnx.Module):
    def __init__(self, momentum: float = 0.9, eps: float = 1e-5):
        self.momentum = momentum
        self.eps = eps

    def __call__(self, x, train: bool = True):
        if not hasattr(self, "gamma"):
            d = x.shape[-1]
            self.gamma = nnx.Param(jnp.ones(d))
            self.beta = nnx.Param(jnp.zeros(d))
            self.running_mean = nnx.BatchStat(jnp.zeros(d))
            self.running_var = nnx.BatchStat(jnp.ones(d))
        if train:
            mean, var = x.mean(axis=0), x.var(axis=0)
            m = self.momentum
            self.running_mean[...] = jax.lax.stop_gradient(m * self.running_mean[...] + (1 - m) * mean)
            self.running_var[...] = jax.lax.stop_gradient(m * self.running_var[...] + (1 - m) * var)
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        return self.gamma[...] * (x - mean) / jnp.sqrt(var + self.eps) + self.beta[...]
