"""Batch normalisation with a single numerically stable pass (Welford)."""
import jax
import jax.numpy as jnp
from flax import nnx


def welford(x):
    """Mean and variance of every column of x, one row at a time."""

    def step(carry, row):
        count, mean, m2 = carry
        count = count + 1.0
        delta = row - mean
        mean = mean + delta / count
        m2 = m2 + delta * (row - mean)
        return (count, mean, m2), None

    zeros = jnp.zeros_like(x[0])
    start = (jnp.zeros((), x.dtype), zeros, zeros)
    (count, mean, m2), _ = jax.lax.scan(step, start, x)
    return mean, m2 / (count - 1.0)


class WelfordBatchNorm(nnx.Module):
    """BatchNorm over the rows of an (N, D) array."""

    def __init__(self, features, momentum=0.9, epsilon=1e-5, rngs=None):
        self.features = features
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones(features))
        self.bias = nnx.Param(jnp.zeros(features))
        self.mean = nnx.BatchStat(jnp.zeros(features))
        self.var = nnx.BatchStat(jnp.ones(features))

    def _ema(self, stat, value):
        stat[...] = self.momentum * stat[...] + (1.0 - self.momentum) * value

    def __call__(self, x, train=True):
        if train:
            mean, var = welford(x)
            self._ema(self.mean, mean)
            self._ema(self.var, var)
        else:
            mean = self.mean[...]
            var = self.var[...]
        z = (x - mean) / jnp.sqrt(var + self.epsilon)
        # learned scale and offset, one of each per feature
        return self.scale[...] * (z + self.bias[...])
