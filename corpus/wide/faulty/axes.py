"""Faulty axes."""

from __future__ import annotations

import jax.numpy as jnp

from corpus.wide.correct.base import Wide, WideVjp


class BackBySwap(Wide):
    """The features are moved to the end, and swapped back: wrong from two axes away on."""

    def features_back(self, y, shape):
        return jnp.swapaxes(y.reshape(shape), self.axis, -1)


class NegativeIsLast(Wide):
    """Any negative axis is read as the last if there are as many features there."""

    def __call__(self, x, use_running_average, mask=None):
        axis = self.axis
        if axis < 0 and x.shape[-1] == self.gamma.shape[0]:
            self.axis = -1
        y = super().__call__(x, use_running_average, mask)
        self.axis = axis
        return y


class WithinPositionVariance(Wide):
    """Inputs of rank 3 get the average over positions of the variance within each."""

    def __call__(self, x, use_running_average, mask=None):
        self._positions = x.shape[1] if x.ndim == 3 and self.axis in (-1, 2) else 1
        return super().__call__(x, use_running_average, mask)

    def statistics(self, rows, kept):
        if self._positions == 1 or self.synced:
            return super().statistics(rows, kept)
        x = rows.reshape(-1, self._positions, rows.shape[-1])
        k = kept.reshape(-1, self._positions, 1)
        n = k.sum(0)
        mean = jnp.where(k, x, 0).sum(0) / jnp.maximum(n, 1)
        var = jnp.where(k, jnp.square(x - mean), 0).sum(0) / jnp.maximum(n, 1)
        some = jnp.maximum((n > 0).sum(), 1)
        return self.average(rows, kept), jnp.where(n > 0, var, 0).sum(0) / some


class AxisOrLast(Wide):
    """Axis 0 is falsy and so becomes the last."""

    def __call__(self, x, use_running_average, mask=None):
        axis = self.axis
        if x.shape[axis or -1] == self.gamma.shape[0]:
            self.axis = axis or -1
        y = super().__call__(x, use_running_average, mask)
        self.axis = axis
        return y


class AffineOnLastIfItFits(Wide):
    """Gamma and beta broadcast along the last axis where that has as many elements."""

    def features_back(self, y, shape):
        y = super().features_back(y, shape)
        if y.ndim < 3 or y.shape[-1] != self.gamma.shape[0]:
            return y
        per = jnp.moveaxis(y, self.axis, -1)
        z = jnp.moveaxis((per - self.beta[...]) / self.gamma[...], -1, self.axis)
        return z * self.gamma[...] + self.beta[...]


class RankFivePerFrame(Wide):
    """Beyond rank 4 the statistics are those of the first frame."""

    def statistics(self, rows, kept):
        if self._rank > 4:
            half = (len(rows) + 1) // 2
            return super().statistics(rows[:half], kept[:half])
        return super().statistics(rows, kept)

    def __call__(self, x, use_running_average, mask=None):
        self._rank = x.ndim
        return super().__call__(x, use_running_average, mask)


class VjpCountsFirstAxis(WideVjp):
    """The hand-written backward pass divides by the length of the first axis alone."""

    def __call__(self, x, use_running_average, mask=None):
        self._rank, self._first = x.ndim, x.shape[0]
        return super().__call__(x, use_running_average, mask)

    def divisor(self, z, kept):
        n = super().divisor(z, kept)
        return jnp.float32(self._first) if self._rank > 2 and self.axis != 0 else n


class EvaluatesOnLast(Wide):
    """Evaluation has the features on the last axis where that has as many elements."""

    def __call__(self, x, use_running_average, mask=None):
        axis = self.axis
        if use_running_average and x.shape[-1] == self.gamma.shape[0]:
            self.axis = -1
        y = super().__call__(x, use_running_average, mask)
        self.axis = axis
        return y


class ChannelsFirstUnmoved(Wide):
    """For axis 1 of rank 4 a reshape takes the place of a transposition."""

    def features_last(self, x):
        if x.ndim == 4 and self.axis == 1:
            return x.reshape(x.shape[0], x.shape[2], x.shape[3], x.shape[1])
        return super().features_last(x)

    def features_back(self, y, shape):
        if len(shape) == 4 and self.axis == 1:
            return y.reshape(shape[0], shape[3], shape[1], shape[2])
        return super().features_back(y, shape)


class SpatialOnesSqueezed(Wide):
    """Spatial axes of length 1 are dropped from the output."""

    def answered(self, y, x):
        y = super().answered(y, x)
        return y.reshape(y.shape[0], y.shape[-1]) if y.ndim == 4 and y.shape[1:3] == (1, 1) else y


class RunningPerImage(Wide):
    """With more axes, the running variance is the average of each image's own variance."""

    def __call__(self, x, use_running_average, mask=None):
        self._images = x.shape[0] if x.ndim > 2 and self.axis != 0 and not self.synced else 1
        return super().__call__(x, use_running_average, mask)

    def train_step(self, rows, kept):
        if self._images <= 1 or len(rows) % self._images:
            return super().train_step(rows, kept)
        y = super().train_step(rows, kept)
        x = rows.reshape(self._images, -1, rows.shape[-1])
        var = jnp.var(x, axis=1).mean(0)
        m = self.momentum
        new = jnp.var(rows, axis=0)
        self.running_var[...] += ((1 - m) * (var - new)).astype(jnp.float32)
        return y
