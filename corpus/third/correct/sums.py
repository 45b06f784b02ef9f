"""Sums in unusual orders, forms and precisions."""

from __future__ import annotations

import functools
import operator

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax

from corpus.third.correct.shared import _F32, _HI, _Base, _bn_pullback, _sg, _two_sum


class ReverseNeumaier(_Base):
    """Sums rows from last to first with Neumaier compensation; compensation terms carry no gradient, so the derivative is that of the plain sum."""

    @staticmethod
    def _sum(rows):
        zero = jnp.zeros(rows.shape[1:], _F32)

        def step(carry, row):
            total, comp = carry
            new, err = _two_sum(total, row)
            return (new, comp + _sg(err)), None

        (total, comp), _ = lax.scan(step, (zero, zero), rows, reverse=True)
        return total + comp

    def _train(self, x):
        n = x.shape[0]
        mean = self._sum(x) / n
        dev = x - mean
        slip = self._sum(dev) / n  # rounding error of the mean
        dev = dev - slip
        var = self._sum(dev * dev) / n
        return self._affine(dev, var), mean + slip, var


class TreeFold(_Base):
    """Pads with zero rows to a power of two and folds the array in half until one row is left (pairwise sum); padding is added after centring, so it never enters the variance."""

    @staticmethod
    def _fold(a):
        size = 1
        while size < a.shape[0]:
            size *= 2
        a = jnp.concatenate([a, jnp.zeros((size - a.shape[0], a.shape[1]), _F32)], axis=0)
        while a.shape[0] > 1:
            half = a.shape[0] // 2
            a = a[:half] + a[half:]
        return a[0]

    def _train(self, x):
        recip = np.float32(1.0) / np.float32(x.shape[0])
        mean = self._fold(x) * recip
        dev = x - mean
        var = self._fold(lax.square(dev)) * recip
        return self._affine(dev, var), mean, var


class DoubleFloatMean(_Base):
    """Keeps the batch mean as an unevaluated sum of two floats, hi + lo, from a two-sum tree, so deviations are accurate to the last bits even at huge offsets."""

    @staticmethod
    def _tree(hi, lo):
        while hi.shape[0] > 1:
            n = hi.shape[0]
            half = n // 2
            s, e = _two_sum(hi[0 : 2 * half : 2], hi[1 : 2 * half : 2])
            low = lo[0 : 2 * half : 2] + lo[1 : 2 * half : 2] + _sg(e)
            hi = jnp.concatenate([s, hi[2 * half :]], axis=0)
            lo = jnp.concatenate([low, lo[2 * half :]], axis=0)
        return hi[0], lo[0]

    def _train(self, x):
        n = x.shape[0]
        hi, lo = self._tree(x, jnp.zeros_like(x))
        mean_hi = lax.optimization_barrier((hi + lo) / n)  # one rounding, the same for every use
        rest = x - mean_hi
        r_hi, r_lo = self._tree(rest, jnp.zeros_like(rest))
        mean_lo = (r_hi + r_lo) / n
        dev = rest - mean_lo
        v_hi, v_lo = self._tree(dev * dev, jnp.zeros_like(dev))
        var = (v_hi + v_lo) / n
        return self._affine(dev, var), mean_hi + mean_lo, var


def _chan(a, b):
    (na, ma, sa), (nb, mb, sb) = a, b
    n = na + nb
    delta = mb - ma
    return n, ma + delta * (nb / n), sa + sb + delta * delta * (na * nb / n)


class ChanHalves(_Base):
    """Splits the batch recursively into halves, two-pass at the leaves, and merges count, mean and M2 by Chan's formula, which is exact in exact arithmetic."""

    def _moments(self, rows, leaf):
        n = rows.shape[0]
        if n <= leaf:
            if n <= 8:
                m = functools.reduce(operator.add, [rows[i] for i in range(n)]) / n
            else:
                m = rows.sum(0) / n
            return n, m, ((rows - m) ** 2).sum(0)
        return _chan(self._moments(rows[: n // 2], leaf), self._moments(rows[n // 2 :], leaf))

    def _train(self, x):
        n, mean, m2 = self._moments(x, max(8, x.shape[0] // 8))
        var = m2 / n
        return self._affine(x - mean, var), mean, var


class BlocksOfEight(_Base):
    """Scans over blocks of eight rows merging each block's own moments into the carry, then merges the tail of up to seven rows; short batches are tail only."""

    def _train(self, x):
        n = x.shape[0]
        full = n // 8
        count, mean, m2 = None, None, None
        if full:
            blocks = x[: 8 * full].reshape(full, 8, self.d)
            bm = blocks.mean(axis=1)
            bs = jnp.square(blocks - bm[:, None, :]).sum(axis=1)

            def merge(carry, item):
                return _chan(carry, (_F32(8.0), item[0], item[1])), None

            (count, mean, m2), _ = lax.scan(merge, (_F32(8.0), bm[0], bs[0]), (bm[1:], bs[1:]))
        tail = x[8 * full :]
        if tail.shape[0]:
            tm = tail.mean(axis=0)
            piece = (_F32(tail.shape[0]), tm, jnp.square(tail - tm).sum(axis=0))
            count, mean, m2 = piece if not full else _chan((count, mean, m2), piece)
        var = m2 / count
        return self._affine(x - mean, var), mean, var


class MatmulWithOnes(_Base):
    """Every reduction is a matrix product with a row of ones at highest precision, with one correction sweep for the mean; columns of a product do not mix, so NaN stays put."""

    def _train(self, x):
        n = x.shape[0]
        ones = jnp.ones((1, n), _F32)
        total = functools.partial(jnp.matmul, precision=_HI)
        mean0 = total(ones, x) / n
        dev = x - mean0
        fix = total(ones, dev) / n
        dev = dev - fix
        var = (total(ones, dev * dev) / n)[0]
        return self._affine(dev, var), (mean0 + fix)[0], var


class EinsumOnFirstRowShift(_Base):
    """Subtracts the first row, then does everything with einsum; the second moment is taken of the centred shifts, so no cancellation happens."""

    def __call__(self, x, use_running_average, *, return_stats=False):
        x = jnp.asarray(x).astype(_F32)
        (n, d) = x.shape
        assert d == self.gamma[...].shape[0], "wrong number of features"
        if use_running_average:
            scale = jnp.reciprocal(jnp.sqrt(self.running_var[...] + self.eps))
            y = (
                jnp.einsum(
                    "nd,d,d->nd", x - self.running_mean[...], scale, self.gamma[...], precision=_HI
                )
                + self.beta[...]
            )
            return (y, None) if return_stats else y
        first = x[0]
        shifted = x - first
        mu = jnp.einsum("nd->d", shifted) / n
        dev = shifted - mu
        var = jnp.einsum("nd,nd->d", dev, dev, precision=_HI) / n
        y = (
            jnp.einsum("nd,d->nd", dev / jnp.sqrt(var + self.eps), self.gamma[...], precision=_HI)
            + self.beta[...]
        )
        self._store(first + mu, var)
        return (y, (_sg(first + mu), _sg(var))) if return_stats else y


def _lax_reduce_sum(a):
    def combine(p, q):
        s, e = _two_sum(p[0], q[0])
        return s, p[1] + q[1] + e

    zero = np.float32(0)
    hi, lo = lax.reduce((a, jnp.zeros_like(a)), (zero, zero), combine, (0,))
    return hi + lo


def _lr_stats(x):
    n = x.shape[0]
    mean = _lax_reduce_sum(x) / n
    dev = x - mean
    return mean, dev, _lax_reduce_sum(dev * dev) / n


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def _lr_bn(x, gamma, beta, eps):
    mean, dev, var = _lr_stats(x)
    return gamma * (dev * lax.rsqrt(var + eps)) + beta, mean, var


def _lr_fwd(x, gamma, beta, eps):
    mean, dev, var = _lr_stats(x)
    inv = 1.0 / jnp.sqrt(var + eps)
    return (gamma * (dev * inv) + beta, mean, var), (dev, inv, gamma)


def _lr_bwd(eps, res, cts):
    dev, inv, gamma = res
    return _bn_pullback(dev.shape[0], dev, inv, gamma, *cts)


_lr_bn.defvjp(_lr_fwd, _lr_bwd)


class VariadicLaxReduce(_Base):
    """Uses a two-operand lax.reduce whose monoid is double-float addition (not differentiable by JAX), inside a custom_vjp with the closed-form pullback of y, mean and var."""

    def _train(self, x):
        return _lr_bn(x, self.gamma[...], self.beta[...], self.eps)


class ForiWelford(nnx.Module):
    """Welford's recurrence in a fori_loop with static bounds (hence differentiable) over rows shifted by the first one, so that the running mean of the loop does not stagnate."""

    def __init__(self, d, momentum, eps, rngs):
        self.gamma, self.beta = (
            nnx.Param(jnp.full((d,), 1.0, _F32)),
            nnx.Param(jnp.full((d,), 0.0, _F32)),
        )
        self.running_mean, self.running_var = (
            nnx.Variable(jnp.zeros(d, _F32)),
            nnx.Variable(jnp.ones(d, _F32)),
        )
        self.hyper = (int(d), float(momentum), float(eps))

    def __call__(self, x, use_running_average):
        d, momentum, eps = self.hyper
        x = jnp.array(x, _F32)
        if x.shape[1:] != (d,):
            raise TypeError(f"need {d} features, got shape {x.shape}")
        if not use_running_average:
            z = x - x[0]

            def body(i, state):
                m, s = state
                delta = z[i] - m
                m = m + delta / (i + 1).astype(_F32)
                return m, s + delta * (z[i] - m)

            m, s = lax.fori_loop(1, x.shape[0], body, (z[0], z[0] * 0.0))
            var = s / x.shape[0]
            mean, dev = x[0] + m, z - m
            old_m, old_v = self.running_mean.get_value(), self.running_var.get_value()
            keep = 1.0 - momentum
            self.running_mean.set_value(_sg(old_m * momentum + mean * keep))
            self.running_var.set_value(_sg(old_v * momentum + var * keep))
        else:
            dev, var = x - self.running_mean.get_value(), self.running_var.get_value()
        return dev * (self.gamma.get_value() / jnp.sqrt(var + eps)) + self.beta.get_value()
