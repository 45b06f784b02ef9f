"""Deviations from other points, and statistics by other ways."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from jax import lax

from corpus.third.correct.shared import _F32, _HI, _Base, _sg
from corpus.third.correct.sums import _chan


class AssociativeScanMoments(_Base):
    """Every row is a sample of size one; lax.associative_scan merges (count, mean, M2) as a monoid and the last prefix is the whole batch."""

    def _train(self, x):
        n = x.shape[0]
        leaves = (jnp.ones((n, 1), _F32), x, jnp.zeros_like(x))
        count, mean, m2 = (a[-1] for a in lax.associative_scan(_chan, leaves, axis=0))
        var = m2 / count
        dev = x - mean
        return self._affine(dev, var), mean, var


class MedianShift(_Base):
    """Shifts each feature by its (gradient-stopped) median; any constant shift leaves deviations and their gradients unchanged, and the median is near the data."""

    def _train(self, x):
        pivot = _sg(jnp.median(x, axis=0))
        z = x - pivot
        offset = jnp.mean(z, axis=0)
        dev = z - offset
        var = jnp.mean(dev * dev, axis=0)
        return self._affine(dev, var), pivot + offset, var

    def _store(self, mean, var):
        step = 1.0 - self.momentum
        for cell, new in ((self.running_mean, mean), (self.running_var, var)):
            old = cell[...]
            # two-sided interpolation: exact at both ends (momentum 0 and 1)
            value = old + step * (new - old) if step <= 0.5 else new + self.momentum * (old - new)
            cell.set_value(_sg(value))


class RunningMeanShift(_Base):
    """Shifts by the running mean where that is finite and within the spread of the batch, else by the first row; then a corrected two-pass, so the choice only affects rounding."""

    def _train(self, x):
        old, first = self.running_mean[...], x[0]
        spread = jnp.max(x, axis=0) - jnp.min(x, axis=0)
        usable = jnp.isfinite(old) & (jnp.abs(old - first) <= spread)  # False for NaN
        pivot = _sg(jnp.where(usable, old, first))
        z = x - pivot
        m1 = z.sum(axis=0) / x.shape[0]
        dev = z - m1
        comp = dev.sum(axis=0) / x.shape[0]
        var = (dev * dev).sum(axis=0) / x.shape[0] - comp * comp
        # comp is a rounding residue: comp**2 is far below one ulp of var unless var is itself ~0
        var = jnp.maximum(var, 0.0)
        return self._affine(dev - comp, var), pivot + (m1 + comp), var


class SortedSums(_Base):
    """Sorts each feature by value before the mean and the squares before their sum, adding small terms first; a sum does not depend on order and sort is a permutation for gradients."""

    def _train(self, x):
        n = x.shape[0]
        base = x[-1]
        mean = base + jnp.cumsum(jnp.sort(x - base, axis=0), axis=0)[-1] / n
        dev = x - mean
        var = jnp.cumsum(jnp.sort(dev * dev, axis=0), axis=0)[-1] / n
        return self._affine(dev, var), mean, var


class TransposedLaxMap(_Base):
    """Works on x.T and treats one feature at a time in lax.map; features never meet, and the result is transposed back."""

    def _train(self, x):
        def one(args):
            col, g, b = args
            mu = jnp.mean(col)
            c = col - mu
            c = c - jnp.mean(c)
            v = jnp.vdot(c, c, precision=_HI) / col.shape[0]
            return g * c / jnp.sqrt(v + self.eps) + b, mu, v

        y, mean, var = lax.map(one, (x.T, self.gamma[...], self.beta[...]))
        return y.T, mean, var


class PmeanOverRows(_Base):
    """vmaps a one-row function over a named axis and obtains the batch statistics by lax.pmean, as if every row were a device."""

    def _train(self, x):
        axis = "_third_correct_rows"

        def row(r, g, b):
            mean = lax.pmean(r, axis)
            dev = r - mean
            var = lax.pmean(dev * dev, axis)
            return g * (dev / jnp.sqrt(var + self.eps)) + b, mean, var

        return jax.vmap(row, in_axes=(0, None, None), out_axes=(0, None, None), axis_name=axis)(
            x, self.gamma[...], self.beta[...]
        )


class ColumnGroupList(_Base):
    """Splits the features into a Python list of at most six column groups and joins the per-group results; groups are independent by definition of batch norm."""

    def _train(self, x):
        cuts = sorted({round(self.d * k / 6) for k in range(1, 6)} - {0, self.d})
        outs, means, variances = [], [], []
        for part, g, b in zip(
            jnp.split(x, cuts, axis=1),
            jnp.split(self.gamma[...], cuts),
            jnp.split(self.beta[...], cuts),
        ):
            mu = part.mean(0, keepdims=True)
            dev = part - mu
            var = jnp.var(dev, axis=0)  # two-pass, of already centred data
            outs.append(dev * (g / jnp.sqrt(var + self.eps)) + b)
            means.append(mu[0])
            variances.append(var)
        return jnp.hstack(outs), jnp.concatenate(means), jnp.concatenate(variances)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _whiten(x, eps):
    return _whiten_fwd(x, eps)[0]


def _whiten_fwd(x, eps):
    mean = jnp.mean(x, axis=0)
    dev = x - mean
    dev = dev - jnp.mean(dev, axis=0)
    var = jnp.mean(dev * dev, axis=0)
    std = jnp.sqrt(var + eps)
    xhat = dev / std
    return (xhat, mean, var), (xhat, std)


def _whiten_bwd(eps, res, cts):
    xhat, std = res
    ct_hat, ct_mean, ct_var = cts
    n = xhat.shape[0]
    # pull var's cotangent through first: d xhat = d dev/std - xhat/(2 std^2) dvar
    ct_v = ct_var - 0.5 * jnp.sum(ct_hat * xhat, axis=0) / (std * std)
    ct_dev = ct_hat / std + (2.0 / n) * (xhat * std) * ct_v
    return (ct_dev - jnp.mean(ct_dev, axis=0) + ct_mean / n,)


_whiten.defvjp(_whiten_fwd, _whiten_bwd)
