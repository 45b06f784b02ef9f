"""Faulty batch statistics."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from corpus.first.correct.base import Base


class RunningVarBessel(Base):
    """The running variance is fed N/(N-1) times the batch variance, as PyTorch does."""

    def update(self, x, mean, var):
        n = x.shape[0]
        super().update(x, mean, var * n / max(n - 1, 1))


class OutputVarBessel(Base):
    """Training divides by the unbiased (N-1) standard deviation while the running variance is
    biased.
    """

    def train_call(self, x):
        mean, var = self.batch_stats(x)
        self.update(x, mean, var)
        n = x.shape[0]
        return self.normalise(x, mean, var * n / max(n - 1, 1))


class VarAboutRunningMean(Base):
    """The batch variance is taken about the old running mean instead of the batch mean."""

    def batch_stats(self, x):
        return jnp.mean(x, 0), jnp.mean(jnp.square(x - self.running_mean[...]), 0)


class SinglePassVariance(Base):
    """The variance is E[x^2]-E[x]^2 in float32, which cancels when the mean is large."""

    def batch_stats(self, x):
        mean = jnp.mean(x, 0)
        return mean, jnp.maximum(jnp.mean(x * x, 0) - mean * mean, 0.0)


class HalfSquares(Base):
    """The deviations are squared in float16 before they are averaged."""

    def batch_stats(self, x):
        mean = jnp.mean(x, 0)
        c = (x - mean).astype(jnp.float16)
        return mean, jnp.mean((c * c).astype(jnp.float32), 0)


class OddRowDropped(Base):
    """The pairwise reduction leaves out the last row when the number of rows is odd."""

    def batch_stats(self, x):
        n = x.shape[0]
        return super().batch_stats(x[: n - n % 2] if n > 1 else x)


class EqualTileMeans(Base):
    """The mean averages the means of 32-row tiles with equal weight although the last tile may be
    shorter.
    """

    def batch_stats(self, x):
        tiles = [jnp.mean(x[i : i + 32], 0) for i in range(0, x.shape[0], 32)]
        mean = sum(tiles) / len(tiles)
        return mean, jnp.mean(jnp.square(x - mean), 0)


class WithinTileVariance(Base):
    """The variances of 16-row tiles are merged without the spread between the tile means."""

    def batch_stats(self, x):
        n, ss = x.shape[0], 0.0
        for i in range(0, n, 16):
            t = x[i : i + 16]
            ss = ss + jnp.sum(jnp.square(t - jnp.mean(t, 0)), 0)
        return jnp.mean(x, 0), ss / n


class PaddingRowsSkipped(Base):
    """Rows that are entirely zero are taken for padding and left out of the batch statistics."""

    def batch_stats(self, x):
        keep = jnp.any(x != 0, axis=1, keepdims=True).astype(x.dtype)
        n = jnp.maximum(jnp.sum(keep), 1.0)
        mean = jnp.sum(x * keep, 0) / n
        return mean, jnp.sum(jnp.square(x - mean) * keep, 0) / n


class RunningStdStored(Base):
    """The running variance is fed the batch standard deviation."""

    def update(self, x, mean, var):
        super().update(x, mean, jnp.sqrt(var))


class TwoRowShortcut(Base):
    """The closed form for two rows takes (a-b)^2/2 as the variance where (a-b)^2/4 is right."""

    def batch_stats(self, x):
        if x.shape[0] == 2:
            return (x[0] + x[1]) / 2, jnp.square(x[0] - x[1]) / 2
        return super().batch_stats(x)


class LowPrecisionReciprocal(Base):
    """Sums are multiplied by 1/N rounded to bfloat16, wrong unless N is a power of two or the
    like.
    """

    def batch_stats(self, x):
        r = jnp.bfloat16(1.0 / x.shape[0]).astype(jnp.float32)
        mean = jnp.sum(x, 0) * r
        return mean, jnp.sum(jnp.square(x - mean), 0) * r


class RunningMeanOfNormalised(Base):
    """The running mean is fed the mean of the already centred batch."""

    def update(self, x, mean, var):
        super().update(x, jnp.mean(x - mean, 0), var)


class GhostBatches(Base):
    """Batches that are a multiple of 16 rows are normalised in ghost batches of 16 rows."""

    def train_call(self, x):
        n, d = x.shape
        if n <= 16 or n % 16:
            return super().train_call(x)
        self.update(x, *self.batch_stats(x))
        g = x.reshape(n // 16, 16, d)
        mean = jnp.mean(g, 1, keepdims=True)
        var = jnp.mean(jnp.square(g - mean), 1, keepdims=True)
        return self.normalise(g, mean, var).reshape(n, d)


class NumpyPathBessel(Base):
    """NumPy inputs go through a host path whose variance uses ddof=1, JAX inputs do not."""

    def __call__(self, x, use_running_average):
        if isinstance(x, np.ndarray) and not use_running_average and x.shape[0] > 1:
            mean = jnp.asarray(x.mean(axis=0))
            var = jnp.asarray(x.var(axis=0, ddof=1))
            self.update(x, mean, var)
            return self.normalise(jnp.array(x), mean, var)
        return super().__call__(x, use_running_average)
