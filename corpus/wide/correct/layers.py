"""Correct layers of the wider domain that are written in other ways."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from corpus.wide.correct.base import Wide
from corpus.wide.faulty.declared import _Aged, _ByAverages, _First, _OnePass, _Refusing, _Stored, _Unbiased
from conformance import Deviation, Wider
from impl.wide_batchnorm import DOMAIN


class Weighted(Wide):
    """Masks are weights 0 and 1 that multiply what has been cleaned."""

    def average(self, values, kept):
        w = kept.astype(values.dtype)
        return self.total((w * values).sum(0)) / jnp.maximum(self.total(w.sum()), 1)


class MeanWhere(Wide):
    """jnp.mean and jnp.var with where; a shard alone, or all of them gathered."""

    def statistics(self, rows, kept):
        if self.synced:
            rows = lax.all_gather(rows, self.axis_name).reshape(-1, rows.shape[-1])
            kept = lax.all_gather(kept, self.axis_name).reshape(-1, 1)
        some = kept.any()
        safe = kept | ~some  # of nothing there is no mean: what comes out is not used
        mean = jnp.mean(rows, 0, where=safe)
        return mean, jnp.var(rows, 0, where=safe)


class WelfordMerge(Wide):
    """Shards are merged by Chan's formula, from their counts, means and sums of squares."""

    def statistics(self, rows, kept):
        n = kept.sum().astype(rows.dtype)
        mean = jnp.where(kept, rows, 0).sum(0) / jnp.maximum(n, 1)
        m2 = jnp.where(kept, jnp.square(rows - mean), 0).sum(0)
        count = jnp.maximum(self.total(n), 1)
        merged = self.total(n * mean) / count
        return merged, self.total(m2 + n * jnp.square(mean - merged)) / count


class GatheredMerge(Wide):
    """Shards are gathered and merged one after the other, as fused kernels do."""

    def statistics(self, rows, kept):
        n = kept.sum().astype(rows.dtype)
        mean = jnp.where(kept, rows, 0).sum(0) / jnp.maximum(n, 1)
        m2 = jnp.where(kept, jnp.square(rows - mean), 0).sum(0)
        if not self.synced:
            return mean, m2 / jnp.maximum(n, 1)
        ns, means, m2s = (lax.all_gather(v, self.axis_name) for v in (n, mean, m2))
        n, mean, m2 = ns[0], means[0], m2s[0]
        for i in range(1, len(ns)):
            total = jnp.maximum(n + ns[i], 1)
            delta = means[i] - mean
            mean = mean + delta * ns[i] / total
            m2 = m2 + m2s[i] + jnp.square(delta) * n * ns[i] / total
            n = n + ns[i]
        return mean, m2 / jnp.maximum(n, 1)


class RatioOfMeans(Wide):
    """Both the sum and the count are pmean'ed: their ratio is the same."""

    def average(self, values, kept):
        def shared(v):
            return lax.pmean(v, self.axis_name) if self.synced else v

        total = shared(jnp.where(kept, values, 0).sum(0))
        count = shared(kept.sum().astype(values.dtype))
        return total / jnp.where(count > 0, count, 1)


class Ring(Wide):
    """The sum over the shards goes round in a ring of lax.ppermute."""

    def total(self, value):
        if not self.synced:
            return value
        value = jnp.asarray(value)
        size = lax.axis_size(self.axis_name)
        ring = [(i, (i + 1) % size) for i in range(size)]
        total = passed = value
        for _ in range(size - 1):
            passed = lax.ppermute(passed, self.axis_name, ring)
            total = total + passed
        return total


class PackedSums(Wide):
    """One sum over the shards for mean and count, packed into one array."""

    def statistics(self, rows, kept):
        w = kept.astype(rows.dtype)
        packed = self.total(jnp.concatenate([(w * rows).sum(0), w.sum()[None]]))
        count = jnp.maximum(packed[-1], 1)
        mean = packed[:-1] / count
        return mean, self.total((w * jnp.square(rows - mean)).sum(0)) / count


class ShiftedOnePass(Wide):
    """One pass about the largest row, in which differences are exact enough."""

    def statistics(self, rows, kept):
        mean = self.average(rows, kept)
        residual = self.average(rows - mean, kept)
        return mean, self.average(jnp.square(rows - mean), kept) - jnp.square(residual)


class InPlaceAxes(Wide):
    """Nothing is moved: sums go over all axes but one, and everything broadcasts."""

    def __call__(self, x, use_running_average, mask=None):
        x = jnp.asarray(x)
        axis = self.axis % x.ndim
        if x.shape[axis] != self.gamma.shape[0]:
            msg = "another number of features"
            raise ValueError(msg)
        others = tuple(i for i in range(x.ndim) if i != axis)
        shape = [1] * x.ndim
        shape[axis] = -1
        wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        kept = jnp.ones((), bool) if mask is None else jnp.expand_dims(jnp.asarray(mask), axis)
        wide = jnp.where(kept, wide, 0)
        if use_running_average:
            mean, var = self.running_mean[...], self.running_var[...]
        else:
            ones = jnp.broadcast_to(kept, [1 if i == axis else n for i, n in enumerate(x.shape)])
            count = self.total(ones.sum())
            n = jnp.maximum(count, 1).astype(wide.dtype)
            mean = self.total(wide.sum(others)) / n
            centred = jnp.where(kept, wide - mean.reshape(shape), 0)
            var = self.total(jnp.square(centred).sum(others)) / n
            self.update(mean, var, count)
        mean, var, gamma, beta = (
            v.astype(wide.dtype).reshape(shape)
            for v in (mean, var, self.gamma[...], self.beta[...])
        )
        y = gamma * ((wide - mean) * lax.rsqrt(var + self.eps)) + beta
        return self.answered(y, x)


class Permuted(Wide):
    """Moves the features by an explicit permutation and its inverse."""

    def order(self, ndim):
        axis = self.axis % ndim
        return [*(i for i in range(ndim) if i != axis), axis]

    def features_last(self, x):
        return jnp.transpose(x, self.order(x.ndim))

    def features_back(self, y, shape):
        order = self.order(len(shape))
        return jnp.transpose(y.reshape(shape), [order.index(i) for i in range(len(shape))])


class ZeroPadding(Wide):
    """Padded rows come out as zeros."""

    def train_step(self, rows, kept):
        return jnp.where(kept, super().train_step(rows, kept), 0)


class ByMatrix(Wide):
    """The sums are products with the mask as a row vector."""

    def average(self, values, kept):
        w = kept.astype(values.dtype)
        total = jnp.matmul(w.T, values, precision=lax.Precision.HIGHEST)[0]
        return self.total(total) / jnp.maximum(self.rows_counted(kept), 1)


class AffineInOutput(Wide):
    """The normalised rows are answered in float32 before gamma, and computed with rsqrt."""

    def output(self, rows, mean, var):
        z = (rows - mean) * lax.rsqrt(var + jnp.asarray(self.eps, var.dtype))
        return jnp.multiply(z, self.gamma[...].astype(z.dtype)) + self.beta[...].astype(z.dtype)


class ConditionalUpdate(Wide):
    """lax.cond decides whether anything counts."""

    def moved(self, old, new, count):
        m = self.momentum
        step = lambda new: (old + (1 - m) * (lax.stop_gradient(new) - old)).astype(old.dtype)  # noqa: E731
        return lax.cond(jnp.asarray(count > 0), step, lambda _: old, new)


class TorchLike(Wide):
    """Momentum of the new value and an unbiased running variance, over shards and masks."""

    declares = {
        "wider": DOMAIN,
        "deviations": {Deviation.MOMENTUM_OF_NEW_VALUE, Deviation.UNBIASED_RUNNING_VARIANCE},
    }

    def update(self, mean, var, count):
        super().update(mean, var * count / jnp.maximum(count - 1, 1), count)

    def moved(self, old, new, count):
        m = self.momentum
        stepped = (1 - m) * old + m * jax.lax.stop_gradient(new)
        return jnp.where(count > 0, stepped, old).astype(old.dtype)


class OnePassShared(Wide):
    """One pass and one sum over the shards, declared, and clamped at 0."""

    declares = {"wider": DOMAIN, "deviations": {Deviation.ONE_PASS_VARIANCE}}

    def statistics(self, rows, kept):
        mean, square = self.average(rows, kept), self.average(rows * rows, kept)
        return mean, jnp.maximum(square - mean * mean, 0)


class AveragesShared(Wide):
    """Training normalises with the updated averages, over shards and masks."""

    declares = {"wider": DOMAIN, "deviations": {Deviation.EMA_NORMALISED_TRAINING}}

    def train_step(self, rows, kept):
        self.update(*self.statistics(rows, kept), self.rows_counted(kept))
        return self.evaluate(rows)


class RefusesOneCounted(Wide):
    """A batch of a single element per feature is refused in training, as by PyTorch."""

    declares = {"wider": DOMAIN, "deviations": {Deviation.SINGLE_ROW_REFUSED}}

    def train_step(self, rows, kept):
        if len(rows) == 1 and not self.synced:
            msg = "expected more than one value per channel"
            raise ValueError(msg)
        return super().train_step(rows, kept)


class Debiased(_Aged):
    """Zero-debiased averages that move by (1-m)/(1-m^t)."""


class FirstBatch(_First):
    """The first batch replaces the averages."""


class ByAverages(_ByAverages):
    """Training normalises with the updated averages, which are constants."""


class UnbiasedRunning(_Unbiased):
    """The unbiased running variance, that of one row for one row."""


class Refusing(_Refusing):
    """A single row is refused in training."""


class OnePass(_OnePass):
    """One pass, clamped at 0."""


class StoredInBfloat16(_Stored):
    """Statistics are stored in bfloat16 and computed in float32."""


class RepairedDivision(Wide):
    """0/0 of an empty shard is replaced after the division; no row of it gets the gradient."""

    def average(self, values, kept):
        n = kept.sum().astype(values.dtype)
        mean = jnp.where(n > 0, jnp.where(kept, values, 0).sum(0) / n, 0)
        return self.total(n * mean) / jnp.maximum(self.rows_counted(kept), 1)


_FLOAT32 = Wider(ndim=True, axis="axis", mask="mask", mask_by_row=True, axis_name="axis_name")


class DebiasedShared(Wide):
    """Zero-debiased averages over shards and masks, with a count in the state."""

    declares = {
        "wider": DOMAIN,
        "deviations": {Deviation.ZERO_DEBIASED_STATISTICS},
        "count": "count",
    }

    def create(self, d):
        super().create(d)
        self.count = nnx.Variable(jnp.zeros((), jnp.int32))

    def update(self, mean, var, count):
        super().update(mean, var, count)
        self.count[...] = self.count[...] + (count > 0)

    def moved(self, old, new, count):
        m = self.momentum
        weight = jnp.minimum((1 - m) / (1 - m ** (self.count[...] + 1)), 1)
        stepped = old + weight * (lax.stop_gradient(new) - old)
        return jnp.where(count > 0, stepped, old).astype(old.dtype)


class HalfOutputShared(Wide):
    """Any output is bfloat16, as declared."""

    declares = {"wider": _FLOAT32, "deviations": {Deviation.output_in("bfloat16")}}

    def answered(self, y, x):
        return y.astype(jnp.bfloat16)


class HalfStateShared(Wide):
    """The running statistics are bfloat16, as declared."""

    declares = {"wider": _FLOAT32, "deviations": {Deviation.statistics_in("bfloat16")}}

    def create(self, d):
        super().create(d)
        self.running_mean = nnx.Variable(jnp.zeros((d,), jnp.bfloat16))
        self.running_var = nnx.Variable(jnp.ones((d,), jnp.bfloat16))

    def moved(self, old, new, count):
        return super().moved(old.astype(jnp.float32), new, count).astype(old.dtype)


class UnbiasedByAverages(Wide):
    """Training normalises with updated averages of unbiased variances, through which the gradient
    flows.
    """

    declares = {
        "wider": DOMAIN,
        "deviations": {
            Deviation.EMA_NORMALISED_TRAINING,
            Deviation.UNBIASED_RUNNING_VARIANCE,
            Deviation.GRADIENT_THROUGH_STATISTICS,
        },
    }

    def moved(self, old, new, count):
        stepped = self.momentum * old + (1 - self.momentum) * new
        return jnp.where(count > 0, stepped, old)

    def train_step(self, rows, kept):
        mean, var = self.statistics(rows, kept)
        count = self.rows_counted(kept)
        old = self.running_mean[...], self.running_var[...]
        new = mean, var * count / jnp.maximum(count - 1, 1)
        used = [self.moved(o, n, count) for o, n in zip(old, new, strict=True)]
        for held, value in zip((self.running_mean, self.running_var), used, strict=True):
            held[...] = value.astype(held[...].dtype)
        return self.output(rows, *used)
