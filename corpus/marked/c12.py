"""Batch norm as one multiply-add: y = a * x + b with a, b per channel."""
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx


class Affine(NamedTuple):
    a: jax.Array
    b: jax.Array

    def __call__(self, x):
        return self.a * x + self.b


class Stats(NamedTuple):
    mean: jax.Array
    var: jax.Array


def batch_stats(x) -> Stats:
    axes = tuple(range(x.ndim - 1))
    return Stats(x.mean(axes), x.var(axes))


def ema(old: Stats, new: Stats, m: float) -> Stats:
    return jax.tree.map(lambda o, n: m * o + (1.0 - m) * n, old, new)


def fold(stats: Stats, gamma, beta, eps) -> Affine:
    inv_std = jax.lax.rsqrt(stats.var + eps)
    return Affine(a=gamma * inv_std, b=beta - stats.mean * inv_std)


class FoldedBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, epsilon=1e-5, *, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.use_running_average = False
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.mean = nnx.BatchStat(jnp.zeros(num_features))
        self.var = nnx.BatchStat(jnp.ones(num_features))

    @property
    def running(self) -> Stats:
        return Stats(self.mean[...], self.var[...])

    def __call__(self, x):
        if self.use_running_average:
            stats = self.running
        else:
            stats = batch_stats(x)
            self.mean[...], self.var[...] = ema(self.running, stats, self.momentum)
        return fold(stats, self.gamma[...], self.beta[...], self.epsilon)(x)
