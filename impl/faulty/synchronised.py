"""Faults in what shards of a batch share."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp

from impl.faulty.record import fault
from impl.stepwise import Array
from impl.wide_batchnorm import DOMAIN, WideBatchNorm

shared = partial(fault, wider=DOMAIN)


class Local(WideBatchNorm):
    """A layer that can also look at its own shard alone."""

    def alone(self, values: Array, kept: Array) -> Array:
        """Return the mean of what counts on this shard."""
        count = jnp.maximum(kept.sum(), 1).astype(values.dtype)
        return jnp.where(kept, values, 0).sum(axis=0) / count

    def averaged(self, value: Array) -> Array:
        """Return the mean over shards, each with the same weight."""
        return value if self.axis_name is None else jax.lax.pmean(value, self.axis_name)

    def statistics_alone(self, rows: Array, kept: Array) -> tuple[Array, Array]:
        mean = self.alone(rows, kept)
        return mean, self.alone(jnp.square(rows - mean), kept)


@shared("sync-ignored", "BN-SYNC-1", "BN-SYNC-2")
class Ignored(Local):
    """The axis name is accepted, but every shard uses its own statistics."""

    def total(self, value: Array) -> Array:
        return value


@shared("sync-variances-averaged", "BN-SYNC-1", source="PaddlePaddle/Paddle#32464")
class VariancesAveraged(Local):
    """The variance is the mean of the shards' variances, without that of their means."""

    def statistics(self, rows: Array, kept: Array) -> tuple[Array, Array]:
        _, var = self.statistics_alone(rows, kept)
        return self.average(rows, kept), self.averaged(var)


@shared("sync-mean-only", "BN-SYNC-1")
class MeanOnly(Local):
    """The mean is shared; each shard uses its own variance around it."""

    def statistics(self, rows: Array, kept: Array) -> tuple[Array, Array]:
        mean = self.average(rows, kept)
        return mean, self.alone(jnp.square(rows - mean), kept)


@shared("sync-variance-only", "BN-SYNC-1")
class VarianceOnly(Local):
    """The variance is shared; each shard uses its own mean."""

    def statistics(self, rows: Array, kept: Array) -> tuple[Array, Array]:
        _, var = super().statistics(rows, kept)
        return self.alone(rows, kept), var


@shared("sync-running-alone", "BN-SYNC-1", source="NVIDIA-Merlin/HugeCTR#181")
class RunningAlone(Local):
    """The output is that of the whole batch, the running statistics are the shard's own."""

    def train_step(self, rows: Array, kept: Array) -> Array:
        self.update(*self.statistics_alone(rows, kept), jnp.array(1))
        return self.output(rows, *self.statistics(rows, kept))


@shared("sync-output-alone", "BN-SYNC-1")
class OutputAlone(Local):
    """The running statistics are those of the whole batch, the output is the shard's own."""

    def train_step(self, rows: Array, kept: Array) -> Array:
        self.update(*self.statistics(rows, kept), jnp.array(1))
        return self.output(rows, *self.statistics_alone(rows, kept))


@shared("sync-first-shard-updates", "BN-SYNC-1")
class FirstShardUpdates(Local):
    """Only the first shard moves its running statistics."""

    def update(self, mean: Array, var: Array, count: Array) -> None:
        if self.axis_name is not None:
            count = jnp.where(jax.lax.axis_index(self.axis_name) == 0, count, 0)
        super().update(mean, var, count)


@shared("sync-sum-for-mean", "BN-SYNC-1")
class SumForMean(Local):
    """Means of the shards are added up and not divided."""

    def average(self, values: Array, kept: Array) -> Array:
        return self.total(self.alone(values, kept))


@shared("sync-two-shards", "BN-SYNC-1", source="pytorch/pytorch#38874")
class TwoShards(Local):
    """Only the first two shards are shared, however many there are."""

    def total(self, value: Array) -> Array:
        if self.axis_name is None:
            return value
        return jax.lax.all_gather(value, self.axis_name)[:2].sum(axis=0)


@shared("sync-bessel-alone", "BN-SYNC-1")
class BesselAlone(Local):
    """With an axis, the running variance is unbiased by the row count of one shard."""

    def update(self, mean: Array, var: Array, count: Array) -> None:
        if self.axis_name is not None:
            own = count / jax.lax.psum(1, self.axis_name)
            var = var * own / jnp.maximum(own - 1, 1)
        super().update(mean, var, count)


@shared("sync-one-pass", "BN-SYNC-1", source="google-deepmind/dm-haiku: E[x²] − E[x]²")
class OnePass(Local):
    """With an axis the variance is E[x²] − E[x]²."""

    def statistics(self, rows: Array, kept: Array) -> tuple[Array, Array]:
        if self.axis_name is None:
            return super().statistics(rows, kept)
        mean = self.average(rows, kept)
        var = self.average(jnp.square(rows), kept) - jnp.square(mean)
        return mean, jnp.maximum(var, 0)


@shared("sync-reduced-in-bfloat16", "BN-SYNC-1")
class ReducedInBfloat16(Local):
    """Shared sums are sent in bfloat16."""

    def total(self, value: Array) -> Array:
        if self.axis_name is None:
            return value
        return super().total(value.astype(jnp.bfloat16).astype(value.dtype))


@partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def _sum(value: Array, axis_name: str, scale: float | None) -> Array:
    del scale
    return jax.lax.psum(value, axis_name)


def _sum_forward(value: Array, axis_name: str, scale: float | None) -> tuple[Array, None]:
    return _sum(value, axis_name, scale), None


def _sum_backward(axis_name: str, scale: float | None, _: None, w: Array) -> tuple[Array]:
    return (w if scale is None else scale * jax.lax.psum(w, axis_name),)


_sum.defvjp(_sum_forward, _sum_backward)


class OwnDerivative(Local):
    """A layer whose sum over shards has a custom derivative."""

    scale: float | None = None

    def total(self, value: Array) -> Array:
        whole = jnp.issubdtype(value.dtype, jnp.integer)
        if self.axis_name is None or whole:
            return super().total(value)
        return _sum(value, self.axis_name, self.scale)


@shared("sync-gradient-alone", "BN-SYNC-1", source="pytorch/pytorch#36382")
class GradientAlone(OwnDerivative):
    """The gradient of x uses only the cotangents of its own shard."""


@shared("sync-gradient-doubled", "BN-SYNC-1", source="NVIDIA/apex#138")
class GradientDoubled(OwnDerivative):
    """The gradient through the statistics is counted twice."""

    scale = 2.0


@shared("sync-gradient-stopped", "BN-SYNC-1")
class GradientStopped(Local):
    """Over an axis, the statistics are constants for the derivative."""

    def total(self, value: Array) -> Array:
        shared = super().total(value)
        return shared if self.axis_name is None else jax.lax.stop_gradient(shared)


@shared("sync-evaluation-shares", "BN-SYNC-1", source="pytorch/pytorch#56982", raises=True)
class EvaluationShares(Local):
    """Evaluation averages the running statistics over the axis, which must be bound."""

    def evaluate(self, rows: Array) -> Array:
        mean = self.averaged(self.running_mean[...])
        return self.output(rows, mean, self.averaged(self.running_var[...]))


@shared("sync-single-row-refused", "BN-SYNC-1", source="pytorch/pytorch#36865", raises=True)
class SingleRowRefused(Local):
    """A shard of a single row is refused, although the batch has more."""

    def train_step(self, rows: Array, kept: Array) -> Array:
        if self.axis_name is not None and len(rows) == 1:
            msg = "expected more than one row per shard"
            raise ValueError(msg)
        return super().train_step(rows, kept)
