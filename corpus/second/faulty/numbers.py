"""Mistakes in the arithmetic that only some values show."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from corpus.second.correct.base import Plain


class ShiftedByRunningMean(Plain):
    """One pass over values shifted by the running mean, which may be far."""

    def moments(self, x):
        shifted = x - self.running_mean[...]
        first = shifted.mean(axis=0)
        var = jnp.square(shifted).mean(axis=0) - first**2
        return x.mean(axis=0), jnp.maximum(var, 0)


class OnePassIfNear(Plain):
    """One pass where the mean is below 30 deviations, two beyond."""

    def moments(self, x):
        mean, var = super().moments(x)
        fast = jnp.maximum(jnp.square(x).mean(axis=0) - mean**2, 0)
        return mean, jnp.where(mean**2 < 900 * var, fast, var)


class VarianceFloor(Plain):
    """The running variance never falls below 1e-6."""

    def track(self, x, mean, var):
        super().track(x, mean, var)
        self.running_var[...] = jnp.maximum(self.running_var[...], 1e-6)


class OneNewtonStep(Plain):
    """The reciprocal root of bfloat16 is refined once only."""

    def output(self, x, mean, var):
        v = var + self.eps
        r = jax.lax.rsqrt(v.astype(jnp.bfloat16)).astype(jnp.float32)
        r = r * (1.5 - 0.5 * v * r * r)
        return (x - mean) * r * self.gamma[...] + self.beta[...]


class EpsUnlessLarger(Plain):
    """The larger of variance and eps is taken where the variance is tiny."""

    def output(self, x, mean, var):
        v = jnp.where(var < self.eps * 1e-2, self.eps, var + self.eps)
        return (x - mean) / jnp.sqrt(v) * self.gamma[...] + self.beta[...]


class EpsClamped(Plain):
    """An eps below 1e-7 is raised."""

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, momentum, max(eps, 1e-7), rngs)


class EpsAtMostOne(Plain):
    """An eps above one is lowered."""

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, momentum, min(eps, 1.0), rngs)


class NanSkipped(Plain):
    """Rows that are not a number are skipped."""

    def moments(self, x):
        return jnp.nanmean(x, axis=0), jnp.nanvar(x, axis=0)


class Denoised(Plain):
    """Deviations below a millionth are taken for noise."""

    def output(self, x, mean, var):
        centred = x - mean
        centred = jnp.where(jnp.abs(centred) < 1e-6, 0, centred)
        return centred / jnp.sqrt(var + self.eps) * self.gamma[...] + self.beta[...]


class ClippedOutliers(Plain):
    """Normalised values are clipped at 1000."""

    def output(self, x, mean, var):
        z = jnp.clip((x - mean) / jnp.sqrt(var + self.eps), -1e3, 1e3)
        return z * self.gamma[...] + self.beta[...]


class MomentumInHalf(Plain):
    """The momentum is kept in float16."""

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, float(np.float16(momentum)), eps, rngs)


class MomentumZeroIsDefault(Plain):
    """A momentum of zero counts as not given."""

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, momentum or 0.9, eps, rngs)


class MomentumOneAverages(Plain):
    """A momentum of one means a plain average over all batches."""

    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, momentum, eps, rngs)
        self.seen = nnx.BatchStat(jnp.zeros(()))

    def track(self, x, mean, var):
        if self.momentum != 1:
            return super().track(x, mean, var)
        self.seen[...] += 1
        share = 1 / self.seen[...]
        self.running_mean[...] += share * (mean - self.running_mean[...])
        self.running_var[...] += share * (var - self.running_var[...])
        return None


class VarianceAboutRunning(Plain):
    """The tracked variance is about the mean of running and batch mean."""

    def track(self, x, mean, var):
        super().track(x, mean, var)
        m = self.momentum
        gap = mean - self.running_mean[...]
        self.running_var[...] += (1 - m) * m * jnp.square(gap)


class ConstantColumnZero(Plain):
    """A column without spread is given zeros, without the shift."""

    def output(self, x, mean, var):
        return jnp.where(var == 0, 0.0, super().output(x, mean, var))


class ConstantColumnUntracked(Plain):
    """A column without spread does not move the running variance."""

    def track(self, x, mean, var):
        super().track(x, mean, jnp.where(var == 0, self.running_var[...], var))


class ZeroGammaIsOne(Plain):
    """A scale of exactly zero counts as not set, in evaluation."""

    def __call__(self, x, use_running_average):
        if not use_running_average:
            return super().__call__(x, use_running_average)
        gamma = jnp.where(self.gamma[...] == 0, 1, self.gamma[...])
        z = (x - self.running_mean[...]) / jnp.sqrt(self.running_var[...] + self.eps)
        return z * gamma + self.beta[...]


class PaddingTrimmed(Plain):
    """Rows of zeros at the end of the batch are taken for padding."""

    def moments(self, x):
        used = jnp.any(x != 0, axis=1)
        kept = jnp.flip(jnp.cumsum(jnp.flip(used)) > 0)
        weights = kept.astype(x.dtype)[:, None]
        count = jnp.maximum(weights.sum(), 1)
        mean = (x * weights).sum(axis=0) / count
        return mean, (jnp.square(x - mean) * weights).sum(axis=0) / count


class RatherRound(Plain):
    """Inputs that are all whole numbers take a path with means of bfloat16 precision."""

    def moments(self, x):
        mean, var = super().moments(x)
        whole = jnp.all(x == jnp.round(x))
        return mean, jnp.where(whole, var.astype(jnp.bfloat16).astype(var.dtype), var)


class SplitMomentum(Plain):
    """The complement of the momentum is rounded to three digits."""

    def track(self, x, mean, var):
        m, rest = self.momentum, round(1 - self.momentum, 3)
        self.running_mean[...] = m * self.running_mean[...] + rest * mean
        self.running_var[...] = m * self.running_var[...] + rest * var


class LargeMeanCast(Plain):
    """Beyond a magnitude of 1e6 the running mean is kept to eleven bits."""

    def track(self, x, mean, var):
        short = mean.astype(jnp.bfloat16).astype(mean.dtype)
        super().track(x, jnp.where(jnp.abs(mean) > 1e6, short, mean), var)


class StandardDeviationAveraged(Plain):
    """The root of the variance is averaged over steps for momenta above one half."""

    def track(self, x, mean, var):
        old, m = self.running_var[...], self.momentum
        super().track(x, mean, var)
        if m > 0.5:
            self.running_var[...] = jnp.square(m * jnp.sqrt(old) + (1 - m) * jnp.sqrt(var))
