"""Batch norm assembled from per-tower statistics.

Mimics what happens on a data-parallel host: the batch is cut into towers,
each tower reports its own (count, mean, var), and the reports are combined
into the statistics of the whole batch.
"""
from typing import NamedTuple, Sequence

import jax
import jax.numpy as jnp
from flax import nnx

NUM_TOWERS = 2


class TowerStats(NamedTuple):
    count: int
    mean: jax.Array
    var: jax.Array


def tower_stats(shard: jax.Array) -> TowerStats:
    return TowerStats(shard.shape[0], shard.mean(axis=0), shard.var(axis=0))


def combine(reports: Sequence[TowerStats]) -> TowerStats:
    """Count-weighted combination of the tower reports."""
    total = sum(r.count for r in reports)
    mean = sum(r.count * r.mean for r in reports) / total
    var = sum(r.count * r.var for r in reports) / total
    return TowerStats(total, mean, var)


class TowerBatchNorm(nnx.Module):
    """Synchronised batch norm, written without collectives."""

    def __init__(self, num_features: int, momentum: float = 0.9,
                 epsilon: float = 1e-5, num_towers: int = NUM_TOWERS,
                 rngs: nnx.Rngs | None = None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.num_towers = num_towers
        self.scale = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.mean = nnx.BatchStat(jnp.zeros(num_features))
        self.var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            stats = TowerStats(0, self.mean[...], self.var[...])
        else:
            shards = jnp.array_split(x, min(self.num_towers, x.shape[0]))
            stats = combine([tower_stats(s) for s in shards])
            for stat, new in ((self.mean, stats.mean), (self.var, stats.var)):
                stat[...] = self.momentum * stat[...] + (1 - self.momentum) * new
        y = (x - stats.mean) * jax.lax.rsqrt(stats.var + self.epsilon)
        return y * self.scale[...] + self.bias[...]
