"""Correct layers: sums that keep more digits, and other shapes of the reduction."""

from __future__ import annotations

import functools
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from corpus.first.correct.shared import _HI, F32, _FromMoments, _Plain


def _two_sum(a, b):
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


class CompensatedTwoPass(_FromMoments):
    """Two passes, each with a running error term (Knuth's two-sum) carried through a scan."""

    @staticmethod
    @jax.jit
    def _total(a):
        def step(carry, row):
            total, lost = carry
            total, error = _two_sum(total, row)
            return (total, lost + error), None

        zero = jnp.zeros_like(a[0])
        (total, lost), _ = lax.scan(step, (zero, zero), a)
        return total + lost

    def moments(self, x):
        n = x.shape[0]
        mean = self._total(x) / n
        return mean, self._total(jnp.square(x - mean)) / n


def _two_prod(a, b):
    """Exact product of two float32 as a pair; operands are split by masking their low bits."""

    def split(v):
        bits = lax.bitcast_convert_type(v, jnp.uint32) & jnp.uint32(0xFFFFF000)
        hi = lax.bitcast_convert_type(bits, F32)
        return hi, v - hi

    p = a * b
    (ah, al), (bh, bl) = split(a), split(b)
    return p, ((ah * bh - p) + ah * bl + al * bh) + al * bl


def _df_add(a, b):
    s, e = _two_sum(a[0], b[0])
    return _two_sum(s, e + a[1] + b[1])


@jax.custom_jvp
@jax.jit
def _double_float_moments(x):
    n = jnp.full_like(x[0], x.shape[0])
    zero = jnp.zeros_like(x[0])

    def divide(a):
        q = a[0] / n
        p, e = _two_prod(q, n)
        return _two_sum(q, ((a[0] - p) - e + a[1]) / n)

    def step(carry, row):
        total, squares = carry
        return (_df_add(total, (row, zero)), _df_add(squares, _two_prod(row, row))), None

    (total, squares), _ = lax.scan(step, ((zero, zero), (zero, zero)), x - x[0])
    mean = divide(total)
    p, e = _two_prod(mean[0], mean[0])
    square = divide(squares)
    var = _df_add(square, (-p, -(e + 2 * mean[0] * mean[1])))
    return x[0] + (mean[0] + mean[1]), jnp.maximum(var[0] + var[1], 0.0)


@_double_float_moments.defjvp
def _double_float_moments_jvp(primals, tangents):
    (x,), (t,) = primals, tangents
    mean, var = _double_float_moments(x)
    return (mean, var), (jnp.mean(t, axis=0), 2 * jnp.mean((x - mean) * t, axis=0))


class DoubleFloatOnePass(_FromMoments):
    """One pass, E[z^2] - E[z]^2, but in double-float pairs on z = x - x[0]; derivative by hand."""

    def moments(self, x):
        return _double_float_moments(x)


class FeaturesFirst(_Plain):
    """Works on the transpose: the layer computes on (D, N) and transposes back at the end."""

    def __call__(self, x, use_running_average):
        xt = jnp.swapaxes(jnp.asarray(x, F32), 0, 1)
        if use_running_average:
            mean, var = self.running_mean[...][:, None], self.running_var[...][:, None]
        else:
            mean = xt.mean(axis=-1, keepdims=True)
            var = jnp.square(xt - mean).mean(axis=-1, keepdims=True)
            self._remember(mean.squeeze(-1), var.squeeze(-1))
        yt = (xt - mean) * lax.rsqrt(var + self.eps)
        return (yt * self.gamma[...][:, None] + self.beta[...][:, None]).T


class ColumnVmap(_Plain):
    """A function of one scalar feature, mapped over the columns with jax.vmap."""

    @staticmethod
    def _train_column(column, gamma, beta, eps):
        mean = jnp.sum(column) / column.size
        centred = column - mean
        var = jnp.vdot(centred, centred, precision=_HI) / column.size
        return gamma * centred / jnp.sqrt(var + eps) + beta, mean, var

    @staticmethod
    def _eval_column(column, gamma, beta, mean, var, eps):
        return gamma * (column - mean) / jnp.sqrt(var + eps) + beta

    def __call__(self, x, use_running_average):
        x = jnp.asarray(x, F32)
        g, b = self.gamma[...], self.beta[...]
        if use_running_average:
            one = functools.partial(self._eval_column, eps=self.eps)
            over = jax.vmap(one, in_axes=(1, 0, 0, 0, 0), out_axes=1)
            return over(x, g, b, self.running_mean[...], self.running_var[...])
        one = functools.partial(self._train_column, eps=self.eps)
        y, mean, var = jax.vmap(one, in_axes=(1, 0, 0), out_axes=(1, 0, 0))(x, g, b)
        self._remember(mean, var)
        return y


class RowPmean(_Plain):
    """A function of one row, vmapped with a named axis; the batch statistics are lax.pmean's."""

    AXIS: ClassVar[str] = "rows of RowPmean"

    def __call__(self, x, use_running_average):
        x = jnp.asarray(x, F32)
        if use_running_average:
            return self._affine(x, self.running_mean[...], self.running_var[...])

        def one(row):
            mean = lax.pmean(row, self.AXIS)
            var = lax.pmean(lax.square(row - mean), self.AXIS)
            return (row - mean) * lax.rsqrt(var + self.eps), mean, var

        normal, mean, var = jax.vmap(one, axis_name=self.AXIS, out_axes=(0, None, None))(x)
        self._remember(mean, var)
        return normal * self.gamma[...] + self.beta[...]


class MedianPivot(_FromMoments):
    """One pass on data shifted by its median, which is never a standard deviation from the mean."""

    def moments(self, x):
        pivot = lax.stop_gradient(jnp.median(x, axis=0))
        z = x - pivot
        first, second = jnp.mean(z, axis=0), jnp.mean(z * z, axis=0)
        return pivot + first, jnp.maximum(second - first * first, 0.0)


class CorrectedTwoPass(_FromMoments):
    """The corrected two-pass algorithm: what is left of the mean leaves the variance."""

    def moments(self, x):
        rough = lax.stop_gradient(jnp.mean(x, axis=0))
        z = x - rough
        rest = jnp.mean(z, axis=0)
        return rough + rest, jnp.maximum(jnp.mean(z * z, axis=0) - rest * rest, 0.0)


class WindowReduce(_FromMoments):
    """Sums by lax.reduce_window with one window as tall as the batch."""

    @staticmethod
    def _total(a):
        window = (a.shape[0], 1)
        return lax.reduce_window(a, np.float32(0), lax.add, window, (1, 1), "VALID")[0]

    def moments(self, x):
        n = x.shape[0]
        anchor = lax.stop_gradient(x[0])
        mean = anchor + self._total(x - anchor) / n
        return mean, self._total(jnp.square(x - mean)) / n


class ScaledSquares(_FromMoments):
    """Deviations are divided by a power of two near their maximum before they are squared."""

    def moments(self, x):
        mean = jnp.mean(x, axis=0)
        z = x - mean
        top = lax.stop_gradient(jnp.max(jnp.abs(z), axis=0))
        _, exponent = jnp.frexp(jnp.where(top > 0, top, 1.0))
        unit = lax.stop_gradient(jnp.ldexp(jnp.ones_like(top), exponent))
        return mean, jnp.mean(jnp.square(z / unit), axis=0) * unit * unit
