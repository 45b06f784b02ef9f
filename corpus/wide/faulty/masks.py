"""Faulty masks."""

from __future__ import annotations

import jax.numpy as jnp

from corpus.wide.correct.base import Wide, WideVjp


class MaskTimesX(Wide):
    """Padded rows are multiplied by zero, which leaves NaN where they hold inf or NaN."""

    def cleaned(self, rows, kept):
        return rows

    def average(self, values, kept):
        count = self.rows_counted(kept).astype(values.dtype)
        return self.total((values * kept).sum(0)) / jnp.maximum(count, 1)


class MaskedVarianceOverAll(Wide):
    """The mean divides by the rows that count, the variance by all rows."""

    def statistics(self, rows, kept):
        mean = self.average(rows, kept)
        squares = jnp.where(kept, jnp.square(rows - mean), 0).sum(0)
        return mean, self.total(squares) / self.total(jnp.float32(len(rows)))


class PaddingZerosInVariance(Wide):
    """Padding is zeroed before the deviations are squared, so each padded row adds mean squared."""

    def statistics(self, rows, kept):
        mean, count = self.average(rows, kept), self.rows_counted(kept)
        squares = jnp.square(jnp.where(kept, rows, 0) - mean).sum(0)
        return mean, self.total(squares) / jnp.maximum(count, 1)


class RunningUnmasked(Wide):
    """The output obeys the mask, the running statistics are those of all rows."""

    def cleaned(self, rows, kept):
        return rows

    def train_step(self, rows, kept):
        every = jnp.ones_like(kept)
        self.update(*self.statistics(rows, every), self.rows_counted(every))
        return self.output(rows, *self.statistics(jnp.where(kept, rows, 0), kept))


class EmptyMaskDecays(Wide):
    """A batch in which nothing counts still moves the running statistics, towards 0."""

    def update(self, mean, var, count):
        super().update(mean, var, jnp.maximum(count, 1))


class CountPlusSmall(Wide):
    """The number of rows that count gets 1e-5 against a division by zero."""

    def average(self, values, kept):
        count = self.rows_counted(kept).astype(values.dtype)
        return self.total(jnp.where(kept, values, 0).sum(0)) / (count + 1e-5)


class CountInHalf(Wide):
    """The mask is cast to the dtype of x and summed there, so bfloat16 cannot count to 257."""

    def __call__(self, x, use_running_average, mask=None):
        self._half = jnp.asarray(x).dtype
        return super().__call__(x, use_running_average, mask)

    def rows_counted(self, kept):
        return self.total(kept.astype(self._half).sum()).astype(jnp.float32)


class CountInInt8(Wide):
    """The mask is summed in int8, which ends at 127."""

    def rows_counted(self, kept):
        return self.total(kept.sum(dtype=jnp.int8))


class MaskedVjpDividesByAll(WideVjp):
    """The hand-written backward pass divides its sums by all rows, masked or not."""

    def divisor(self, z, kept):
        return self.total(jnp.float32(len(z)))


class MaskedRowsPullBack(WideVjp):
    """The hand-written backward pass gives padded rows their share of the statistics' gradient."""

    def pulled(self, res, dy):
        return super().pulled((*res[:3], jnp.ones_like(res[3])), dy)


class MaskAlongFeatures(Wide):
    """A mask whose length equals the number of features is broadcast along them."""

    def counting(self, mask, rows):
        if mask is not None and mask.shape == (rows.shape[1],):
            return jnp.broadcast_to(mask, rows.shape)
        return super().counting(mask, rows)

    def rows_counted(self, kept):
        return self.total(kept[:, :1].sum())


class MaskAsLength(Wide):
    """The mask is turned into a length, as if padding were always at the end."""

    def counting(self, mask, rows):
        kept = super().counting(mask, rows)
        return jnp.arange(len(rows))[:, None] < kept.sum()


class MaskOfFirstSequence(Wide):
    """With more axes, the mask of the first sequence is used for all."""

    def counting(self, mask, rows):
        if mask is not None and mask.ndim > 1:
            mask = jnp.broadcast_to(mask[:1], mask.shape)
        return super().counting(mask, rows)


class MomentumByFraction(Wide):
    """A batch weighs less in the running statistics the more of it is padding."""

    def train_step(self, rows, kept):
        self._part = self.rows_counted(kept) / self.total(jnp.float32(len(rows)))
        return super().train_step(rows, kept)

    def moved(self, old, new, count):
        stepped = super().moved(old, new, count)
        return old + self._part * (stepped - old)


class OneRowCountedSkips(Wide):
    """No update if only one row counts, since its variance is zero."""

    def moved(self, old, new, count):
        return jnp.where(count > 1, super().moved(old, new, count), old)


class MaskDropsUpdateIfAnyPadding(Wide):
    """Batches with a padded first row do not move the running variance."""

    def train_step(self, rows, kept):
        before = self.running_var[...]
        y = super().train_step(rows, kept)
        self.running_var[...] = jnp.where(kept[0, 0], self.running_var[...], before)
        return y


class PaddingCentred(Wide):
    """Padding is filled with the running mean and counted in the variance."""

    def statistics(self, rows, kept):
        mean = self.average(rows, kept)
        filled = jnp.where(kept, rows, self.running_mean[...])
        var = jnp.square(filled - mean).sum(0) / len(rows)
        return mean, var if self.axis_name is None else self.total(var) / self.total(1)
