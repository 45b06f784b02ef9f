"""What the correct layers of the blind test share."""

from __future__ import annotations

import jax.numpy as jnp
from flax import nnx
from jax import lax

F32 = jnp.float32
_HI = lax.Precision.HIGHEST


class _Plain(nnx.Module):
    """Shared constructor and helpers; the subclasses supply `__call__`."""

    def __init__(self, d, momentum, eps, rngs):
        self.gamma = nnx.Param(jnp.ones((d,), F32))
        self.beta = nnx.Param(jnp.zeros((d,), F32))
        self.running_mean = nnx.BatchStat(jnp.zeros((d,), F32))
        self.running_var = nnx.BatchStat(jnp.ones((d,), F32))
        self.momentum = float(momentum)
        self.eps = float(eps)

    def _remember(self, mean, var):
        m = self.momentum
        self.running_mean[...] = lax.stop_gradient(m * self.running_mean[...] + (1 - m) * mean)
        self.running_var[...] = lax.stop_gradient(m * self.running_var[...] + (1 - m) * var)

    def _affine(self, x, mean, var):
        return self.gamma[...] * ((x - mean) / jnp.sqrt(var + self.eps)) + self.beta[...]


class _FromMoments(_Plain):
    """Training through `moments(x) -> (mean, var)`, evaluation through the running statistics."""

    def moments(self, x):
        raise NotImplementedError

    def __call__(self, x, use_running_average):
        x = jnp.asarray(x, F32)
        if use_running_average:
            return self._affine(x, self.running_mean[...], self.running_var[...])
        mean, var = self.moments(x)
        self._remember(mean, var)
        return self._affine(x, mean, var)
