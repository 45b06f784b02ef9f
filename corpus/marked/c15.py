from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx


class Moments(NamedTuple):
    """First and second raw moments of a batch, per feature."""
    first: jax.Array
    second: jax.Array

    @staticmethod
    def from_batch(x):
        ones = jnp.ones(x.shape[:-1], x.dtype)
        n = ones.size
        s1 = jnp.tensordot(ones, x, axes=x.ndim - 1)
        s2 = jnp.tensordot(ones, x * x, axes=x.ndim - 1)
        return Moments(s1 / n, s2 / n)

    @property
    def variance(self):
        return jnp.maximum(self.second - self.first ** 2, 0)


class RunningStat(nnx.Module):
    def __init__(self, init, decay):
        self.decay = decay
        self.value_ = nnx.BatchStat(init)

    def push(self, new):
        self.value_[...] = self.decay * self.value_[...] + (1 - self.decay) * new

    def read(self):
        return self.value_[...]


class MomentNorm(nnx.Module):
    def __init__(self, n_features: int, decay: float = 0.9, eps: float = 1e-5, rngs=None):
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones(n_features))
        self.beta = nnx.Param(jnp.zeros(n_features))
        self.running_mean = RunningStat(jnp.zeros(n_features), decay)
        self.running_var = RunningStat(jnp.ones(n_features), decay)

    def __call__(self, x, train: bool):
        if train:
            return self._train_step(x)
        return self._apply(x, self.running_mean.read(), self.running_var.read())

    def _train_step(self, x):
        moments = Moments.from_batch(x)
        for tracker, new in zip((self.running_mean, self.running_var), moments):
            tracker.push(new)
        return self._apply(x, moments.first, moments.variance)

    def _apply(self, x, mean, variance):
        z = (x - mean) / jnp.sqrt(variance + self.eps)
        return z * self.gamma[...] + self.beta[...]
