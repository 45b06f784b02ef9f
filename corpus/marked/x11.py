"""Batch norm that takes its statistics chunk by chunk and merges them."""
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx


class Partial(NamedTuple):
    count: int
    mean: jax.Array
    m2: jax.Array  # sum of squared deviations from `mean`


def summarize(chunk: jax.Array) -> Partial:
    mean = chunk.mean(axis=0)
    return Partial(chunk.shape[0], mean, jnp.square(chunk - mean).sum(axis=0))


def merge(a: Partial, b: Partial) -> Partial:
    count = a.count + b.count
    delta = b.mean - a.mean
    mean = a.mean + delta / 2
    m2 = a.m2 + b.m2 + jnp.square(delta) * (a.count * b.count / count)
    return Partial(count, mean, m2)


def chunked_moments(x: jax.Array, chunk_size: int):
    starts = range(0, x.shape[0], chunk_size)
    parts = [summarize(x[s : s + chunk_size]) for s in starts]
    total = functools.reduce(merge, parts)
    return total.mean, total.m2 / total.count


class ChunkedBatchNorm(nnx.Module):
    """Keeps `momentum` of the running statistics per training call."""

    def __init__(self, num_features, momentum=0.9, eps=1e-5, chunk_size=4, *, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.chunk_size = chunk_size
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, training: bool):
        if training:
            mean, var = chunked_moments(x, self.chunk_size)
            for stat, batch in ((self.running_mean, mean), (self.running_var, var)):
                batch = jax.lax.stop_gradient(batch)
                stat[...] = self.momentum * stat[...] + (1.0 - self.momentum) * batch
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        return (x - mean) / jnp.sqrt(var + self.eps) * self.scale[...] + self.bias[...]
