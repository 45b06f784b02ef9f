"""Single-pass BatchNorm: Welford's recurrence carried through lax.scan."""
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx


class Welford(NamedTuple):
    count: jax.Array
    mean: jax.Array
    m2: jax.Array


def welford_step(acc: Welford, row):
    count = acc.count + 1.0
    delta = row - acc.mean
    mean = acc.mean + delta / count
    m2 = acc.m2 + delta * delta
    return Welford(count, mean, m2), None


def welford(x):
    zeros = jnp.zeros(x.shape[1:], x.dtype)
    start = Welford(jnp.zeros((), x.dtype), zeros, zeros)
    acc, _ = jax.lax.scan(welford_step, start, x)
    return acc.mean, acc.m2 / acc.count


class StreamingBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, epsilon=1e-5, *, rngs=None):
        self.momentum, self.epsilon = momentum, epsilon
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            mean, var = self.mean[...], self.var[...]
        else:
            mean, var = welford(x)
            for stat, new in ((self.mean, mean), (self.var, var)):
                stat[...] = self.momentum * stat[...] + (1 - self.momentum) * new
        inv = jax.lax.rsqrt(var + self.epsilon)
        return (x - mean) * inv * self.scale[...] + self.bias[...]
