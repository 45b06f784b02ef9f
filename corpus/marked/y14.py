"""Batch normalisation with its state handled as one value, Stats."""
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

EPSILON = 1e-3
MOMENTUM = 0.9


class Stats(NamedTuple):
    mean: jax.Array
    var: jax.Array


def measure(x: jax.Array) -> Stats:
    mean = jnp.mean(x, axis=0)
    return Stats(mean, jnp.mean((x - mean) ** 2, axis=0))


def advance(old: Stats, x: jax.Array, batch: Stats, momentum: float) -> Stats:
    """The stored statistics after one more training batch."""
    mean = old.mean + (1.0 - momentum) * (batch.mean - old.mean)
    spread = jnp.mean((x - mean) ** 2, axis=0)
    var = old.var + (1.0 - momentum) * (spread - old.var)
    return Stats(mean, var)


def whiten(x: jax.Array, s: Stats, epsilon: float) -> jax.Array:
    return (x - s.mean) / jnp.sqrt(s.var + epsilon)


class StatsBatchNorm(nnx.Module):
    def __init__(self, features, momentum=MOMENTUM, epsilon=1e-5, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((features,)))
        self.bias = nnx.Param(jnp.zeros((features,)))
        self.mean = nnx.BatchStat(jnp.zeros((features,)))
        self.var = nnx.BatchStat(jnp.ones((features,)))

    def __call__(self, x: jax.Array, use_running_average: bool) -> jax.Array:
        stored = Stats(self.mean[...], self.var[...])
        if use_running_average:
            used = stored
        else:
            used = measure(x)
            nxt = advance(stored, x, used, self.momentum)
            self.mean[...], self.var[...] = nxt.mean, nxt.var
        z = whiten(x, used, EPSILON)
        return self.scale[...] * z + self.bias[...]
