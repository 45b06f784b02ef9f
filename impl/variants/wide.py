"""Other correct ways of implementing the extended domain."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from conformance.requirements.deviations import Deviation
from impl.stepwise import Array
from impl.variants.record import variant
from impl.wide_batchnorm import DOMAIN, WideBatchNorm

BY_ELEMENT = replace(DOMAIN, mask_by_row=False)

variant("wide", wider=DOMAIN)(WideBatchNorm)


@variant("wide-transposed", wider=BY_ELEMENT)
class Transposed(WideBatchNorm):
    """Features come first inside; masks have any shape; y is 0 in rows that do not count.

    A batch without rows stores a mean and a variance of 0.
    """

    def __call__(self, x: Any, use_running_average: Any, mask: Any = None) -> Any:
        if mask is not None:
            mask = self.features_last(jnp.broadcast_to(jnp.asarray(mask), jnp.shape(x)))
        return super().__call__(x, use_running_average, mask)

    def counting(self, mask: Any, rows: Array) -> Array:
        return super().counting(mask, rows) if mask is None else mask.reshape(rows.shape)

    def rows_counted(self, kept: Array) -> Array:
        return self.total(kept.T.sum(axis=1))

    def average(self, values: Array, kept: Array) -> Array:
        weights = kept.T.astype(values.dtype)
        share = 1 / jnp.maximum(self.rows_counted(kept), 1).astype(values.dtype)
        return self.total((weights * values.T).sum(axis=1)) * share

    def train_step(self, rows: Array, kept: Array) -> Array:
        mean, var = self.statistics(rows, kept)
        self.update(mean, var, jnp.array(1))
        return jnp.where(kept, self.output(rows, mean, var), 0)


@variant("wide-masks-of-examples", wider=DOMAIN)
class OfExamples(WideBatchNorm):
    """A mask may also be (n,), of examples: all positions of an example count or none."""

    def counting(self, mask: Any, rows: Array) -> Array:
        kept = super().counting(mask, rows)
        return jnp.repeat(kept, len(rows) // len(kept), axis=0)


@variant("wide-merged", wider=DOMAIN)
class Merged(WideBatchNorm):
    """Shards exchange count, mean and squares, which are merged one after the other.

    γ·z + β is rounded to the dtype of the output at every step; 16 bits go no further.
    """

    def statistics(self, rows: Array, kept: Array) -> tuple[Array, Array]:
        count = kept.sum().astype(rows.dtype)
        mean = jnp.where(kept, rows, 0).sum(axis=0) / jnp.maximum(count, 1)
        squares = jnp.where(kept, jnp.square(rows - mean), 0).sum(axis=0)
        if self.axis_name is None:
            return mean, squares / jnp.maximum(count, 1)
        gathered = jax.lax.all_gather((count, mean, squares), self.axis_name)
        return self.merged(*gathered)

    def merged(self, counts: Array, means: Array, squares: Array) -> tuple[Array, Array]:
        """Merge by Chan's formula."""
        count, mean, total = counts[0], means[0], squares[0]
        for n, other, more in zip(counts[1:], means[1:], squares[1:], strict=True):
            both = jnp.maximum(count + n, 1)
            delta = other - mean
            mean = mean + delta * (n / both)
            total = total + more + jnp.square(delta) * (count * n / both)
            count = count + n
        return mean, total / jnp.maximum(count, 1)

    def affine(self, z: Array) -> Array:
        narrow = jnp.dtype(self.dtype or z.dtype)
        gamma, beta = self.gamma[...].astype(narrow), self.beta[...].astype(narrow)
        return (gamma * z.astype(narrow) + beta).astype(z.dtype)


@variant("wide-sums-declared", Deviation.ONE_PASS_VARIANCE, wider=DOMAIN)
class Sums(WideBatchNorm):
    """Shards exchange Σx, Σx² and a count once; the output is x·s + b."""

    def statistics(self, rows: Array, kept: Array) -> tuple[Array, Array]:
        sums = jnp.stack([jnp.where(kept, each, 0).sum(axis=0) for each in (rows, rows * rows)])
        mean, square = self.total(sums) / jnp.maximum(self.rows_counted(kept), 1)
        return mean, jnp.maximum(square - mean * mean, 0)

    def output(self, rows: Array, mean: Array, var: Array) -> Array:
        scale = self.gamma[...] * jax.lax.rsqrt(var + self.eps)
        return rows * scale + (self.beta[...] - mean * scale)


@variant(
    "wide-averaged-through-declared",
    Deviation.EMA_NORMALISED_TRAINING,
    Deviation.GRADIENT_THROUGH_STATISTICS,
    wider=DOMAIN,
)
class AveragedThrough(WideBatchNorm):
    """The averages carry a gradient, and normalize y before they are rounded for storage."""

    def train_step(self, rows: Array, kept: Array) -> Array:
        mean, var = self.statistics(rows, kept)
        count = self.rows_counted(kept)
        running = self.running_mean[...], self.running_var[...]
        used = [self.weighed(*each, count) for each in zip(running, (mean, var), strict=True)]
        self.update(mean, var, count)
        return self.output(rows, *used)

    def weighed(self, old: Array, new: Array, count: Array) -> Array:
        stepped = self.momentum * old + (1 - self.momentum) * new
        return jnp.where(count > 0, stepped, old.astype(stepped.dtype))

    def moved(self, old: Array, new: Array, count: Array) -> Array:
        return self.weighed(old, new, count).astype(old.dtype)


@variant("wide-unbiased-declared", Deviation.UNBIASED_RUNNING_VARIANCE, wider=DOMAIN)
class Unbiased(WideBatchNorm):
    """The running variance follows v·K/(K−1) for the K rows that count on all shards."""

    def update(self, mean: Array, var: Array, count: Array) -> None:
        rows = count.astype(var.dtype)
        share = jnp.where(count > 1, rows / jnp.maximum(rows - 1, 1), 1)
        super().update(mean, var * share, count)


@variant("wide-momentum-of-new-declared", Deviation.MOMENTUM_OF_NEW_VALUE, wider=DOMAIN)
class OfNewValue(WideBatchNorm):
    """Momentum is the weight of the new value, as in PyTorch."""

    def moved(self, old: Array, new: Array, count: Array) -> Array:
        stepped = (1 - self.momentum) * old + self.momentum * jax.lax.stop_gradient(new)
        return jnp.where(count > 0, stepped, old).astype(old.dtype)


_WIDE_STATE = tuple(
    replace(precision, state="float64") if precision.x == "float64" else precision
    for precision in DOMAIN.precisions
)


@variant("wide-float64-state", wider=replace(DOMAIN, precisions=_WIDE_STATE))
class Float64State(WideBatchNorm):
    """In 64-bit mode the four arrays are float64."""

    def create(self, d: int) -> None:
        self.gamma = nnx.Param(jnp.ones(d, float))
        self.beta = nnx.Param(jnp.zeros(d, float))
        self.running_mean = nnx.Variable(jnp.zeros(d, float))
        self.running_var = nnx.Variable(jnp.ones(d, float))


@variant("wide-widened-each-time", wider=DOMAIN)
class WidenedEachTime(WideBatchNorm):
    """Rows are promoted wherever they are used, so their gradients are added in 16 bits."""

    def widened(self, rows: Any) -> Array:
        return jnp.asarray(rows)

    def statistics(self, rows: Array, kept: Array) -> tuple[Array, Array]:
        mean = self.average(super().widened(rows), kept)
        first, second = super().widened(rows) - mean, super().widened(rows) - mean
        return mean, self.average(first * second, kept)

    def evaluate(self, rows: Array) -> Array:
        return super().evaluate(super().widened(rows))

    def output(self, rows: Array, mean: Array, var: Array) -> Array:
        return super().output(super().widened(rows), mean, var)


@variant("wide-averages-declared", Deviation.EMA_NORMALISED_TRAINING, wider=DOMAIN)
class ByAverages(WideBatchNorm):
    """Training normalizes with the updated averages as stored: float32 for float64 inputs."""

    def train_step(self, rows: Array, kept: Array) -> Array:
        self.update(*self.statistics(rows, kept), self.rows_counted(kept))
        return self.evaluate(rows)
