"""Faults of statistics that are shared over a named axis."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from corpus.wide.correct.base import Wide, WideVjp

sg = lax.stop_gradient


class PmeanOfVariances(Wide):
    """The variances of the shards are averaged without the spread between their means."""

    def statistics(self, rows, kept):
        if not self.synced:
            return super().statistics(rows, kept)
        n, total = kept.sum(), self.rows_counted(kept)
        mean = self.mean_of(rows, kept)
        var = self.mean_of(jnp.square(rows - mean), kept)
        share = n / jnp.maximum(total, 1)
        return self.total(share * mean), self.total(share * var)


class PmeanUneven(Wide):
    """The means of the shards are averaged with equal weight, however many rows count in each."""

    def average(self, values, kept):
        mean = self.mean_of(values, kept)
        return lax.pmean(mean, self.axis_name) if self.synced else mean


class EmptyShardCountsOne(Wide):
    """The count is clipped to 1 before the sum over the shards instead of after."""

    def average(self, values, kept):
        count = self.total(jnp.maximum(kept.sum(), 1)).astype(values.dtype)
        return self.total(jnp.where(kept, values, 0).sum(0)) / count


class OthersAreConstants(Wide):
    """The gradient flows through a shard's own part of the statistics only."""

    def total(self, value):
        return value + sg(lax.psum(value, self.axis_name) - value) if self.synced else value


class SyncedDetached(Wide):
    """Shared statistics are constants in the backward pass."""

    def statistics(self, rows, kept):
        return super().statistics(sg(rows) if self.synced else rows, kept)


class RunningLocal(Wide):
    """The output uses the shared statistics, the running ones each shard's own."""

    def train_step(self, rows, kept):
        mean = self.mean_of(rows, kept)
        self.update(mean, self.mean_of(jnp.square(rows - mean), kept), kept.sum())
        return self.output(rows, *self.statistics(rows, kept))


class EvaluationNeedsAxis(Wide):
    """Evaluation asks for the named axis, which nothing binds there."""

    def evaluate(self, rows):
        return super().evaluate(rows) + 0 * (lax.axis_index(self.axis_name) if self.synced else 0)


class FirstShardUpdates(Wide):
    """Only the first shard moves its running statistics, as a main process would."""

    def moved(self, old, new, count):
        stepped = super().moved(old, new, count)
        return (
            jnp.where(lax.axis_index(self.axis_name) == 0, stepped, old) if self.synced else stepped
        )


class MergedWithEqualWeights(Wide):
    """The spread between shards is that of their means with equal weights."""

    def statistics(self, rows, kept):
        if not self.synced:
            return super().statistics(rows, kept)
        mean, local = self.average(rows, kept), self.mean_of(rows, kept)
        within = self.average(jnp.square(rows - local), kept)
        return mean, within + lax.pmean(jnp.square(local - mean), self.axis_name)


class DividedByDevices(Wide):
    """The sum over the shards is divided by the number of devices there are."""

    def average(self, values, kept):
        if not self.synced:
            return super().average(values, kept)
        return self.total(self.mean_of(values, kept)) / jax.device_count()


class SyncedOnePass(Wide):
    """Shared variances are E[x^2]-E[x]^2, to save a second sum over the shards."""

    def statistics(self, rows, kept):
        if not self.synced:
            return super().statistics(rows, kept)
        mean, square = self.average(rows, kept), self.average(rows * rows, kept)
        return mean, jnp.maximum(square - mean * mean, 0)


class EmptyShardIsNan(Wide):
    """A shard in which nothing counts has the mean 0/0, which its weight 0 does not remove."""

    def average(self, values, kept):
        n = kept.sum().astype(values.dtype)
        mean = jnp.where(kept, values, 0).sum(0) / (n if self.synced else jnp.maximum(n, 1))
        return self.total(n * mean) / jnp.maximum(self.rows_counted(kept), 1)


class PaddedRowsCountedAcross(Wide):
    """The mask holds for the sums, the count over the shards is that of all rows."""

    def rows_counted(self, kept):
        return self.total(jnp.asarray(kept.size)) if self.synced else kept.sum()


class ParametersPsummed(WideVjp):
    """The gradients of gamma and beta are already summed over the shards, as a data-parallel
    wrapper does again.
    """

    def summed(self, values):
        return self.total(super().summed(values))


class BackwardLocal(WideVjp):
    """The hand-written backward pass does not sum over the shards."""

    def pulled(self, res, dy):
        z, inv, gamma, kept = res
        dh, n = dy * gamma, jnp.maximum(kept.sum(), 1).astype(z.dtype)
        shared = dh.sum(0) / n + z * (dh * z).sum(0) / n
        return inv * (dh - jnp.where(kept, shared, 0)), self.summed(dy * z), self.summed(dy), None


class BackwardDividesByShard(WideVjp):
    """The hand-written backward pass divides the shared sums by the shard's own count times the
    number of shards.
    """

    def divisor(self, z, kept):
        n = jnp.maximum(kept.sum(), 1).astype(z.dtype)
        return n * lax.psum(1, self.axis_name) if self.synced else n


class EmptyShardKeepsItsOwn(Wide):
    """A shard in which nothing counts keeps its running statistics, so shards drift apart."""

    def train_step(self, rows, kept):
        mean, var = self.statistics(rows, kept)
        self.update(mean, var, kept.sum())
        return self.output(rows, mean, var)


class MeanSyncedVarianceLocal(Wide):
    """The mean is shared, the variance is that of the shard about it."""

    def statistics(self, rows, kept):
        mean = self.average(rows, kept)
        return mean, self.mean_of(jnp.square(rows - mean), kept)
