from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx


class Stats(NamedTuple):
    mean: jax.Array
    var: jax.Array

    @classmethod
    def of(cls, x):
        return cls(mean=jnp.mean(x, axis=0), var=jnp.var(x, axis=0))


def ema(prev, cur, decay):
    return decay * prev + (1 - decay) * cur


def merge(running: Stats, batch: Stats, decay: float) -> Stats:
    return Stats(
        mean=ema(running.mean, batch.mean, decay),
        var=ema(running.mean, batch.var, decay),
    )


class BatchNormLayer(nnx.Module):
    def __init__(self, features: int, momentum: float = 0.95, epsilon: float = 1e-3, *, rngs: nnx.Rngs):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones(features))
        self.bias = nnx.Param(jnp.zeros(features))
        self.mean = nnx.BatchStat(jnp.zeros(features))
        self.var = nnx.BatchStat(jnp.ones(features))

    @property
    def running(self) -> Stats:
        return Stats(self.mean.value, self.var.value)

    def store(self, stats: Stats):
        self.mean.value = stats.mean
        self.var.value = stats.var

    def apply_stats(self, x, stats: Stats):
        x = (x - stats.mean) / jnp.sqrt(stats.var + self.epsilon)
        return x * self.scale.value + self.bias.value

    def __call__(self, x, *, use_running_average: bool = False):
        if use_running_average:
            return self.apply_stats(x, self.running)
        batch = Stats.of(x)
        self.store(merge(self.running, batch, self.momentum))
        return self.apply_stats(x, batch)
