"""Mistakes that only some numbers of rows or features show."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from corpus.second.correct.base import Plain


class TileTailDropped(Plain):
    """The rows after the last whole tile of 128 are left out of the sums."""

    def moments(self, x):
        n = x.shape[0]
        return super().moments(x[: n // 128 * 128] if n > 128 else x)


class PaddedRowsCounted(Plain):
    """Beyond 64 rows the mean divides by the padded count."""

    def moments(self, x):
        n = x.shape[0]
        padded = -(-n // 8) * 8 if n > 64 else n
        mean = x.sum(axis=0) / padded
        return mean, jnp.square(x - mean).mean(axis=0)


class LaneWrap(Plain):
    """Features beyond the 128 lanes take the scale of the lane they wrap to."""

    def output(self, x, mean, var):
        lanes = jnp.arange(x.shape[1]) % 128
        return (x - mean) / jnp.sqrt(var + self.eps) * self.gamma[...][lanes] + self.beta[...]


class OddRowLost(Plain):
    """Rows are squared in pairs; the last of an odd number is forgotten in the variance."""

    def moments(self, x):
        n = x.shape[0]
        mean = x.mean(axis=0)
        squares = jnp.square(x - mean)
        paired = squares[0 : n - n % 2].reshape(n // 2, 2, -1).sum(axis=(0, 1))
        return mean, paired / n if n > 1 else squares[0]


class GuessedLayout(Plain):
    """A batch with as many rows as features is taken for one with features first."""

    def output(self, x, mean, var):
        if x.shape[0] == self.gamma.shape[0]:
            scale = (self.gamma[...] / jnp.sqrt(var + self.eps))[:, None]
            return (x - mean) * scale + self.beta[...]
        return super().output(x, mean, var)


class SingleRowRemembers(Plain):
    """A single row has no variance, so the running one is taken."""

    def moments(self, x):
        mean, var = super().moments(x)
        return (mean, self.running_var[...]) if x.shape[0] == 1 else (mean, var)


class SingleRowUntracked(Plain):
    """A single row does not count for the running variance."""

    def track(self, x, mean, var):
        super().track(x, mean, var if x.shape[0] > 1 else self.running_var[...])


class ScalarPath(Plain):
    """One feature goes through a scalar path, which divides by N - 1 from 3 rows on."""

    def moments(self, x):
        if x.shape[1] == 1 and x.shape[0] > 2:
            return x.mean(axis=0), x.var(axis=0, ddof=1)
        return super().moments(x)


class ChunksWithoutBetween(Plain):
    """Variances of chunks of 32 rows are averaged; the spread of their means is lost."""

    def moments(self, x):
        n = x.shape[0]
        if n <= 32 or n % 32:
            return super().moments(x)
        chunks = x.reshape(n // 32, 32, -1)
        return x.mean(axis=0), chunks.var(axis=1).mean(axis=0)


class LastChunkOverweighted(Plain):
    """Means of chunks of 64 rows weigh alike, also that of the shorter last one."""

    def moments(self, x):
        parts = [x[i : i + 64].mean(axis=0) for i in range(0, x.shape[0], 64)]
        mean = jnp.stack(parts).mean(axis=0)
        return mean, jnp.square(x - mean).mean(axis=0)


class EverySecondRow(Plain):
    """From 256 rows on, every second row is enough for the variance."""

    def moments(self, x):
        mean, var = super().moments(x)
        return mean, jnp.square(x - mean)[::2].mean(axis=0) if x.shape[0] >= 256 else var


class CountInEightBits(Plain):
    """The count of rows wraps at 256."""

    def moments(self, x):
        n = x.shape[0] % 256 or 256
        mean = x.sum(axis=0) / n
        return mean, jnp.square(x - mean).sum(axis=0) / n


class LastFeatureOfBlock(Plain):
    """Beyond 16 features, if not a multiple of 8, the last takes its neighbour's shift."""

    def output(self, x, mean, var):
        d = x.shape[1]
        beta = self.beta[...]
        if d > 16 and d % 8:
            beta = beta.at[d - 1].set(beta[d - 2])
        return (x - mean) / jnp.sqrt(var + self.eps) * self.gamma[...] + beta


class PairIsSign(Plain):
    """Two rows normalise to plus and minus one, whatever eps is."""

    def output(self, x, mean, var):
        if x.shape[0] == 2 and mean is not None and self._training:
            return jnp.sign(x - mean) * self.gamma[...] + self.beta[...]
        return super().output(x, mean, var)

    def __call__(self, x, use_running_average):
        self._training = not use_running_average
        return super().__call__(x, use_running_average)


class WideRowsInBlocks(Plain):
    """From 64 features on the mean of blocks of 64 features starts at a wrong offset."""

    def moments(self, x):
        mean, var = super().moments(x)
        d = x.shape[1]
        if d > 64 and d % 64:
            tail = mean[d - 64 :][: d % 64]
            mean = jnp.concatenate([mean[: d // 64 * 64], tail])
            var = jnp.square(x - mean).mean(axis=0)
        return mean, var


class UnbiasedForOddRows(Plain):
    """The running variance gets Bessel's factor, but only for more than 16 odd rows."""

    def track(self, x, mean, var):
        n = x.shape[0]
        super().track(x, mean, var * (n / (n - 1)) if n > 16 and n % 2 else var)


class GammaByRowWhenSquare(Plain):
    """In evaluation, gamma is laid along the rows where their number fits."""

    def __call__(self, x, use_running_average):
        y = super().__call__(x, use_running_average)
        if use_running_average and x.shape[0] == x.shape[1]:
            z = (x - self.running_mean[...]) / jnp.sqrt(self.running_var[...] + self.eps)
            return z * self.gamma[...][:, None] + self.beta[...]
        return y


class PowerOfTwoSplit(Plain):
    """A tree of sums that starts at the largest power of two loses what comes after, from 8."""

    def moments(self, x):
        n = x.shape[0]
        if n < 8:
            return super().moments(x)
        size = 1 << (n.bit_length() - 1)
        mean = x.mean(axis=0)
        squares = jnp.square(x - mean)
        total = squares[:size]
        while total.shape[0] > 1:
            total = total[::2] + total[1::2]
        rest = squares[size : size + size // 2].sum(axis=0)
        return mean, (total[0] + rest) / n


class ReciprocalTable(Plain):
    """1/N comes from a table of float16 for N up to 64."""

    def moments(self, x):
        n = x.shape[0]
        share = jnp.float16(1 / n).astype(jnp.float32) if n <= 64 else jnp.float32(1 / n)
        mean = x.mean(axis=0)
        return mean, jnp.square(x - mean).sum(axis=0) * share


class LaxMapOverflow(Plain):
    """Beyond 31 rows a scan over pairs of rows starts from the second pair's sum."""

    def moments(self, x):
        n = x.shape[0]
        if n <= 31:
            return super().moments(x)
        mean = x.mean(axis=0)
        squares = jnp.square(x - mean)
        start = squares[0] * jnp.float32(0.999)
        total, _ = jax.lax.scan(lambda a, row: (a + row, None), start, squares[1:])
        return mean, total / n
