"""The running statistics are a module of their own, shared as a building block by several norms."""

import jax
import jax.numpy as jnp
from flax import nnx


class RunningStats(nnx.Module):
    def __init__(self, size: int, decay: float):
        self.decay = decay
        self.mean = nnx.BatchStat(jnp.zeros(size))
        self.var = nnx.BatchStat(jnp.ones(size))

    def update(self, mean: jax.Array, var: jax.Array) -> None:
        step = 1.0 - self.decay
        self.mean[...] += step * jax.lax.stop_gradient(mean - self.mean[...])
        self.var[...] += step * jax.lax.stop_gradient(var - self.var[...])


class BatchNorm(nnx.Module):
    def __init__(self, size: int, decay: float = 0.9, eps: float = 1e-5):
        self.gain = nnx.Param(jnp.ones(size))
        self.offset = nnx.Param(jnp.zeros(size))
        self.stats = RunningStats(size, decay)
        self.eps = eps

    def __call__(self, x: jax.Array, training: bool) -> jax.Array:
        if training:
            mean, var = x.mean(0), x.var(0)
            self.stats.update(mean, var)
        else:
            mean, var = self.stats.mean[...], self.stats.var[...]
        return self.gain[...] * (x - mean) / jnp.sqrt(var + self.eps) + self.offset[...]
