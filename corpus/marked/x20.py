"""Location/scale standardisation of a batch, with running estimates."""
from __future__ import annotations

import dataclasses
from typing import Protocol

import jax
import jax.numpy as jnp
from flax import nnx


class Averager(Protocol):
    def __call__(self, old: jax.Array, new: jax.Array) -> jax.Array: ...


@dataclasses.dataclass(frozen=True)
class Exponential:
    """Keeps `retain` of the old estimate."""

    retain: float

    def __call__(self, old, new):
        return self.retain * old + (1.0 - self.retain) * new


@dataclasses.dataclass(frozen=True)
class LocScale:
    loc: jax.Array
    scale: jax.Array

    @property
    def variance(self):
        return jnp.square(self.scale)

    def average(self, batch: LocScale, averager: Averager) -> LocScale:
        return LocScale(
            averager(self.loc, batch.loc),
            averager(self.scale, batch.scale),
        )


class StandardizingBatchNorm(nnx.Module):
    """BatchNorm; running mean and running variance are exponential averages of the
    batch means and the (population) batch variances."""

    def __init__(self, num_features, momentum=0.9, epsilon=1e-5, *, rngs=None):
        self.averager = Exponential(momentum)
        self.epsilon = epsilon
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def _learn(self, mean, var):
        mean, var = jax.lax.stop_gradient((mean, var))
        before = LocScale(self.running_mean[...], jnp.sqrt(self.running_var[...]))
        after = before.average(LocScale(mean, jnp.sqrt(var)), self.averager)
        self.running_mean[...] = after.loc
        self.running_var[...] = after.variance

    def __call__(self, x, training):
        if training:
            mean = jnp.mean(x, axis=0)
            var = jnp.mean(jnp.square(x - mean), axis=0)
            self._learn(mean, var)
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        x_hat = (x - mean) * jax.lax.rsqrt(var + self.epsilon)
        return x_hat * self.gamma[...] + self.beta[...]
