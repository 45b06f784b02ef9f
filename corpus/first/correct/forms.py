"""Correct layers: the formula in other arrangements."""

from __future__ import annotations

import jax.numpy as jnp
from flax import nnx
from jax import lax

from corpus.first.correct.shared import F32, _FromMoments, _Plain


class RsqrtFolded(nnx.Module):
    """gamma is folded into rsqrt(var + eps) before it meets the centred batch."""

    def __init__(self, d, momentum, eps, rngs):
        self.gamma = nnx.Param(jnp.ones(d, F32))
        self.beta = nnx.Param(jnp.zeros(d, F32))
        self.running_mean = nnx.Variable(jnp.zeros(d, F32))
        self.running_var = nnx.Variable(jnp.ones(d, F32))
        self.momentum, self.eps = float(momentum), float(eps)

    def __call__(self, x, use_running_average):
        x = jnp.asarray(x, F32)
        if not use_running_average:
            mean = x.mean(0)
            centred = x - mean
            var = lax.square(centred).mean(0)
            keep, take = self.momentum, 1.0 - self.momentum
            self.running_mean[...] = keep * self.running_mean[...] + take * lax.stop_gradient(mean)
            self.running_var[...] = keep * self.running_var[...] + take * lax.stop_gradient(var)
        else:
            centred, var = x - self.running_mean[...], self.running_var[...]
        scale = self.gamma[...] * lax.rsqrt(var + self.eps)
        return centred * scale + self.beta[...]


class TwoPathInference(_Plain):
    """Two code paths: textbook with keepdims in training, gamma folded into 1/std in evaluation."""

    def _scale(self):
        return self.gamma[...] * lax.rsqrt(self.running_var[...] + self.eps)

    def __call__(self, x, use_running_average):
        x = jnp.asarray(x, F32)
        if use_running_average:
            return (x - self.running_mean[...]) * self._scale() + self.beta[...]
        mean = jnp.mean(x, axis=0, keepdims=True)
        var = jnp.mean(jnp.square(x - mean), axis=0, keepdims=True)
        self._remember(mean[0], var[0])
        return (x - mean) / jnp.sqrt(var + self.eps) * self.gamma[...] + self.beta[...]


class PivotedScaleShift(_Plain):
    """x*scale + shift, but on x - pivot (first row, or the running mean) so nothing cancels."""

    def __call__(self, x, use_running_average):
        x = jnp.asarray(x, F32)
        if use_running_average:
            z = x - self.running_mean[...]
            var = self.running_var[...]
            offset = jnp.zeros_like(self.running_mean[...])
        else:
            pivot = lax.stop_gradient(x[0])
            z = x - pivot
            offset = jnp.mean(z, axis=0)
            var = jnp.mean(jnp.square(z - offset), axis=0)
            self._remember(pivot + offset, var)
        scale = self.gamma[...] * lax.rsqrt(var + self.eps)
        return z * scale + (self.beta[...] - offset * scale)


class DivideLast(_FromMoments):
    """beta + (gamma*(x - mean)) / sqrt(...): the division comes last, statistics from jnp.var."""

    def moments(self, x):
        return jnp.mean(x, axis=0), jnp.var(x, axis=0, ddof=0)

    def _affine(self, x, mean, var):
        return self.beta[...] + (self.gamma[...] * (x - mean)) / (var + self.eps) ** 0.5


class NegativePower(_FromMoments):
    """jnp.power(var + eps, -0.5), jnp.average for the means and jnp.multiply/add throughout."""

    def moments(self, x):
        mean = jnp.average(x, axis=0)
        return mean, jnp.average(jnp.square(jnp.subtract(x, mean)), axis=0)

    def _affine(self, x, mean, var):
        inverse = jnp.power(jnp.add(var, self.eps), -0.5)
        normal = jnp.multiply(jnp.subtract(x, mean), inverse)
        return jnp.add(jnp.multiply(normal, self.gamma[...]), self.beta[...])
