"""Faults where shards of a batch have unequal numbers of rows that count."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from impl.faulty.synchronised import Local, shared
from impl.stepwise import Array


@shared("sync-equal-weights", "BN-SYNC-2", source="google/flax: pmean of masked means")
class EqualWeights(Local):
    """The means of the shards are averaged with equal weights."""

    def average(self, values: Array, kept: Array) -> Array:
        return self.averaged(self.alone(values, kept))


@shared("sync-equal-weights-in-variance", "BN-SYNC-2")
class EqualWeightsInVariance(Local):
    """The squares of the shards are averaged with equal weights, the means by row counts."""

    def statistics(self, rows: Array, kept: Array) -> tuple[Array, Array]:
        mean = self.average(rows, kept)
        return mean, self.averaged(self.alone(jnp.square(rows - mean), kept))


@shared("sync-divides-by-all", "BN-SYNC-2")
class DividesByAll(Local):
    """Over an axis, sums of the rows that count are divided by the number of all rows."""

    def average(self, values: Array, kept: Array) -> Array:
        everything = kept if self.axis_name is None else jnp.ones_like(kept)
        return self.total(jnp.where(kept, values, 0).sum(axis=0)) / self.rows_counted(everything)


@shared("sync-largest-count", "BN-SYNC-2")
class LargestCount(Local):
    """Every shard is taken to have as many rows as the one with the most."""

    def rows_counted(self, kept: Array) -> Array:
        if self.axis_name is None:
            return super().rows_counted(kept)
        return jax.lax.pmax(kept.sum(), self.axis_name) * jax.lax.psum(1, self.axis_name)


@shared("sync-mask-of-first", "BN-SYNC-2")
class MaskOfFirst(Local):
    """All shards use the mask of the first."""

    def counting(self, mask: Any, rows: Array) -> Array:
        kept = super().counting(mask, rows)
        mask = None if self.axis_name is None else mask
        return kept if mask is None else jax.lax.all_gather(kept, self.axis_name)[0]


@shared("sync-empty-shard-nan", "BN-SYNC-3", source="facebookresearch/detectron2#366")
class EmptyShardNaN(Local):
    """An empty shard contributes 0/0 times its weight of 0."""

    def average(self, values: Array, kept: Array) -> Array:
        own = jnp.where(kept, values, 0).sum(axis=0) / kept.sum()
        if self.axis_name is None:
            return own
        return self.total(own * kept.sum()) / self.rows_counted(kept)


@shared("sync-empty-shard-stays", "BN-SYNC-3")
class EmptyShardStays(Local):
    """An empty shard keeps its running statistics, and differs from the others from then on."""

    def train_step(self, rows: Array, kept: Array) -> Array:
        mean, var = self.statistics(rows, kept)
        self.update(mean, var, kept.sum())
        return self.output(rows, mean, var)


@shared("sync-empty-shard-counts-one", "BN-SYNC-3")
class EmptyShardCountsOne(Local):
    """An empty shard counts as one row of zeros."""

    def rows_counted(self, kept: Array) -> Array:
        return self.total(jnp.maximum(kept.sum(), 1))
