"""Batch norm with Welford's streaming algorithm.

Blog post companion code: "Numerically stable statistics with lax.scan".
"""
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx


class WelfordState(NamedTuple):
    count: jax.Array
    mean: jax.Array
    m2: jax.Array


def welford_step(state: WelfordState, row):
    count = state.count + 1.0
    delta = row - state.mean
    mean = state.mean + delta / count
    m2 = state.m2 + delta * (row - mean)
    return WelfordState(count, mean, m2), None


def welford(x):
    zeros = jnp.zeros_like(x[0])
    init = WelfordState(jnp.zeros((), x.dtype), zeros, zeros)
    final, _ = jax.lax.scan(welford_step, init, x)
    return final.mean, final.m2 / (final.count - 1.0)


class WelfordBatchNorm(nnx.Module):
    def __init__(self, num_features: int, *, momentum: float = 0.9,
                 eps: float = 1e-5, rngs: nnx.Rngs | None = None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x: jax.Array, use_running_average: bool = False):
        if not use_running_average:
            mean, var = welford(x)
            m = self.momentum
            self.running_mean[...] = m * self.running_mean[...] + (1.0 - m) * mean
            self.running_var[...] = m * self.running_var[...] + (1.0 - m) * var
        else:
            mean = self.running_mean[...]
            var = self.running_var[...]
        return self.gamma[...] * (x - mean) / jnp.sqrt(var + self.eps) + self.beta[...]
