from functools import reduce
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx


class Moments(NamedTuple):
    count: int
    mean: jax.Array
    m2: jax.Array

    @property
    def variance(self):
        return self.m2 / self.count


def summarize(rows):
    mean = jnp.mean(rows, axis=0)
    return Moments(rows.shape[0], mean, jnp.sum(jnp.square(rows - mean), axis=0))


def merge(a, b):
    total = a.count + b.count
    mean = a.mean + (b.mean - a.mean) * (b.count / total)
    delta = b.mean - mean
    m2 = a.m2 + b.m2 + jnp.square(delta) * (a.count * b.count / total)
    return Moments(total, mean, m2)


class ChunkMergedBatchNorm(nnx.Module):
    """Batch normalization whose statistics are merged from row chunks."""

    def __init__(self, num_features, *, momentum=0.9, epsilon=1e-5, chunk=8, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.chunk = chunk
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def _blend(self, old, new):
        return self.momentum * old + (1.0 - self.momentum) * jax.lax.stop_gradient(new)

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            mean, var = self.mean[...], self.var[...]
        else:
            starts = range(0, x.shape[0], self.chunk)
            whole = reduce(merge, (summarize(x[s : s + self.chunk]) for s in starts))
            mean, var = whole.mean, whole.variance
            self.mean[...] = self._blend(self.mean[...], mean)
            self.var[...] = self._blend(self.var[...], var)
        return (x - mean) / jnp.sqrt(var + self.epsilon) * self.scale[...] + self.bias[...]
