"""Batch norm used in the representation-collapse experiments.

Statistics travel as a ``Moments`` tuple.  What goes into the running averages
is detached, so that ``nnx.grad`` never sees the buffers.
"""
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax


class Moments(NamedTuple):
    mean: jax.Array
    var: jax.Array


def batch_moments(x: jax.Array) -> Moments:
    mean = jnp.mean(x, axis=0)
    return Moments(mean, jnp.mean(jnp.square(x - mean), axis=0))


def detach(m: Moments) -> Moments:
    return Moments(*map(lax.stop_gradient, m))


class BatchNorm(nnx.Module):
    def __init__(self, dim: int, momentum: float = 0.99, eps: float = 1e-5,
                 *, rngs: nnx.Rngs | None = None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones(dim))
        self.beta = nnx.Param(jnp.zeros(dim))
        self.ema_mean = nnx.BatchStat(jnp.zeros(dim))
        self.ema_var = nnx.BatchStat(jnp.ones(dim))

    @property
    def ema(self) -> Moments:
        return Moments(self.ema_mean[...], self.ema_var[...])

    def _track(self, new: Moments) -> None:
        blend = lambda old, val: self.momentum * old + (1 - self.momentum) * val
        merged = jax.tree.map(blend, self.ema, new)
        self.ema_mean[...], self.ema_var[...] = merged

    def __call__(self, x: jax.Array, train: bool = True) -> jax.Array:
        if train:
            stats = batch_moments(x)
            detached = detach(stats)
            self._track(detached)
            centred = x - stats.mean
            inv_std = lax.rsqrt(detached.var + self.eps)
        else:
            centred = x - self.ema.mean
            inv_std = lax.rsqrt(self.ema.var + self.eps)
        return centred * inv_std * self.gamma[...] + self.beta[...]
