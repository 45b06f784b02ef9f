"""What the correct layers of the third blind test have in common."""

from __future__ import annotations

import logging

import jax.numpy as jnp
from flax import nnx
from jax import lax

_F32 = jnp.float32

_HI = lax.Precision.HIGHEST

_sg = lax.stop_gradient

_log = logging.getLogger(__name__)


class _Base(nnx.Module):
    """Plain storage with a template method; subclasses override `_train`."""

    def __init__(self, d, momentum, eps, rngs=None):
        self.d = int(d)
        self.momentum = float(momentum)
        self.eps = float(eps)
        self.gamma = nnx.Param(jnp.ones((self.d,), _F32))
        self.beta = nnx.Param(jnp.zeros((self.d,), _F32))
        self.running_mean = nnx.BatchStat(jnp.zeros((self.d,), _F32))
        self.running_var = nnx.BatchStat(jnp.ones((self.d,), _F32))

    def _take(self, x):
        x = jnp.asarray(x, dtype=_F32)
        if x.ndim != 2 or x.shape[1] != self.d:
            raise ValueError(f"expected (N, {self.d}), got {x.shape}")
        return x

    def _store(self, mean, var):
        m = self.momentum
        self.running_mean.set_value(_sg(m * self.running_mean[...] + (1.0 - m) * mean))
        self.running_var.set_value(_sg(m * self.running_var[...] + (1.0 - m) * var))

    def _evaluate(self, x):
        centred = x - self.running_mean[...]
        return (
            self.gamma[...] * centred / jnp.sqrt(self.running_var[...] + self.eps) + self.beta[...]
        )

    def __call__(self, x, use_running_average):
        x = self._take(x)
        if use_running_average:
            return self._evaluate(x)
        y, mean, var = self._train(x)
        self._store(mean, var)
        return y

    def _affine(self, dev, var):
        return self.gamma[...] * (dev / jnp.sqrt(var + self.eps)) + self.beta[...]


def _two_sum(a, b):
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def _bn_pullback(n, dev, inv, gamma, ct_y, ct_mean, ct_var):
    """Cotangents of (y, mean, var) pulled back to (x, gamma, beta)."""
    xhat = dev * inv
    d_beta = jnp.sum(ct_y, axis=0)
    d_gamma = jnp.sum(ct_y * xhat, axis=0)
    d_x = (gamma * inv) * (ct_y - d_beta / n - xhat * (d_gamma / n))
    d_x = d_x + ct_mean / n + dev * (2.0 / n * ct_var)
    return d_x, d_gamma, d_beta
