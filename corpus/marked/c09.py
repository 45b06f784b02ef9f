"""Mergeable statistics (Chan, Golub & LeVeque) and a batch norm on top of them."""
from __future__ import annotations

import dataclasses
import functools

import jax.numpy as jnp
from flax import nnx


@dataclasses.dataclass(frozen=True)
class Partial:
    n: int
    mean: object
    m2: object

    @classmethod
    def of(cls, rows):
        mean = rows.mean(0)
        return cls(rows.shape[0], mean, ((rows - mean) ** 2).sum(0))

    def __add__(self, other: "Partial") -> "Partial":
        n = self.n + other.n
        delta = other.mean - self.mean
        mean = self.mean + delta * (self.n / n)
        m2 = self.m2 + other.m2 + delta ** 2 * (self.n * other.n / n)
        return Partial(n, mean, m2)

    @property
    def var(self):
        return self.m2 / self.n


class PartialSumBatchNorm(nnx.Module):
    chunk = 4

    def __init__(self, features: int, *, momentum: float = 0.9, epsilon: float = 1e-5,
                 rngs: nnx.Rngs | None = None):
        self.features = features
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones(features))
        self.shift = nnx.Param(jnp.zeros(features))
        self.mean = nnx.BatchStat(jnp.zeros(features))
        self.var = nnx.BatchStat(jnp.ones(features))

    def collect(self, x) -> Partial:
        rows = x.reshape(-1, self.features)
        parts = [Partial.of(rows[i:i + self.chunk]) for i in range(0, rows.shape[0], self.chunk)]
        return functools.reduce(Partial.__add__, parts)

    def __call__(self, x, training: bool = True):
        if training:
            stats = self.collect(x)
            mean, var = stats.mean, stats.var
            self.mean[...] = self.momentum * self.mean[...] + (1 - self.momentum) * mean
            self.var[...] = self.momentum * self.var[...] + (1 - self.momentum) * var
        else:
            mean, var = self.mean[...], self.var[...]
        return (x - mean) / jnp.sqrt(var + self.epsilon) * self.scale[...] + self.shift[...]
