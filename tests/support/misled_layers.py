"""Faulty layers whose mistake could let something else than the argument look like the mode."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx


class _Base(nnx.Module):
    def __init__(self, num_features: int, momentum: float = 0.9, eps: float = 1e-5):
        self.momentum, self.eps = momentum, eps
        self.gamma, self.beta = (
            nnx.Param(jnp.ones(num_features)),
            nnx.Param(jnp.zeros(num_features)),
        )
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def update(self, mean, var):
        batch = jax.lax.stop_gradient((mean, var))
        for held, new in zip((self.running_mean, self.running_var), batch, strict=True):
            held[...] = self.momentum * held[...] + (1 - self.momentum) * new

    def affine(self, z):
        return z * self.gamma[...] + self.beta[...]


class Tracking(_Base):
    """Evaluation moves the statistics, unless an attribute keeps all calls from moving them."""

    def __init__(self, num_features: int, momentum: float = 0.9, eps: float = 1e-5):
        super().__init__(num_features, momentum, eps)
        self.tracks = True

    def __call__(self, x, training=True):
        mean, var = x.mean(0), x.var(0)
        if training or not self.tracks:
            used = mean, var
        else:
            used = self.running_mean[...], self.running_var[...]
        if self.tracks:
            self.update(mean, var)
        return self.affine((x - used[0]) / jnp.sqrt(used[1] + self.eps))


class Remembering(_Base):
    """The first evaluation remembers what later ones use, and an attribute says that it has."""

    def __init__(self, num_features: int, momentum: float = 0.9, eps: float = 1e-5):
        super().__init__(num_features, momentum, eps)
        self.factor, self.ready = nnx.Cache(jnp.ones(num_features)), False

    def __call__(self, x, training=False):
        if training:
            mean, var = x.mean(0), x.var(0)
            self.update(mean, var)
            return self.affine((x - mean) / jnp.sqrt(var + self.eps))
        if not self.ready:
            self.factor[...] = jax.lax.rsqrt(self.running_var[...] + self.eps)
            self.ready = True
        return self.affine((x - self.running_mean[...]) * self.factor[...])
