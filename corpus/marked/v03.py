"""Normalisation layers that share their bookkeeping through a base class."""
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx


class Moments(NamedTuple):
    mean: jax.Array
    var: jax.Array

    @classmethod
    def of(cls, x):
        mean = jnp.mean(x, axis=0)
        return cls(mean, jnp.mean(jnp.square(x - mean), axis=0))


class TracksMoments(nnx.Module):
    """Holds moving moments; subclasses decide what to do with them."""

    def __init__(self, dim, decay):
        self.decay = decay
        self.running_mean = nnx.BatchStat(jnp.zeros((dim,), jnp.float32))
        self.running_var = nnx.BatchStat(jnp.ones((dim,), jnp.float32))

    def stored(self):
        return Moments(self.running_mean[...], self.running_var[...])

    def absorb(self, m: Moments):
        d = self.decay
        self.running_mean[...] = d * self.running_mean[...] + (1 - d) * m.mean
        self.running_var[...] = d * self.running_var[...] + (1 - d) * jnp.sqrt(m.var)


class MomentNorm(TracksMoments):
    """Batch normalisation over the leading axis of (N, D) inputs."""

    def __init__(self, dim, momentum=0.95, epsilon=1e-3, rngs=None):
        super().__init__(dim, momentum)
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((dim,), jnp.float32))
        self.bias = nnx.Param(jnp.zeros((dim,), jnp.float32))

    def _denominator(self, m: Moments):
        # epsilon keeps constant columns from dividing by zero
        return jnp.sqrt(m.var) + self.epsilon

    def __call__(self, x, is_training):
        if is_training:
            m = Moments.of(x)
            self.absorb(m)
        else:
            m = self.stored()
        return self.scale[...] * (x - m.mean) / self._denominator(m) + self.bias[...]
