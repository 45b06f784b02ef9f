"""Faults of 16 and 64 bits."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from corpus.wide.correct.base import Wide, WideVjp

_HALF = (jnp.bfloat16, jnp.float16)


class _Halved(Wide):
    """Correct; remembers the dtype of x."""

    def __call__(self, x, use_running_average, mask=None):
        self._x = jnp.asarray(x).dtype
        return super().__call__(x, use_running_average, mask)

    def rounded(self, value):
        return value.astype(self._x).astype(value.dtype) if self._x in _HALF else value


class StatisticsInHalf(_Halved):
    """Mean and variance are kept in the dtype of x."""

    def statistics(self, rows, kept):
        return tuple(map(self.rounded, super().statistics(rows, kept)))


class RunningThroughHalf(_Halved):
    """The new running statistics pass through the dtype of x."""

    def moved(self, old, new, count):
        return self.rounded(super().moved(old, new, count))


class BatchRoundedIntoRunning(_Halved):
    """The batch's statistics are rounded to the dtype of x before the running ones move."""

    def moved(self, old, new, count):
        return super().moved(old, self.rounded(new), count)


class EpsInHalf(_Halved):
    """Epsilon is cast to the dtype of x, where a small one underflows."""

    def inverse_std(self, var):
        return 1 / jnp.sqrt(var + self.rounded(jnp.asarray(self.eps, var.dtype)))


class RunningVarInHalf(_Halved):
    """Evaluation rounds the running variance to the dtype of x before the division."""

    def evaluate(self, rows):
        mean, var = self.running_mean[...], self.running_var[...]
        return self.output(rows, mean.astype(rows.dtype), self.rounded(var.astype(rows.dtype)))


class CentredInHalf(_Halved):
    """The mean is rounded to the dtype of x before it is subtracted from x."""

    def output(self, rows, mean, var):
        return super().output(rows, self.rounded(mean), var)


class RoundedOnTheWay(_Halved):
    """The normalised rows are rounded to the dtype of x although the answer is float32."""

    def affine(self, z):
        return super().affine(self.rounded(z))


class GammaRounded(_Halved):
    """Gamma and beta are rounded to the dtype of x, whatever the dtype of y."""

    def affine(self, z):
        return self.rounded(self.gamma[...]) * z + self.rounded(self.beta[...])


class StatePromoted(Wide):
    """A float64 batch turns the running statistics into float64."""

    def update(self, mean, var, count):
        for held, new in ((self.running_mean, mean), (self.running_var, var)):
            held.set_value(self.moved(held[...].astype(new.dtype), new, count))


class DoubleThroughFloat(Wide):
    """A float64 batch is computed in float32."""

    def widened(self, rows):
        return rows.astype(jnp.float32)


class SquaresInHalf(_Halved):
    """The deviations are squared in float16, which ends at 65504."""

    def statistics(self, rows, kept):
        mean = self.average(rows, kept)
        return mean, self.average(self.rounded(jnp.square(rows - mean)), kept)


class MomentumRounded(_Halved):
    """Momentum is cast to the dtype of x, where .999 is 1."""

    def moved(self, old, new, count):
        m = self.rounded(jnp.asarray(self.momentum, jnp.float32))
        return jnp.where(count > 0, m * old + (1 - m) * jax.lax.stop_gradient(new), old)


class GammaGradientInHalf(_Halved, WideVjp):
    """The hand-written backward pass sums the gradients of gamma and beta in the dtype of x."""

    def summed(self, values):
        if self._x not in _HALF:
            return super().summed(values)
        low = values.astype(self._x)
        return jax.lax.fori_loop(1, len(low), lambda i, total: total + low[i], low[0]).astype(
            jnp.float32
        )


class DtypeIgnoredInEvaluation(Wide):
    """Evaluation answers in float32 although another dtype was asked for."""

    def __call__(self, x, use_running_average, mask=None):
        dtype = self.dtype
        self.dtype = None if use_running_average else dtype
        y = super().__call__(x, use_running_average, mask)
        self.dtype = dtype
        return y


class HalfVarianceOnePass(_Halved):
    """16-bit inputs get E[x^2]-E[x]^2, which cancels even in float32."""

    def statistics(self, rows, kept):
        if self._x not in _HALF:
            return super().statistics(rows, kept)
        mean = self.average(rows, kept)
        return mean, jnp.maximum(self.average(rows * rows, kept) - mean * mean, 0)


class HalfOutputClipped(_Halved):
    """What is asked for in float16 is clipped to 1e4 against overflow."""

    def answered(self, y, x):
        return super().answered(jnp.clip(y, -1e4, 1e4) if self.dtype == "float16" else y, x)
