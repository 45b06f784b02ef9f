"""Faults of layers that declare a convention, and get it wrong."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx

from corpus.first.correct.base import Base, sg
from corpus.wide.correct.base import Wide
from conformance import Deviation
from impl.wide_batchnorm import DOMAIN


class NewMomentumOfMeanOnly(Base):
    """Momentum weighs the new mean, but the old variance."""

    declares = {"deviations": {Deviation.MOMENTUM_OF_NEW_VALUE}}

    def update(self, x, mean, var):
        m = self.momentum
        self.running_mean[...] = (1 - m) * self.running_mean[...] + m * sg(mean)
        self.running_var[...] = m * self.running_var[...] + (1 - m) * sg(var)


class _Unbiased(Base):
    declares = {"deviations": {Deviation.UNBIASED_RUNNING_VARIANCE}}

    def update(self, x, mean, var):
        n = x.shape[0]
        super().update(x, mean, var * n / max(n - 1, 1))


class UnbiasedOfOneRowIsNan(_Unbiased):
    """The unbiased running variance of a single row is 0/0."""

    def update(self, x, mean, var):
        n = x.shape[0]
        Base.update(self, x, mean, (var * n) / jnp.float32(n - 1))


class UnbiasedNormalisesToo(_Unbiased):
    """The output, too, is normalised with the unbiased variance."""

    def normalise(self, x, mean, var):
        n = x.shape[0]
        fresh = var is not self.running_var[...] and self._training
        return super().normalise(x, mean, var * n / max(n - 1, 1) if fresh else var)

    def __call__(self, x, use_running_average):
        self._training = not use_running_average
        return super().__call__(x, use_running_average)


class UnbiasedOfElements(_Unbiased):
    """The unbiased factor counts the elements of x instead of its rows."""

    def update(self, x, mean, var):
        Base.update(self, x, mean, var * x.size / max(x.size - 1, 1))


class _Aged(Base):
    """Correct zero-debiased averages, from a count."""

    declares = {"deviations": {Deviation.ZERO_DEBIASED_STATISTICS}, "count": "count"}

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, momentum, eps, rngs)
        self.count = nnx.Variable(jnp.zeros((), jnp.int32))

    def weight(self):
        weight = (1 - self.momentum) / (1 - self.momentum ** (self.count[...] + 1))
        return jnp.minimum(weight, 1)  # beyond 1 by rounding, a variance of 0 becomes negative

    def step(self, running, batch):
        return running + self.weight() * (sg(batch) - running)

    def update(self, x, mean, var):
        super().update(x, mean, var)
        self.count[...] += 1


class DebiasedOneLate(_Aged):
    """The power in the correction is one too high."""

    def weight(self):
        return (1 - self.momentum) / (1 - self.momentum ** (self.count[...] + 2))


class DebiasedMeanOnly(_Aged):
    """The running variance starts at 1 and is not debiased."""

    def update(self, x, mean, var):
        old = Base.step(self, self.running_var[...], var)
        super().update(x, mean, var)
        self.running_var[...] = old


class DebiasCountWraps(_Aged):
    """The count is kept in 8 bits, so the 256th batch counts as the first again."""

    def weight(self):
        t = self.count[...] % 256 + 1
        return (1 - self.momentum) / (1 - self.momentum**t)


class DebiasStopsAtTen(_Aged):
    """The correction is left out after ten updates, as if it were 1 by then."""

    def weight(self):
        return jnp.where(self.count[...] < 10, super().weight(), 1 - self.momentum)


class CountMovesInEvaluation(_Aged):
    """Evaluation counts as an update."""

    def eval_call(self, x):
        self.count[...] += 1
        return super().eval_call(x)


class _First(_Aged):
    declares = {"deviations": {Deviation.FIRST_BATCH_REPLACES}, "count": "count"}

    def weight(self):
        return jnp.where(self.count[...] == 0, 1, 1 - self.momentum)


class FirstByValues(_First):
    """The first batch is recognised by a running mean of 0 and a running variance of 1."""

    def update(self, x, mean, var):
        fresh = jnp.all(self.running_mean[...] == 0) & jnp.all(self.running_var[...] == 1)
        weight = jnp.where(fresh, 1, 1 - self.momentum)
        for held, new in ((self.running_mean, mean), (self.running_var, var)):
            held[...] += weight * (sg(new) - held[...])
        self.count[...] += 1


class FirstReplacesMeanOnly(_First):
    """The first batch replaces the running mean, the variance moves by momentum."""

    def update(self, x, mean, var):
        old = Base.step(self, self.running_var[...], var)
        super().update(x, mean, var)
        self.running_var[...] = old


class FirstTwoReplace(_First):
    """The count is compared before and after, so the second batch replaces as well."""

    def weight(self):
        return jnp.where(self.count[...] <= 1, 1, 1 - self.momentum)


class _ByAverages(Base):
    declares = {"deviations": {Deviation.EMA_NORMALISED_TRAINING}}

    def train_call(self, x):
        self.update(x, *self.batch_stats(x))
        return self.normalise(x, self.running_mean[...], self.running_var[...])


class NormalisesBeforeUpdate(_ByAverages):
    """Training normalises with the running statistics from before the update."""

    def train_call(self, x):
        mean, var = self.running_mean[...], self.running_var[...]
        self.update(x, *self.batch_stats(x))
        return self.normalise(x, mean, var)


class AveragedMeanBatchVariance(_ByAverages):
    """Training centres with the running mean and scales by the variance of the batch."""

    def train_call(self, x):
        mean, var = self.batch_stats(x)
        self.update(x, mean, var)
        return self.normalise(x, self.running_mean[...], var)


class LeakingAverages(_ByAverages):
    """The averages that training normalises with carry a gradient that is not declared."""

    def step(self, running, batch):
        return self.momentum * running + (1 - self.momentum) * batch


class HalfThroughAverages(_ByAverages):
    """The gradient flows through the running mean and not through the running variance."""

    declares = {
        "deviations": {
            Deviation.EMA_NORMALISED_TRAINING,
            Deviation.GRADIENT_THROUGH_STATISTICS,
        }
    }

    def update(self, x, mean, var):
        m = self.momentum
        self.running_mean[...] = m * self.running_mean[...] + (1 - m) * mean
        self.running_var[...] = m * self.running_var[...] + (1 - m) * sg(var)


class _Refusing(Base):
    declares = {"deviations": {Deviation.SINGLE_ROW_REFUSED}}

    def train_call(self, x):
        if x.shape[0] == 1:
            msg = "expected more than one row"
            raise ValueError(msg)
        return super().train_call(x)


class RefusedAfterUpdate(_Refusing):
    """The single row is refused when the running statistics have moved already."""

    def train_call(self, x):
        self.update(x, *self.batch_stats(x))
        if x.shape[0] == 1:
            msg = "expected more than one row"
            raise ValueError(msg)
        return self.normalise(x, *self.batch_stats(x))


class RefusedInEvaluation(_Refusing):
    """A single row is refused in evaluation as well."""

    def eval_call(self, x):
        if x.shape[0] == 1:
            msg = "expected more than one row"
            raise ValueError(msg)
        return super().eval_call(x)


class RefusesTwo(_Refusing):
    """Two rows are refused as well, by a comparison that is off by one."""

    def train_call(self, x):
        if x.shape[0] <= 2:
            msg = "expected more rows"
            raise ValueError(msg)
        return super().train_call(x)


class PositiveFlag(Base):
    """A number as flag evaluates if it is positive: a negative one trains."""

    declares = {"deviations": {Deviation.TRUTHY_FLAG}}

    def __call__(self, x, use_running_average):
        return super().__call__(x, use_running_average > 0)


class _OnePass(Base):
    declares = {"deviations": {Deviation.ONE_PASS_VARIANCE}}

    def batch_stats(self, x):
        mean = jnp.mean(x, axis=0)
        return mean, jnp.maximum(jnp.mean(x * x, axis=0) - mean * mean, 0)


class OnePassNegative(_OnePass):
    """A variance in one pass that cancels to less than 0 is left so, and its root is NaN."""

    def batch_stats(self, x):
        mean = jnp.mean(x, axis=0)
        return mean, jnp.mean(x * x, axis=0) - mean * mean


class OnePassFloored(_OnePass):
    """A variance in one pass is kept from falling below epsilon instead of below 0."""

    def batch_stats(self, x):
        mean, var = super().batch_stats(x)
        return mean, jnp.maximum(var, self.eps)


class _Stored(Base):
    dtype = jnp.bfloat16
    declares = {"deviations": {Deviation.statistics_in("bfloat16")}}

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, momentum, eps, rngs)
        self.running_mean = nnx.Variable(jnp.zeros((d,), self.dtype))
        self.running_var = nnx.Variable(jnp.ones((d,), self.dtype))

    def step(self, running, batch):
        return super().step(running.astype(jnp.float32), batch).astype(self.dtype)

    def eval_call(self, x):
        mean, var = (r[...].astype(jnp.float32) for r in (self.running_mean, self.running_var))
        return self.normalise(x, mean, var)


class StoredStatisticsRoundX(_Stored):
    """Evaluation casts x to the dtype of the statistics."""

    def eval_call(self, x):
        return super().eval_call(x.astype(self.dtype)).astype(jnp.float32)


class StoredStatisticsRoundBatch(_Stored):
    """The statistics of the batch are rounded to that dtype before they normalise."""

    def batch_stats(self, x):
        return tuple(s.astype(self.dtype).astype(x.dtype) for s in super().batch_stats(x))


class StoredMomentumRounded(_Stored):
    """Momentum is rounded to the dtype of the statistics, where .999 is 1."""

    def step(self, running, batch):
        m = jnp.asarray(self.momentum, self.dtype)
        new = m * running + (1 - m) * sg(batch).astype(self.dtype)
        return new.astype(self.dtype)


class OutputHalfMomentsHalf(Base):
    """An output in bfloat16 is made by casting x at the start, statistics and all."""

    declares = {"deviations": {Deviation.output_in("bfloat16")}}

    def batch_stats(self, x):
        return super().batch_stats(x.astype(jnp.bfloat16).astype(jnp.float32))

    def affine(self, h):
        return super().affine(h).astype(jnp.bfloat16)


class OutputHalfSubtractsHalf(OutputHalfMomentsHalf):
    """An output in bfloat16 is made of x and the mean in bfloat16, whose difference cancels."""

    def batch_stats(self, x):
        return Base.batch_stats(self, x)

    def normalise(self, x, mean, var):
        half = jnp.bfloat16
        return self.affine((x.astype(half) - mean.astype(half)) / self.root(var).astype(half))


class _UnbiasedWide(Wide):
    declares = {"wider": DOMAIN, "deviations": {Deviation.UNBIASED_RUNNING_VARIANCE}}

    def counted(self, rows, kept):
        return self.rows_counted(kept)

    def train_step(self, rows, kept):
        mean, var = self.statistics(rows, kept)
        n = self.counted(rows, kept)
        factor = n / jnp.maximum(n - 1, 1)
        self.update(mean, var * factor, self.rows_counted(kept))
        return self.output(rows, mean, var)


class UnbiasedOfAllRows(_UnbiasedWide):
    """The unbiased factor counts the padded rows, too."""

    def counted(self, rows, kept):
        return self.total(jnp.asarray(len(rows)))


class UnbiasedOfShard(_UnbiasedWide):
    """The unbiased factor counts the rows of the shard, the variance is that of all shards."""

    def counted(self, rows, kept):
        return kept.sum()


class UnbiasedOfFirstAxis(_UnbiasedWide):
    """The unbiased factor counts images, the variance pixels."""

    def __call__(self, x, use_running_average, mask=None):
        self._images = x.shape[0] if x.ndim > 2 and self.axis != 0 else 0
        return super().__call__(x, use_running_average, mask)

    def counted(self, rows, kept):
        return jnp.asarray(self._images) if self._images else super().counted(rows, kept)


class AveragedSyncedLocal(Wide):
    """Training by averages normalises with those of the shard, and shares what it stores."""

    declares = {"wider": DOMAIN, "deviations": {Deviation.EMA_NORMALISED_TRAINING}}

    def train_step(self, rows, kept):
        old = self.running_mean[...], self.running_var[...]
        mean, var = self.statistics(rows, kept)
        self.update(mean, var, self.rows_counted(kept))
        local = self.mean_of(rows, kept)
        near = local, self.mean_of(jnp.square(rows - local), kept)
        if not self.synced:
            near = mean, var
        used = [self.moved(o, n, kept.sum()) for o, n in zip(old, near, strict=True)]
        return self.output(rows, *used)


class NewMomentumIgnoredUnderMask(Wide):
    """With a mask, momentum weighs the old value although it is declared to weigh the new."""

    declares = {"wider": DOMAIN, "deviations": {Deviation.MOMENTUM_OF_NEW_VALUE}}

    def __call__(self, x, use_running_average, mask=None):
        self._masked = mask is not None
        return super().__call__(x, use_running_average, mask)

    def moved(self, old, new, count):
        m = self.momentum if self._masked else 1 - self.momentum
        stepped = m * old + (1 - m) * jax.lax.stop_gradient(new)
        return jnp.where(count > 0, stepped, old).astype(old.dtype)
