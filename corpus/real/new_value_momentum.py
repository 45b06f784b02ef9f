"""Channels-last norm of a small framework; momentum is the share of the new batch, variance biased."""

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(self, num_features: int, momentum: float = 0.1, eps: float = 1e-5, affine: bool = True):
        self.momentum = momentum
        self.eps = eps
        self.affine = affine
        if affine:
            self.weight = nnx.Param(jnp.ones((num_features,)))
            self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, *, training: bool = True, **_):
        x = jnp.asarray(x)
        axes = tuple(range(x.ndim - 1))
        if training:
            mean, var = jnp.mean(x, axis=axes), jnp.var(x, axis=axes)
            keep = 1 - self.momentum
            self.running_mean[...] = jax.lax.stop_gradient(keep * self.running_mean[...] + self.momentum * mean)
            self.running_var[...] = jax.lax.stop_gradient(keep * self.running_var[...] + self.momentum * var)
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        y = (x - mean) * (1.0 / jnp.sqrt(var + self.eps))
        if self.affine:
            y = y * self.weight[...] + self.bias[...]
        return y
