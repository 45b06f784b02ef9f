"""Faults in what a mask leaves out."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from impl.faulty.record import fault
from impl.stepwise import Array
from impl.wide_batchnorm import DOMAIN, WideBatchNorm

masked = partial(fault, wider=DOMAIN)


@masked("mask-ignored", "BN-MASK-1", "BN-MASK-2", source="tensorflow/tensorflow#30161")
class Ignored(WideBatchNorm):
    """The mask is accepted, and all rows count."""

    def counting(self, mask: Any, rows: Array) -> Array:
        del mask
        return super().counting(None, rows)


@masked("mask-inverted", "BN-MASK-1")
class Inverted(WideBatchNorm):
    """True marks the rows that do not count."""

    def counting(self, mask: Any, rows: Array) -> Array:
        return super().counting(mask if mask is None else ~mask, rows)


@masked("mask-divides-by-all", "BN-MASK-1", source="tensorflow/tensorflow#30161")
class DividesByAll(WideBatchNorm):
    """Sums of the rows that count are divided by the number of all rows."""

    def average(self, values: Array, kept: Array) -> Array:
        return self.total(jnp.where(kept, values, 0).sum(axis=0)) / self.total(jnp.array(len(kept)))


@masked("mask-zeros-in-variance", "BN-MASK-1")
class ZerosInVariance(WideBatchNorm):
    """Rows that do not count enter the variance as zeros."""

    def statistics(self, rows: Array, kept: Array) -> tuple[Array, Array]:
        mean = self.average(rows, kept)
        count = jnp.maximum(self.rows_counted(kept), 1)
        squares = jnp.square(jnp.where(kept, rows, 0) - mean)
        return mean, self.total(squares.sum(axis=0)) / count


@masked("mask-not-in-variance", "BN-MASK-1")
class NotInVariance(WideBatchNorm):
    """All rows count for the variance."""

    def cleaned(self, rows: Array, kept: Array) -> Array:
        del kept
        return rows

    def statistics(self, rows: Array, kept: Array) -> tuple[Array, Array]:
        mean = self.average(rows, kept)
        return mean, self.average(jnp.square(rows - mean), jnp.ones_like(kept))


@masked("mask-not-in-mean", "BN-MASK-1")
class NotInMean(WideBatchNorm):
    """All rows count for the mean."""

    def cleaned(self, rows: Array, kept: Array) -> Array:
        del kept
        return rows

    def statistics(self, rows: Array, kept: Array) -> tuple[Array, Array]:
        mean = self.average(rows, jnp.ones_like(kept))
        return mean, self.average(jnp.square(rows - mean), kept)


@masked("mask-not-in-running", "BN-MASK-1")
class NotInRunning(WideBatchNorm):
    """The running statistics follow those of all rows."""

    def cleaned(self, rows: Array, kept: Array) -> Array:
        del kept
        return rows

    def train_step(self, rows: Array, kept: Array) -> Array:
        everything = jnp.ones_like(kept)
        self.update(*self.statistics(rows, everything), self.rows_counted(everything))
        return self.output(rows, *self.statistics(rows, kept))


@masked("mask-not-in-output", "BN-MASK-1")
class NotInOutput(WideBatchNorm):
    """The output is normalised with the statistics of all rows."""

    def cleaned(self, rows: Array, kept: Array) -> Array:
        del kept
        return rows

    def train_step(self, rows: Array, kept: Array) -> Array:
        self.update(*self.statistics(rows, kept), self.rows_counted(kept))
        return self.output(rows, *self.statistics(rows, jnp.ones_like(kept)))


@masked("mask-unbiased", "BN-MASK-1")
class Unbiased(WideBatchNorm):
    """The variance of a masked batch is divided by one less than the rows that count."""

    def statistics(self, rows: Array, kept: Array) -> tuple[Array, Array]:
        mean, var = super().statistics(rows, kept)
        count, everything = self.rows_counted(kept), self.total(jnp.array(len(kept)))
        bessel = jnp.where(count < everything, count / jnp.maximum(count - 1, 1), 1)
        return mean, var * bessel


@masked("mask-as-length", "BN-MASK-1")
class AsLength(WideBatchNorm):
    """As many rows count as the mask says, but from the first."""

    def counting(self, mask: Any, rows: Array) -> Array:
        kept = super().counting(mask, rows)
        return jnp.arange(len(rows))[:, None] < kept.sum()


@masked("mask-of-examples-miscounted", "BN-MASK-1", source="keras-team/keras#20815")
class ExamplesMiscounted(WideBatchNorm):
    """A mask (n,) of examples is taken, but examples are counted in place of their positions."""

    def cleaned(self, rows: Array, kept: Array) -> Array:
        return jnp.where(self.of_rows(kept, rows), rows, 0)

    def average(self, values: Array, kept: Array) -> Array:
        kept_rows = jnp.where(self.of_rows(kept, values), values, 0)
        return self.total(kept_rows.sum(axis=0)) / jnp.maximum(self.rows_counted(kept), 1)

    def of_rows(self, kept: Array, rows: Array) -> Array:
        return jnp.repeat(kept, len(rows) // len(kept), axis=0)


@masked(
    "mask-broadcast-miscounted",
    "BN-MASK-1",
    source="keras-team/keras#19848",
    wider=replace(DOMAIN, mask_by_row=False),
)
class BroadcastMiscounted(WideBatchNorm):
    """The rows that count are counted before the mask is broadcast against x."""

    def __call__(self, x: Any, use_running_average: Any, mask: Any = None) -> Any:
        if mask is None or use_running_average:
            return super().__call__(x, use_running_average)
        kept, others = jnp.broadcast_to(mask, x.shape), tuple(range(x.ndim - 1))
        count = jnp.maximum(jnp.sum(mask) / mask.shape[-1], 1)
        mean = jnp.where(kept, x, 0).sum(others) / count
        var = jnp.square(jnp.where(kept, x - mean, 0)).sum(others) / count
        self.update(mean, var, count)
        return self.output(x, mean, var)


@masked("mask-from-zeros", "BN-MASK-1", diagnosed="zero-rows-left-out")
class FromZeros(WideBatchNorm):
    """Rows of zeros do not count, whatever the mask says."""

    def counting(self, mask: Any, rows: Array) -> Array:
        return super().counting(mask, rows) & (rows != 0).any(axis=1, keepdims=True)


@masked("mask-along-features", "BN-MASK-1", source="google/flax: a mask (N,) on a batch (N, N)")
class AlongFeatures(WideBatchNorm):
    """A mask of as many rows as there are features is broadcast along the features."""

    def counting(self, mask: Any, rows: Array) -> Array:
        if mask is not None and len(rows) == rows.shape[1]:
            return jnp.broadcast_to(mask, rows.shape)
        return super().counting(mask, rows)

    def rows_counted(self, kept: Array) -> Array:
        return self.total(kept.sum(axis=0))


@masked("mask-evaluates-with-batch", "BN-MASK-1")
class EvaluatesWithBatch(WideBatchNorm):
    """With a mask, evaluation normalises with the rows that count."""

    def __call__(self, x: Any, use_running_average: Any, mask: Any = None) -> Any:
        if use_running_average and mask is not None:
            mean, var = self.running_mean[...], self.running_var[...]
            y = super().__call__(x, False, mask)
            self.running_mean[...], self.running_var[...] = mean, var
            return y
        return super().__call__(x, use_running_average, mask)


@masked("mask-multiplied", "BN-MASK-2", source="keras-team/keras: masked moments by where")
class Multiplied(WideBatchNorm):
    """Rows are multiplied by the mask: 0·NaN is NaN."""

    def cleaned(self, rows: Array, kept: Array) -> Array:
        return rows * kept


@masked("mask-selected-late", "BN-MASK-2", source="google/flax: NaN in a masked row")
class SelectedLate(WideBatchNorm):
    """Rows are selected in the sums alone, so that NaN has a derivative."""

    def cleaned(self, rows: Array, kept: Array) -> Array:
        del kept
        return rows


@jax.custom_jvp
def with_derivative_times(value: Array, factor: Array) -> Array:
    """Return the value; its derivative is the right one times the factor."""
    del factor
    return value


with_derivative_times.defjvps(lambda tangent, _, __, factor: tangent * factor, None)


@masked("mask-derivative-by-all", "BN-MASK-1")
class DerivativeByAll(WideBatchNorm):
    """The derivative of a mean divides by the number of all rows."""

    def average(self, values: Array, kept: Array) -> Array:
        share = self.rows_counted(kept) / self.total(jnp.array(len(kept)))
        return with_derivative_times(super().average(values, kept), share.astype(values.dtype))


@masked("mask-derivative-stopped", "BN-MASK-1", diagnosed="statistics-stopped")
class DerivativeStopped(WideBatchNorm):
    """The statistics of a masked batch are constants for the derivative."""

    def statistics(self, rows: Array, kept: Array) -> tuple[Array, Array]:
        mean, var = super().statistics(rows, kept)
        return jax.lax.stop_gradient(mean), jax.lax.stop_gradient(var)


@masked("mask-empty-nan", "BN-MASK-3", source="google/flax: a mask without a true entry")
class EmptyNaN(WideBatchNorm):
    """A batch without rows stores 0/0."""

    def average(self, values: Array, kept: Array) -> Array:
        return self.total(jnp.where(kept, values, 0).sum(axis=0)) / self.rows_counted(kept)

    def moved(self, old: Array, new: Array, count: Array) -> Array:
        return super().moved(old, new, jnp.maximum(count, 1))


@masked("mask-empty-infinite", "BN-MASK-3")
class EmptyInfinite(WideBatchNorm):
    """A batch without rows stores a variance of 1/0."""

    def update(self, mean: Array, var: Array, count: Array) -> None:
        super().update(mean, jnp.where(count > 0, var, jnp.inf), jnp.maximum(count, 1))


@masked("mask-empty-negative", "BN-MASK-3")
class EmptyNegative(WideBatchNorm):
    """Without rows the variance is that of a count of −1."""

    def update(self, mean: Array, var: Array, count: Array) -> None:
        super().update(mean, jnp.where(count > 0, var, -100.0), jnp.maximum(count, 1))
