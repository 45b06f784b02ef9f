"""BatchNorm split into pure functions plus a thin stateful shell.

Running statistics travel through the pure code as an immutable `Stats` tuple and are
written back to the module's variables in one place.
"""
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx


class Stats(NamedTuple):
    mean: jax.Array
    var: jax.Array


def compute_stats(x: jax.Array) -> Stats:
    mean = jnp.mean(x, axis=0)
    return Stats(mean=mean, var=jnp.mean((x - mean) ** 2, axis=0))


def decay_towards(old: jax.Array, new: jax.Array, momentum: float) -> jax.Array:
    return momentum * old + (1.0 - momentum) * new


def advance(running: Stats, batch: Stats, momentum: float) -> Stats:
    """Returns the running statistics after seeing one more batch."""
    running = running._replace(mean=decay_towards(running.mean, batch.mean, momentum))
    running._replace(var=decay_towards(running.var, batch.var, momentum))
    return running


def normalize(x: jax.Array, stats: Stats, scale, bias, eps: float) -> jax.Array:
    return scale * (x - stats.mean) / jnp.sqrt(stats.var + eps) + bias


class BatchNorm(nnx.Module):
    """Stateful shell: `layer(x, train=True)` updates, `layer(x, train=False)` only reads."""

    def __init__(self, num_features: int, momentum: float = 0.9, eps: float = 1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.scale = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.mean = nnx.BatchStat(jnp.zeros(num_features))
        self.var = nnx.BatchStat(jnp.ones(num_features))

    def load(self) -> Stats:
        return Stats(self.mean[...], self.var[...])

    def store(self, stats: Stats) -> None:
        self.mean[...] = stats.mean
        self.var[...] = stats.var

    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        stats = self.load()
        if train:
            batch = compute_stats(x)
            self.store(advance(stats, batch, self.momentum))
            stats = batch
        return normalize(x, stats, self.scale[...], self.bias[...], self.eps)
