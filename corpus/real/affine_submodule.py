"""Standardisation and affine map are two modules; the layer composes them."""

import jax
import jax.numpy as jnp
from flax import nnx


class Affine(nnx.Module):
    def __init__(self, dim):
        self.w = nnx.Param(jnp.ones((1, dim)))
        self.b = nnx.Param(jnp.zeros((1, dim)))

    def __call__(self, x):
        return x * self.w[...] + self.b[...]


class Standardise(nnx.Module):
    def __init__(self, dim, momentum, eps):
        self.momentum, self.eps = momentum, eps
        self.running_mean = nnx.BatchStat(jnp.zeros((1, dim)))
        self.running_var = nnx.BatchStat(jnp.ones((1, dim)))

    def __call__(self, x, use_running_average):
        if use_running_average:
            mean, var = self.running_mean[...], self.running_var[...]
        else:
            mean, var = x.mean(0, keepdims=True), x.var(0, keepdims=True)
            m = self.momentum
            self.running_mean[...] = jax.lax.stop_gradient(m * self.running_mean[...] + (1 - m) * mean)
            self.running_var[...] = jax.lax.stop_gradient(m * self.running_var[...] + (1 - m) * var)
        return (x - mean) / jnp.sqrt(var + self.eps)


class BatchNorm(nnx.Module):
    def __init__(self, dim: int, momentum: float = 0.9, eps: float = 1e-5, *, rngs: nnx.Rngs):
        self.standardise = Standardise(dim, momentum, eps)
        self.affine = Affine(dim)

    def __call__(self, x, use_running_average=False):
        return self.affine(self.standardise(x, use_running_average))
