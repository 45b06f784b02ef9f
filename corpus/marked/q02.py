"""Batch normalization over the leading axis."""
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx


class Moments(NamedTuple):
    mean: jax.Array
    var: jax.Array


def compute_moments(x: jax.Array) -> Moments:
    mean = x.mean(axis=0)
    var = jnp.square(x - mean).mean(axis=0)
    return Moments(mean, var)


def blend(old: Moments, new: Moments, momentum: float) -> Moments:
    return jax.tree.map(
        lambda o, n: momentum * o + (1.0 - momentum) * jax.lax.stop_gradient(n), old, new
    )


class BatchNorm1d(nnx.Module):
    def __init__(self, num_features: int, momentum: float = 0.9, eps: float = 1e-5, *, rngs: nnx.Rngs | None = None):
        self.num_features = num_features
        self.momentum = momentum
        self.eps = eps
        self.scale = nnx.Param(jnp.ones((num_features,), jnp.float32))
        self.bias = nnx.Param(jnp.zeros((num_features,), jnp.float32))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,), jnp.float32))
        self.var = nnx.BatchStat(jnp.ones((num_features,), jnp.float32))

    @property
    def running(self) -> Moments:
        return Moments(self.mean[...], self.var[...])

    def _store(self, moments: Moments) -> None:
        var, mean = moments
        self.mean[...] = mean
        self.var[...] = var

    def __call__(self, x: jax.Array, training: bool) -> jax.Array:
        if training:
            moments = compute_moments(x)
            self._store(blend(self.running, moments, self.momentum))
        else:
            moments = self.running
        inv = jax.lax.rsqrt(moments.var + self.eps)
        return (x - moments.mean) * inv * self.scale[...] + self.bias[...]
