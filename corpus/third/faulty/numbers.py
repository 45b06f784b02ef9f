"""Mistakes in numbers, gradients and modes."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from corpus.third.correct.base import _Plain, _sg, _traced


class OnePassShiftedByRunningMean(_Plain):
    """One-pass variance shifted by running_mean: cancels while running_mean is far from a big offset."""

    def _stats(self, x):
        k = _sg(self.running_mean[...])
        first = jnp.mean(x - k, axis=0)
        second = jnp.mean((x - k) ** 2, axis=0)
        return first + k, jnp.maximum(second - first * first, 0.0)


class OnePassUnderTrace(_Plain):
    """E[x^2] - E[x]^2 when x is traced (jit, vmap, grad of x), two-pass eagerly: bad at big offsets."""

    def _stats(self, x):
        if not _traced(x):
            return super()._stats(x)
        mean = jnp.mean(x, axis=0)
        return mean, jnp.maximum(jnp.mean(x * x, axis=0) - mean * mean, 0.0)


class ScalarShift(_Plain):
    """Shifts every feature by the single number x[0, 0]: small features drown, NaN/inf there spread."""

    def _train(self, x):
        s = _sg(x[0, 0])
        xs = x - s
        mean, var = self._stats(xs)
        self._update(_sg(mean + s), _sg(var), x.shape[0])
        return self._apply(xs, mean, var)


class RelativeCutoff(_Plain):
    """Variances under 1e-7 of the largest feature's count as 0 (huge ratio of scales)."""

    def _stats(self, x):
        mean, var = super()._stats(x)
        return mean, jnp.where(var < 1e-7 * jnp.max(var), 0.0, var)


class StdThenSquare(_Plain):
    """var = sqrt(mean(xc^2))^2: gradient of x is NaN for a constant feature and for N = 1."""

    def _stats(self, x):
        mean, var = super()._stats(x)
        std = jnp.sqrt(var)
        return mean, std * std


class EpsHalf(_Plain):
    """eps goes through float16: below 3e-8 it is 0 and a constant feature becomes NaN."""

    def _inv(self, var):
        return 1.0 / jnp.sqrt(var + float(np.float16(self.eps)))


class MomentumHalf(_Plain):
    """Momentum (and 1 - momentum) in float16: 0.99 weighs the new batch 2.5 per cent too much."""

    def _mix(self, old, new):
        m = np.float16(self.momentum)
        return float(m) * old + float(np.float16(1) - m) * new


class Bf16RunningMean(_Plain):
    """running_mean is rounded to bfloat16 on the way into its float32 Variable."""

    def _update(self, mean, var, n):
        super()._update(mean, var, n)
        self.running_mean[...] = self.running_mean[...].astype(jnp.bfloat16).astype(jnp.float32)


class SkipUpdateIfAnyNonfinite(_Plain):
    """One non-finite feature stops the update of running values for all features of that batch."""

    def _update(self, mean, var, n):
        ok = jnp.all(jnp.isfinite(mean)) & jnp.all(jnp.isfinite(var))
        rm, rv = self.running_mean[...], self.running_var[...]
        self.running_mean[...] = jnp.where(ok, self._mix(rm, mean), rm)
        self.running_var[...] = jnp.where(ok, self._mix(rv, var), rv)


class LeakyVarStore(_Plain):
    """running_var is stored without stop_gradient: shows when one loss trains and then evaluates."""

    def _train(self, x):
        mean, var = self._stats(x)
        self._update(_sg(mean), var, x.shape[0])
        return self._apply(x, mean, var)


class EvalNoGradAffine(_Plain):
    """Evaluation detaches gamma and beta: their gradients are 0 with use_running_average=True."""

    def _eval(self, x):
        inv = self._inv(self.running_var[...])
        return _sg(self.gamma[...]) * ((x - self.running_mean[...]) * inv) + _sg(self.beta[...])


class IsTrue(_Plain):
    """`flag is True`: numpy.True_, a JAX bool and 1 are taken for training."""

    def _evaluating(self, flag):
        return flag is True


class EvalAttributeWins(_Plain):
    """After layer.eval() (which sets the attribute) an explicit use_running_average=False is ignored."""

    def __init__(self, d, momentum, eps, rngs=None):
        super().__init__(d, momentum, eps, rngs)
        self.use_running_average = False

    def _evaluating(self, flag):
        return bool(flag) or self.use_running_average


class ArithmeticBlend(_Plain):
    """Selects the mode by f*a + (1-f)*b: NaN/inf of the mode not asked for leak in (0*NaN)."""

    def __call__(self, x, use_running_average):
        x = self._input(x)
        f = 1.0 if use_running_average else 0.0
        rm, rv = self.running_mean[...], self.running_var[...]
        mean, var = self._stats(x)
        y = f * self._apply(x, rm, rv) + (1 - f) * self._apply(x, mean, var)
        self.running_mean[...] = f * rm + (1 - f) * self._mix(rm, _sg(mean))
        self.running_var[...] = f * rv + (1 - f) * self._mix(rv, _sg(var))
        return y


class NoUpdateUnderTrace(_Plain):
    """Leaves running values alone whenever x is traced (jit, scan, vmap, gradient of x)."""

    def _train(self, x):
        mean, var = self._stats(x)
        if not _traced(x):
            self._update(_sg(mean), _sg(var), x.shape[0])
        return self._apply(x, mean, var)
